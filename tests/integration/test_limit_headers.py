"""What vendors say of their limits is heeded before they refuse: by the clients as they are, of all processes together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from automation.clients.hubspot import HubSpotClient
from automation.clients.limit_headers import DAY_SPENT_SECONDS
from automation.clients.pace import SharedPace
from automation.clients.pipedrive import PipedriveClient
from automation.sandbox.habits import Habits
from automation.sandbox.limits import DailyBudget, Window
from automation.sandbox.server import Addresses, running
from automation.sandbox.state import Sandbox
from data.db import Database
from data.domain.entity import EntityKind
from data.errors import NotNow, Permanent, Retryable
from tests.support import FakeClock

LIMITS = Habits(hubspot_limits=True, pipedrive_limits=True)
COST = 10  # of a list, in Pipedrive's tokens of a day


class Counted:
    """A database that counts its writing transactions."""

    def __init__(self, database: Database) -> None:
        self._database, self.writes = database, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def write(self) -> Iterator[Any]:
        self.writes += 1
        with self._database.write() as session:
            yield session


@dataclass
class Vendor:
    """One of the vendors, and how one of our processes asks it."""

    box: Sandbox
    account: Any
    connect: Callable[[SharedPace], Any]
    seconds: float
    rest_seconds: float
    cost: int
    database: Counted
    clock: FakeClock

    def ask(self, client: Any = None) -> None:
        (client or self.client()).read(EntityKind.CONTACT, ["1"], [])

    def client(self) -> Any:
        return self.connect(SharedPace(self.database, self.clock, patience_seconds=0))  # type: ignore[arg-type]

    def asked(self) -> int:
        return len(self.box.requests)


@pytest.fixture
def places(clock: FakeClock, tmp_path: Path) -> Iterator[tuple[Sandbox, Addresses]]:
    box = Sandbox(hubspot_token="h", pipedrive_token="p", slack_token="s", channels=("sales",), now=clock.now, habits=LIMITS)
    box.put("hubspot", "contacts", "1", {"email": "ada@example.com"})
    box.put("pipedrive", "persons", "1", {"name": "Ada"})
    with running(box, tmp_path / "sandbox") as addresses:
        yield box, addresses


@pytest.fixture(params=["hubspot", "pipedrive"])
def vendor(request: pytest.FixtureRequest, places: tuple[Sandbox, Addresses], database: Database, clock: FakeClock) -> Vendor:
    box, addresses = places
    counted = Counted(database)
    if request.param == "hubspot":
        box.hubspot_account.window = Window(5, 10)
        return Vendor(
            box, box.hubspot_account, lambda pace: HubSpotClient("h", addresses.hubspot, pace=pace), 10, 1.0, 1, counted, clock
        )
    box.pipedrive_account.window = Window(5, 2)
    return Vendor(
        box, box.pipedrive_account, lambda pace: PipedriveClient("p", addresses.pipedrive, pace=pace), 2, 2.0, COST, counted, clock
    )


def test_who_took_the_last_call_of_a_window_lets_nobody_call_for_a_while(vendor: Vendor) -> None:
    for _ in range(5):
        vendor.ask()
    with pytest.raises(NotNow) as told:
        vendor.ask(vendor.client())
    assert told.value.retry_after_seconds == pytest.approx(vendor.rest_seconds, abs=0.1)
    assert [request.status for request in vendor.box.requests] == [200] * 5, "nothing was refused"
    vendor.clock.move(seconds=vendor.seconds)
    vendor.ask(vendor.client())
    assert vendor.asked() == 6


def test_an_answer_that_leaves_calls_costs_no_write_of_its_own(vendor: Vendor) -> None:
    client = vendor.client()
    for _ in range(4):
        vendor.ask(client)
    assert vendor.database.writes == 4, "the turn of each"
    vendor.ask(client)
    assert vendor.database.writes == 6


def test_a_refusal_that_says_only_when_the_window_is_over_is_waited_for(vendor: Vendor) -> None:
    for _ in range(5):
        vendor.account.window.take(vendor.clock.now())  # another app's
    vendor.clock.move(seconds=0.5)
    with pytest.raises(Retryable) as refused:
        vendor.ask()
    assert (refused.value.limited, vendor.asked()) == (True, 1)
    assert refused.value.retry_after_seconds == vendor.seconds
    with pytest.raises(NotNow):
        vendor.ask()
    vendor.clock.move(seconds=vendor.seconds)
    vendor.ask()
    assert [request.status for request in vendor.box.requests] == [429, 200]


def test_an_error_that_was_the_last_call_is_a_last_call(vendor: Vendor) -> None:
    vendor.account.window.most = 1
    with pytest.raises(Permanent):
        vendor.client().read(EntityKind.CONTACT, [str(number) for number in range(101)], [])
    with pytest.raises(NotNow):
        vendor.ask()


def test_a_spent_day_is_asked_about_ever_so_often_until_it_is_over(vendor: Vendor) -> None:
    vendor.account.daily = DailyBudget(3 * vendor.cost)
    for _ in range(3):
        vendor.ask()
        vendor.clock.move(seconds=vendor.seconds)
    with pytest.raises(NotNow) as told:
        vendor.ask()
    assert told.value.retry_after_seconds == pytest.approx(DAY_SPENT_SECONDS - vendor.seconds, abs=0.1)
    for _ in range(6):
        vendor.clock.move(seconds=DAY_SPENT_SECONDS)
        with pytest.raises(Retryable) as refused:
            vendor.ask()
        assert not isinstance(refused.value, NotNow)
        with pytest.raises(NotNow):
            vendor.ask()
    assert [request.status for request in vendor.box.requests] == [200] * 3 + [429] * 6
    vendor.clock.move(seconds=timedelta(hours=12).total_seconds())
    vendor.ask()
