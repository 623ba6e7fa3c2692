"""Who takes part in Pipedrive's deals beside their contact person: read with the past, with what is new, and in rounds."""

import pytest

from automation.backfill import backfill
from automation.clients.histories import history_of
from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind
from tests.conftest import LoopFactory
from tests.rounds import PATIENCE, a_round, known, look, put_people, sandbox_at
from tests.support import FakeClock

pytestmark = pytest.mark.slow

MANY = 130  # more than a page of participants


@pytest.fixture
def sandbox(clock: FakeClock) -> Sandbox:
    box = sandbox_at(clock)
    put_people(box, "pipedrive", 4)
    for deal, person in (("5", 1), ("6", 2), ("7", None)):
        box.put("pipedrive", "deals", deal, {"title": "Roof", "person_id": person})
    return box


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    return make_loop(addresses, pipedrive_calls_per_2_seconds=10_000)


def links(loop: Loop, deal: str) -> dict[str, str | None]:
    facts = known(loop, "pipedrive", EntityKind.DEAL, deal)
    return {name.removeprefix("link:contact:"): value for name, value in facts.items() if name.startswith("link:")}


def asked(sandbox: Sandbox) -> list[str]:
    paths = (request.path.partition("?")[0] for request in sandbox.requests)
    return [path.split("/")[-2] for path in paths if path.endswith("/participants")]


def test_the_past_has_them_and_a_deal_of_one_person_costs_no_call(loop: Loop, sandbox: Sandbox) -> None:
    sandbox.take_part("5", "2")
    sandbox.take_part("7", "3")
    sandbox.put("pipedrive", "deals", "5", {"is_archived": True})
    backfill(loop, "pipedrive", history_of("pipedrive", loop.clients, loop.settings, PATIENCE))
    assert {deal: links(loop, deal) for deal in ("5", "6", "7")} == {"5": {"2": "true"}, "6": {}, "7": {"3": "true"}}
    assert sorted(asked(sandbox)) == ["5", "7"]
    assert known(loop, "pipedrive", EntityKind.CONTACT, "2")["link:deal:5"] == "true", "from both sides"
    assert "participants_count" not in known(loop, "pipedrive", EntityKind.DEAL, "5"), "no property of a deal"


def test_all_of_many_are_read(loop: Loop, sandbox: Sandbox) -> None:
    for number in range(101, 101 + MANY):
        sandbox.put("pipedrive", "persons", str(number), {"name": "Kim"})
        sandbox.take_part("5", str(number))
    backfill(loop, "pipedrive", history_of("pipedrive", loop.clients, loop.settings, PATIENCE))
    assert len(links(loop, "5")) == MANY


def test_a_new_deal_is_found_with_them(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    look(loop, "pipedrive", clock)
    sandbox.put("pipedrive", "deals", "8", {"title": "Barn", "person_id": 1})
    sandbox.take_part("8", "4")
    assert look(loop, "pipedrive", clock) == 2
    assert links(loop, "8") == {"4": "true"}


def test_who_joins_and_who_leaves_is_found_in_a_round(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    look(loop, "pipedrive", clock)
    sandbox.take_part("5", "2")
    sandbox.take_part("5", "3")
    assert a_round(loop, "pipedrive", clock) == 2
    assert links(loop, "5") == {"2": "true", "3": "true"}
    sandbox.leave("5", "2")
    sandbox.leave("5", "3")
    sandbox.take_part("5", "4")
    assert a_round(loop, "pipedrive", clock) == 3
    assert links(loop, "5") == {"2": None, "3": None, "4": "true"}
    sandbox.leave("5", "4")
    assert a_round(loop, "pipedrive", clock) == 1, "of a deal that has its contact person alone, too"
    assert a_round(loop, "pipedrive", clock) == 0


def test_whom_the_token_may_not_read_has_not_left(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    look(loop, "pipedrive", clock)
    sandbox.take_part("5", "2")
    assert a_round(loop, "pipedrive", clock) == 1
    sandbox.take_part("5", "3")
    sandbox.fault = lambda _vendor, path: 403 if path.endswith("/participants") else None
    assert a_round(loop, "pipedrive", clock) == 0
    assert links(loop, "5") == {"2": "true"}


def test_who_went_into_another_by_a_merge_takes_part_as_that_one(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    look(loop, "pipedrive", clock)
    sandbox.take_part("5", "2")
    assert a_round(loop, "pipedrive", clock) == 1
    sandbox.merge("pipedrive", "persons", "3", ["2"])
    look(loop, "pipedrive", clock)
    a_round(loop, "pipedrive", clock)
    assert links(loop, "5")["3"] == "true"
    assert a_round(loop, "pipedrive", clock) == 0
