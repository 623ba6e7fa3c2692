"""Whoever is erased is in no row of any table any more, and in no byte of the database's file; those around stay as they are."""

import json
from contextlib import nullcontext

from sqlalchemy import text

from automation.erasure import run
from automation.erasure.report import Report
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from data.domain.event import Driver
from data.warehouse import payloads
from data.warehouse.erasures import ErasureState, Origin
from tests.ada import ADA, still_told, tell_all
from tests.support import HOT, generic


def erase(loop: Loop, address: str = ADA) -> Report:
    return run.erase(loop, run.ask(loop, address, Origin.COMMAND))


def test_whoever_is_erased_is_in_no_row(loop: Loop) -> None:
    tell_all(loop)
    before = still_told(loop.database)
    assert {"payloads.body", "facts.value", "events.properties", "identity_keys.key"} <= before.keys()
    report = erase(loop)
    assert still_told(loop.database) == {}
    assert (report.state, report.left) == (ErasureState.DONE, ())


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
