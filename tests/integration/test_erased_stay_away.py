"""A CRM, or a file that was taken out of one, may still have whoever was erased: none of them brings that person back."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from automation.backfill import backfill
from automation.clients.histories import history_of
from automation.clients.history import Patience
from automation.erasure import run
from automation.imports.mapping import Mapping
from automation.imports.rows import read_rows
from automation.imports.run import import_rows
from automation.jobs import privacy, worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.event import Driver
from data.warehouse.entities import EntityRow
from data.warehouse.erasures import ErasureRow, Origin
from tests.ada import ADA, still_told
from tests.conftest import LoopFactory
from tests.support import FakeClock

pytestmark = pytest.mark.slow

JANUARY = datetime(2026, 1, 5, 9, tzinfo=UTC)
NAMED = re.compile(r"\b(ada|lovelace)\b", re.IGNORECASE)
PEOPLE = {"hubspot": "contacts", "pipedrive": "persons"}
# Two records of hers in one CRM, and Bob.
HERS, HERS_TOO, BOB = "90101", "90102", "90103"


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, clock: FakeClock) -> Loop:
    clock.follow_the_machine()
    return make_loop(addresses, hubspot_calls_per_10_seconds=10_000, pipedrive_calls_per_2_seconds=10_000)


def play(box: Sandbox, vendor: str, numbers: tuple[str, ...] = (HERS, HERS_TOO), *, at: datetime = JANUARY) -> None:
    first, last = ("firstname", "lastname") if vendor == "hubspot" else ("first_name", "last_name")
    whole = {} if vendor == "hubspot" else {"name": "Ada Lovelace"}
    for number in numbers:
        box.put(vendor, PEOPLE[vendor], number, {"email": ADA, first: "Ada", last: "Lovelace", **whole}, at=at)
    if box.get(vendor, PEOPLE[vendor], BOB) is None:
        box.put(vendor, PEOPLE[vendor], BOB, {"email": "bob@example.com", first: "Bob"}, at=at)


def with_a_note(box: Sandbox, vendor: str) -> None:
    """Of a call with her, in HubSpot and in Pipedrive."""
    if vendor == "hubspot":
        box.put(
            "hubspot", "notes", "9", {"hs_note_body": "Lovelace wants a demo", "hs_timestamp": "2026-01-06T10:00:00Z"}, at=JANUARY
        )
        box.link(("notes", "9"), ("contacts", HERS))
    else:
        box.put("pipedrive", "notes", "9", {"content": "Lovelace wants a demo", "person_id": int(HERS)}, at=JANUARY)


def read_all(loop: Loop, vendor: str) -> None:
    backfill(loop, vendor, history_of(vendor, loop.clients, loop.settings, Patience(tries=3, sleep=lambda _: None)))


def erase(loop: Loop) -> None:
    assert run.erase(loop, run.ask(loop, ADA, Origin.COMMAND)).left == ()


def people(loop: Loop) -> list[str]:
    with loop.database.read() as session:
        return sorted(session.exec(select(EntityRow.vendor_id).where(EntityRow.kind == "contact")))


@pytest.mark.parametrize("vendor", PEOPLE)
def test_a_backfill_does_not_bring_them_back(loop: Loop, sandbox: Sandbox, vendor: str) -> None:
    play(sandbox, vendor)
    with_a_note(sandbox, vendor)
    read_all(loop, vendor)
    assert people(loop) == [HERS, HERS_TOO, BOB]
    erase(loop)
    assert still_told(loop.database, NAMED) == {}
    read_all(loop, vendor)
    assert still_told(loop.database, NAMED) == {}
    assert people(loop) == [BOB]


@pytest.mark.parametrize("vendor", PEOPLE)
def test_nor_does_one_that_reads_of_them_for_the_first_time(loop: Loop, sandbox: Sandbox, vendor: str) -> None:
    erase(loop)  # the address is all that is known
    play(sandbox, vendor)
    read_all(loop, vendor)
    assert still_told(loop.database, NAMED) == {}
    assert people(loop) == [BOB]


def test_who_comes_anew_is_a_new_person(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    play(sandbox, "hubspot")
    read_all(loop, "hubspot")
    erase(loop)
    clock.move(days=1)
    play(sandbox, "hubspot", ("90109",), at=clock.now())
    read_all(loop, "hubspot")
    assert people(loop) == [BOB, "90109"]


def test_an_import_does_not_bring_them_back(loop: Loop, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("from a CRM") / "contacts.jsonl"
    lines = [
        {"id": HERS, "made": "2026-01-05T09:00:00Z", "email": ADA, "first": "Ada"},
        {"id": HERS_TOO, "made": "2026-01-05T09:00:00Z", "email": f"{ADA}; lovelace@home.example", "first": "Ada"},
        {"id": BOB, "made": "2026-01-05T09:00:00Z", "email": "bob@example.com", "first": "Bob"},
    ]
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    mapping = Mapping.model_validate(
        {"source": "hubspot", "kind": "contact", "id": "id", "created_at": "made",
         "properties": {"email": "email", "first": "firstname"}}
    )  # fmt: skip
    for _ in range(2):
        import_rows(loop, read_rows(path, mapping)[1], mapping)
        assert BOB in people(loop)
        erase(loop)
        assert still_told(loop.database, NAMED) == {}
    import_rows(loop, read_rows(path, mapping)[1], mapping)
    assert still_told(loop.database, NAMED) == {}
    assert people(loop) == [BOB]


def test_a_look_up_does_not_bring_them_back(loop: Loop, sandbox: Sandbox) -> None:
    """The webhook names an id that was never heard of; only the CRM's answer says whose it is."""
    erase(loop)
    play(sandbox, "hubspot")
    for number in (HERS, BOB):
        change = {"propertyName": "hs_analytics_num_visits", "propertyValue": "5", "subscriptionType": "contact.propertyChange"}
        tell(loop, {"objectId": int(number), **change})
    worker.sweep_inbox(loop)
    privacy.sweep(loop)
    assert still_told(loop.database, NAMED) == {}
    assert people(loop) == [BOB]
    with loop.database.read() as session:
        newest = session.exec(select(ErasureRow).order_by(col(ErasureRow.id).desc()).limit(1)).one()
    assert (newest.origin, newest.state) == (Origin.LOOKUP, "done")
    tell(loop, {"objectId": int(HERS), **change})
    worker.sweep_inbox(loop)
    assert people(loop) == [BOB], "from now on the id tells"


def tell(loop: Loop, item: dict[str, Any]) -> None:
    at = int((loop.clock.now() - timedelta(seconds=1)).timestamp() * 1000)
    common = {"eventId": 1, "subscriptionId": 1, "portalId": 33, "appId": 1, "attemptNumber": 0, "occurredAt": at}
    collect(loop, "hubspot", json.dumps([{**common, **item}]).encode(), Driver.WORKER)
