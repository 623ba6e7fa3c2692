"""Whoever is erased is in no row of any table any more, and in no byte of the database's file; those around stay as they are."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from automation import audit
from automation.erasure import run
from automation.erasure.report import Report
from automation.history import history
from automation.jobs import privacy, worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from data.db import Database
from data.domain.audit import Action
from data.domain.event import Driver
from data.warehouse import payloads
from data.warehouse.erasures import ErasureRow, ErasureState, Origin
from ml.training.labels import HORIZON
from tests.ada import ADA, CONTACT, DEAL, EARLIER, NEIGHBOURS, changed, hubspot, still_told, tell, tell_all
from tests.support import HOT, FakeClock, generic

pytestmark = pytest.mark.slow


def erase(loop: Loop, address: str = ADA) -> Report:
    return run.erase(loop, run.ask(loop, address, Origin.COMMAND))


def test_whoever_is_erased_is_in_no_row(loop: Loop) -> None:
    tell_all(loop)
    before = still_told(loop.database)
    assert {"payloads.body", "facts.value", "events.properties", "identity_keys.key"} <= before.keys()
    assert is_in_files(loop) == loop.database.is_sqlite
    report = erase(loop)
    assert still_told(loop.database) == {}
    assert (report.state, report.left) == (ErasureState.DONE, ())
    assert report.found == before
    assert not is_in_files(loop)


def test_whoever_is_in_bytes_that_nobody_has_read_yet_is_erased_too(loop: Loop) -> None:
    tell_all(loop)
    with loop.turns.one():  # more came than could be parsed
        later = [generic(ADA, key="deferred 1", **HOT), generic("bob@elsewhere.example", key="deferred 2", **HOT)]
        assert collect(loop, "generic", json.dumps(later).encode(), Driver.WORKER).deferred
        whole = collect(loop, "generic", json.dumps(generic(ADA, key="deferred 3", **HOT)).encode(), Driver.WORKER)
        assert whole.deferred
    report = erase(loop)
    assert still_told(loop.database) == {}
    assert report.left == ()
    worker.sweep_payloads(loop)
    assert still_told(loop.database) == {}
    with loop.database.read() as session:
        assert payloads.waiting(session) == (0, None)
        told = session.execute(text("SELECT count(*) FROM entities WHERE vendor_id = 'bob@elsewhere.example'")).scalar_one()
    assert told == 1, "the neighbours in the same payload are parsed"


def test_what_comes_late_of_whoever_was_erased_is_not_stored(loop: Loop) -> None:
    tell_all(loop)
    erase(loop)
    for deferred in (False, True):
        with loop.turns.one() if deferred else nullcontext():
            collect(loop, "generic", json.dumps([generic(ADA, **HOT)]).encode(), Driver.WORKER)
        worker.sweep_payloads(loop)
        assert still_told(loop.database) == {}


def test_whoever_asked_their_crm_for_it_is_erased_by_the_worker(loop: Loop) -> None:
    tell_all(loop)
    deletion = hubspot("contact.privacyDeletion", CONTACT, second=40)
    tell(loop, "hubspot", deletion)
    assert (the_erasure(loop).state, the_erasure(loop).origin) == (ErasureState.ASKED, Origin.EVENT)
    privacy.sweep(loop)
    assert still_told(loop.database) == {}
    assert (the_erasure(loop).state, the_erasure(loop).asked) == (ErasureState.DONE, {})
    (row,) = audit.listed(loop.database)
    assert (row.actor, row.action, row.target, row.result) == ("asked by event", Action.ERASE, "erasure 1", "done")
    tell(loop, "hubspot", deletion)  # HubSpot sends it again
    privacy.sweep(loop)
    assert the_erasure(loop).id == 1, "it is one erasure"
    assert still_told(loop.database) == {}


def test_a_deletion_of_whom_nobody_has_heard_leaves_nothing(loop: Loop) -> None:
    tell(loop, "hubspot", hubspot("contact.privacyDeletion", CONTACT))
    privacy.sweep(loop)
    assert the_erasure(loop).state == ErasureState.DONE
    with loop.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM entities")).scalar_one() == 0
    assert str(CONTACT) not in str(payload_bodies(loop))


class Dying(Database):
    """A database whose process is killed before one of its transactions."""

    def __init__(self, url: str, *, lives: int) -> None:
        super().__init__(url)
        self.lives = lives

    @contextmanager
    def write(self, *, patience_seconds: float | None = None) -> Iterator[Session]:
        if self.lives == 0:
            raise KeyboardInterrupt
        self.lives -= 1
        with super().write(patience_seconds=patience_seconds) as session:
            yield session


@pytest.mark.slow
def test_whatever_it_is_killed_at_it_goes_on_until_it_is_done(loop: Loop) -> None:
    """Killed before its first transaction, then before its second, and so on: each goes on from what the one before has left."""
    tell_all(loop)
    calm = run.would_erase(loop, ADA)
    number = run.ask(loop, ADA, Origin.COMMAND)
    kills, lives, state = Counter[str](), 0, str(ErasureState.ASKED)
    while state != ErasureState.DONE:
        dying = Dying(loop.database.url, lives=lives)
        with suppress(KeyboardInterrupt):
            privacy.sweep(replace(loop, database=dying))
            assert the_erasure(loop).state == ErasureState.DONE
        dying.dispose()
        kills[state] += 1
        before, state = state, the_erasure(loop).state
        lives = lives + 1 if state == before else 0
    assert kills[ErasureState.ASKED] > 5
    assert kills[ErasureState.CLEARING] > 1
    report = run.reported(loop, number)
    assert (report.state, report.left, report.error) == (ErasureState.DONE, (), None)
    assert (report.records, report.found) == (calm["records"], calm["found"]), "as it was before the first kill"
    assert still_told(loop.database) == {}
    assert [row.target for row in audit.listed(loop.database)] == [f"erasure {number}"]


@pytest.mark.slow
def test_one_that_is_killed_between_its_rows_and_their_bytes_overwrites_these(loop: Loop) -> None:
    tell_all(loop)
    number = run.ask(loop, ADA, Origin.COMMAND)
    for lives in range(100):
        dying = Dying(loop.database.url, lives=lives)
        with pytest.raises(KeyboardInterrupt):
            run.erase(replace(loop, database=dying), number)
        dying.dispose()
        if (row := the_erasure(loop)).state == ErasureState.CLEARING:
            break
    assert (row.asked, row.person) == ({}, {}), "whom it was about is known no more"
    assert "ada" not in json.dumps(row.report)
    report = run.erase(loop, number)
    assert (report.state, bool(report.bytes)) == (ErasureState.DONE, True)
    assert not is_in_files(loop)


def is_in_files(loop: Loop) -> bool:
    """Whether a byte of hers is in the database's own files, be it in no row any more. Her neighbours' addresses hold hers."""
    found = b"".join(path.read_bytes().lower() for path in loop.database.files)
    for one in NEIGHBOURS:
        found = found.replace(one.encode(), b"")
    return any(one.encode() in found for one in (ADA, EARLIER))


def test_nothing_is_learned_from_whoever_was_erased(loop: Loop, clock: FakeClock) -> None:
    tell_all(loop)
    tell(loop, "hubspot", changed(CONTACT, "lifecyclestage", "customer", second=50),
         changed(DEAL, "dealstage", "closedwon", kind="deal", second=51))  # fmt: skip
    later = clock.now() + HORIZON + timedelta(days=1)
    before = history(loop.database, "lead_score", later)
    with loop.database.read() as session:
        query = "SELECT id FROM entities WHERE vendor_id IN ('901001', '901002', '41', 'ADA@example.com', 'ada@example.com')"
        hers = set(session.execute(text(query)).scalars())
    assert hers & set(before.labelled.examples["entity"])
    erase(loop)
    after = history(loop.database, "lead_score", later)
    assert not hers & set(after.facts["entity"])
    rest = set(before.labelled.examples["entity"]) - hers
    assert rest
    assert set(after.labelled.examples["entity"]) == rest, "the others teach as before"


def the_erasure(loop: Loop) -> ErasureRow:
    with loop.database.read() as session:
        return session.exec(select(ErasureRow)).one()


def payload_bodies(loop: Loop) -> list[bytes]:
    with loop.database.read() as session:
        return [bytes(body) for body in session.execute(text("SELECT body FROM payloads")).scalars()]
