"""A person with several addresses is found by each of them, and erased with all of them."""

from typing import Any

import pytest
from sqlmodel import select

from automation.erasure import run
from automation.jobs import privacy, worker
from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind
from data.warehouse import identities
from data.warehouse.entities import EntityRow
from data.warehouse.erasures import Origin
from tests.ada import ADA, BOB, CONTACT, EARLIER, NEIGHBOURS, changed, pipedrive, still_told, tell
from tests.conftest import LoopFactory
from tests.support import HOT, NOON, FakeClock, generic

pytestmark = pytest.mark.slow

BOTH = [{"value": ADA, "primary": True, "label": "work"}, {"value": EARLIER.title(), "primary": False, "label": "home"}]


def tell_of_her(loop: Loop) -> None:
    """Two records with both addresses, one of them only the second; and a neighbour in the same payload."""
    hers = [changed(CONTACT, "email", ADA), changed(CONTACT, "hs_additional_emails", f"{EARLIER};{NEIGHBOURS[2]}", second=1)]
    his = [changed(BOB, "email", NEIGHBOURS[0]), changed(BOB, "firstname", "Bob", second=1)]
    tell(loop, "hubspot", *hers, changed(CONTACT, "firstname", "Ada", second=2), *his)
    tell(loop, "pipedrive", pipedrive(41, {"name": "Ada", "emails": BOTH}))
    tell(loop, "generic", generic(EARLIER, **HOT), generic("cleo@example.com", **HOT))


def left(loop: Loop) -> set[str]:
    with loop.database.read() as session:
        return {str(row.ref) for row in session.exec(select(EntityRow))}


@pytest.mark.parametrize("address", [ADA, EARLIER, EARLIER.upper()])
def test_by_whichever_address_all_of_her_goes(loop: Loop, address: str) -> None:
    tell_of_her(loop)
    report = run.erase(loop, run.ask(loop, address, Origin.COMMAND))
    assert (still_told(loop.database), report.left) == ({}, ())
    assert left(loop) == {f"hubspot contact {BOB}", "generic contact cleo@example.com"}
    with loop.database.read() as session:
        assert identities.keys_of(session, EntityKind.CONTACT, [ADA, EARLIER]) == []


def test_an_address_that_others_have_as_a_secondary_one_too_erases_none_of_them(loop: Loop) -> None:
    shared = "team@acme.io"

    def person(number: int, name: str, address: str) -> dict[str, Any]:
        return pipedrive(
            number, {"name": name, "emails": [{"value": address, "primary": True}, {"value": shared, "primary": False}]}
        )

    tell(loop, "pipedrive", person(41, "Ada Lovelace", ADA))
    tell(loop, "pipedrive", person(42, "Bob Babbage", "bob@example.com"))
    run.erase(loop, run.ask(loop, ADA, Origin.COMMAND))
    assert still_told(loop.database) == {}
    assert left(loop) == {"pipedrive contact 42"}


def test_whom_the_crm_still_has_under_a_secondary_address_does_not_come_back(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    tell_of_her(loop)
    run.erase(loop, run.ask(loop, EARLIER, Origin.COMMAND))
    sandbox.put("hubspot", "contacts", "555", {"email": "a@new.example", "hs_additional_emails": ADA}, at=NOON.replace(year=2025))
    clock.move(minutes=1)
    tell(loop, "hubspot", changed(555, "sessions", "5", second=30))
    worker.sweep_inbox(loop)
    privacy.sweep(loop)
    assert "hubspot contact 555" not in left(loop)
    assert still_told(loop.database) == {}
