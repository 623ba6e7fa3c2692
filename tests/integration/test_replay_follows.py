"""What follows from events follows also from those that only today's code reads as what they are."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import polars as pl

from automation import knowledge
from automation.jobs import worker
from automation.pipeline.context import Loop
from data.domain.event import Event
from ml.features.build import build
from ml.features.facts import EXAMPLES
from tests.integration.test_replay import another_code, post, replayed, rows
from tests.support import HOT, NOON, FakeClock, generic


def test_whoever_was_never_scored_for_what_was_misread_is_scored(loop: Loop) -> None:
    with another_code(lambda event: event.model_copy(update={"properties": {"channel_x": "?"}})):
        post(loop, generic("ada@example.com", key="one", **HOT))
    worker.sweep_inbox(loop)
    assert rows(loop, "SELECT score FROM predictions") == []
    replayed(loop)
    worker.sweep_payloads(loop)
    worker.sweep_inbox(loop)
    ((score,),) = rows(loop, "SELECT score FROM predictions")
    assert score > 0.5


def read_as(verb: str) -> Callable[[Event], Event]:
    """As by a parser that took everything about Bo for this."""
    changed: dict[str, Any] = {"type": f"contact.{verb}", "targets": (), "properties": {"note": "?"} if verb == "changed" else {}}
    return lambda event: event.model_copy(update=changed) if event.entity.id == "bo@example.com" else event


def about_bo(verb: str, *targets: str) -> dict[str, Any]:
    told = [{"kind": "contact", "id": target} for target in targets]
    return {**generic("bo@example.com", key=verb, at=NOON), "type": f"contact.{verb}", "properties": {}, "targets": told}


def test_a_merge_that_only_today_s_code_reads_is_followed(loop: Loop) -> None:
    post(loop, generic("ada@example.com", **HOT))
    with another_code(read_as("changed")):
        post(loop, about_bo("merged", "ada@example.com"))
    worker.sweep_inbox(loop)
    replayed(loop)
    merged = "SELECT a.vendor_id, b.vendor_id FROM entities a JOIN entities b ON a.merged_into_id = b.id"
    assert rows(loop, merged) == [("ada@example.com", "bo@example.com")]
    assert len(rows(loop, "SELECT * FROM same_entities")) == 2


def test_an_erasure_that_only_today_s_code_reads_is_asked_for(loop: Loop) -> None:
    with another_code(read_as("deleted")):
        post(loop, about_bo("erased"))
    assert rows(loop, "SELECT * FROM erasures") == []
    replayed(loop)
    assert len(rows(loop, "SELECT * FROM erasures")) == 1


def test_a_deletion_that_only_today_s_code_reads_takes_the_record_away(loop: Loop) -> None:
    with another_code(read_as("changed")):
        post(loop, about_bo("deleted"))
    replayed(loop)
    assert rows(loop, "SELECT deleted_at IS NOT NULL FROM entities") == [(True,)]


def test_what_was_taken_for_a_deletion_is_none_any_more(loop: Loop, clock: FakeClock) -> None:
    post(loop, generic("bo@example.com", key="one", **HOT))
    worker.sweep_inbox(loop)
    clock.move(minutes=2)
    with another_code(lambda event: read_as("deleted")(event) if event.dedupe_key == "two" else event):
        post(loop, generic("bo@example.com", key="two", at=NOON + timedelta(minutes=1), **{**HOT, "sessions": 9}))
    post(loop, generic("bo@example.com", key="three", at=NOON + timedelta(seconds=30), company_size=7))
    replayed(loop)
    worker.sweep_payloads(loop)
    worker.sweep_inbox(loop)
    assert rows(loop, "SELECT deleted_at FROM entities") == [(None,)]
    assert len(rows(loop, "SELECT id FROM predictions")) == 2
    assert rows(loop, "SELECT value FROM facts WHERE name = 'company_size'") == [("7",)]


def test_what_is_corrected_of_a_record_that_was_deleted_later_was_so_until_then(loop: Loop, clock: FakeClock) -> None:
    def sessions() -> Any:
        with loop.database.read() as session:
            known = knowledge.recall_all(session, loop.inputs())
        examples = pl.DataFrame([(1, NOON + timedelta(hours=1))], schema=EXAMPLES, orient="row")
        return build("lead_score", examples, known, wanted=("sessions",)).item()

    with another_code(lambda event: event.model_copy(update={"properties": {**HOT, "sessions": 1}})):
        post(loop, generic("bo@example.com", key="one", **{**HOT, "sessions": 5}))
    clock.move(hours=2)
    post(loop, {**about_bo("deleted"), "occurred_at": (NOON + timedelta(hours=2)).isoformat()})
    assert sessions() == "1"
    replayed(loop)
    assert sessions() == "5"
