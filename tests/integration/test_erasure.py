"""Whoever is erased is in no row of any table any more, and in no byte of the database's file; those around stay as they are."""

from automation.erasure import run
from automation.erasure.report import Report
from automation.pipeline.context import Loop
from data.warehouse.erasures import ErasureState, Origin
from tests.ada import ADA, still_told, tell_all


def erase(loop: Loop, address: str = ADA) -> Report:
    return run.erase(loop, run.ask(loop, address, Origin.COMMAND))


def test_whoever_is_erased_is_in_no_row(loop: Loop) -> None:
    tell_all(loop)
    before = still_told(loop.database)
    assert {"payloads.body", "facts.value", "events.properties", "identity_keys.key"} <= before.keys()
    report = erase(loop)
    assert still_told(loop.database) == {}
    assert (report.state, report.left) == (ErasureState.DONE, ())
