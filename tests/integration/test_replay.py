"""Stored payloads through today's code: what it reads otherwise is corrected in the rows that are there."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import text

from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.replay import Difference, count, replay
from automation.retention import prune
from automation.sources.base import Parsed, Reject
from automation.sources.registry import SOURCES
from data.domain.event import Driver, Event
from scripts.replaying import replay_events
from tests.conftest import LoopFactory
from tests.support import COLD, HOT, NOON, FakeClock, generic

Parser = Callable[..., Parsed]
TABLES = ("payloads", "events", "facts", "predictions", "outcomes", "dead_letters", "deliveries")


def rows(loop: Loop, query: str) -> list[tuple[Any, ...]]:
    with loop.database.read() as session:
        return [tuple(row) for row in session.execute(text(query))]


def everything(loop: Loop) -> dict[str, list[str]]:
    return {table: sorted(str(row) for row in rows(loop, f"SELECT * FROM {table}")) for table in TABLES}


def post(loop: Loop, *items: dict[str, Any]) -> None:
    collect(loop, "generic", json.dumps(items).encode(), Driver.WORKER)


def replayed(loop: Loop, *, dry_run: bool = False, **wanted: Any) -> Difference:
    found = Difference()
    for one in replay(loop, wanted.get("since"), wanted.get("until"), wanted.get("source"), dry_run=dry_run):
        found.add(one)
    return found


@contextmanager
def another_code(change: Callable[[Event], Event | None]) -> Iterator[None]:
    """The parser of generic events as it was, or will be: each event is changed, or set aside where the change is None."""
    now: Parser = SOURCES["generic"]

    def parse(body: bytes, **options: Any) -> Parsed:
        parsed = now(body, **options)
        found = [(place, change(event)) for place, event in parsed.events]
        rejects = [Reject(place, "validate", "an older parser did not know it", b"{}") for place, event in found if event is None]
        return Parsed([(place, event) for place, event in found if event is not None], parsed.rejects + rejects)

    SOURCES["generic"] = parse
    try:
        yield
    finally:
        SOURCES["generic"] = now


def without_channel(event: Event) -> Event:
    return event.model_copy(update={"properties": {name: value for name, value in event.properties.items() if name != "channel"}})


def cold(event: Event) -> Event:
    return event.model_copy(update={"properties": {**event.properties, **COLD}})


def test_the_same_code_changes_nothing(loop: Loop) -> None:
    post(loop, generic("ada@example.com", **HOT), generic("bo@example.com", **COLD), {"id": "broken"})
    worker.sweep_inbox(loop)
    before = everything(loop)
    found = replayed(loop)
    assert (found.payloads, found.same, found.changed, found.new, found.gone, found.letters) == (1, 2, [], [], [], 0)
    assert everything(loop) == before


def test_what_an_older_parser_misread_is_corrected_in_its_row_and_scored_again(loop: Loop, clock: FakeClock) -> None:
    with another_code(cold):
        post(loop, generic("ada@example.com", key="one", **HOT))
    worker.sweep_inbox(loop)
    ((_, first),) = rows(loop, "SELECT event_id, score FROM predictions")
    ((known_at,),) = rows(loop, "SELECT DISTINCT known_at FROM facts WHERE name = 'channel'")
    clock.move(days=1)
    would = replayed(loop, dry_run=True)
    before = everything(loop)
    found = replayed(loop)
    assert before != everything(loop)
    assert [one.fields for one in would.changed] == [one.fields for one in found.changed]
    ((read, meant),) = [one.fields["properties"] for one in found.changed]
    assert (read["channel"], meant["channel"]) == (COLD["channel"], HOT["channel"])
    assert rows(loop, "SELECT id, dedupe_key FROM events WHERE type = 'contact.changed'") == [(1, "one")], "the same row"
    assert rows(loop, "SELECT value, known_at FROM facts WHERE name = 'channel'") == [(HOT["channel"], known_at)]
    worker.sweep_payloads(loop)
    worker.sweep_inbox(loop)
    scores = [score for (score,) in rows(loop, "SELECT score FROM predictions ORDER BY id")]
    assert (len(scores), scores[0]) == (2, first), "what was said then stays"
    assert scores[1] > 0.5 > scores[0]
    assert replayed(loop).changed == []


def test_a_dry_run_changes_nothing(loop: Loop) -> None:
    with another_code(cold):
        post(loop, generic("ada@example.com", **HOT))
    worker.sweep_inbox(loop)
    before = everything(loop)
    assert len(replayed(loop, dry_run=True).changed) == 1
    assert everything(loop) == before


def test_what_an_older_parser_set_aside_comes_in_and_its_letter_is_closed(loop: Loop) -> None:
    with another_code(lambda event: None if event.dedupe_key == "two" else event):
        post(loop, generic("ada@example.com", key="one", **HOT), generic("bo@example.com", key="two", **HOT))
    assert rows(loop, "SELECT state FROM dead_letters") == [("open",)]
    found = replayed(loop)
    assert (found.new, found.same, found.letters) == (["contact.changed contact bo@example.com"], 1, 1)
    assert rows(loop, "SELECT state FROM dead_letters") == [("replayed",)]
    worker.sweep_inbox(loop)
    assert rows(loop, "SELECT count(*) FROM predictions") == [(2,)]


def test_an_event_whose_record_was_misread_moves_with_its_facts(loop: Loop) -> None:
    def elsewhere(event: Event) -> Event:
        return event.model_copy(update={"entity": event.entity.model_copy(update={"id": "wrong@example.com"})})

    with another_code(elsewhere):
        post(loop, generic("ada@example.com", **HOT))
    found = replayed(loop)
    assert found.changed[0].fields.keys() == {"entity"}
    query = "SELECT DISTINCT vendor_id FROM facts JOIN entities ON entities.id = facts.entity_id WHERE name = 'channel'"
    assert rows(loop, query) == [("ada@example.com",)]


@pytest.mark.parametrize(("misread", "meant"), [("won", "open"), ("won", "lost"), ("open", "won")])
def test_an_end_that_was_misread_is_taken_back_or_corrected(loop: Loop, misread: str, meant: str) -> None:
    def otherwise(event: Event) -> Event:
        return event.model_copy(update={"properties": {**event.properties, "status": misread}})

    def deal(number: str, **more: Any) -> dict[str, Any]:
        return {**generic(number, status=meant), "type": "deal.changed", "entity": {"kind": "deal", "id": number}, **more}

    with another_code(otherwise):
        post(loop, deal("5"))
    post(loop, deal("6", properties={"status": "won"}))
    query = "SELECT vendor_id, result FROM outcomes JOIN entities ON entities.id = entity_id ORDER BY vendor_id"
    others = [("6", "won")]
    assert rows(loop, query) == [row for row in [("5", misread)] if misread != "open"] + others
    replayed(loop, dry_run=True)
    assert rows(loop, query) == [row for row in [("5", misread)] if misread != "open"] + others
    replayed(loop)
    assert rows(loop, query) == [row for row in [("5", meant)] if meant != "open"] + others


def test_an_end_that_was_another_deal_s_goes_over_to_it(loop: Loop) -> None:
    def elsewhere(event: Event) -> Event:
        return event.model_copy(update={"entity": event.entity.model_copy(update={"id": "wrong"})})

    with another_code(elsewhere):
        post(loop, {**generic(status="won"), "type": "deal.changed", "entity": {"kind": "deal", "id": "5"}})
    replayed(loop)
    assert rows(loop, "SELECT vendor_id, result FROM outcomes JOIN entities ON entities.id = entity_id") == [("5", "won")]


def test_what_is_found_no_more_stays_and_is_told(loop: Loop) -> None:
    post(loop, generic("ada@example.com", **HOT))
    with another_code(lambda _event: None):
        found = replayed(loop)
    assert found.gone == [1]
    assert rows(loop, "SELECT count(*) FROM events") == [(1,)]


def test_only_the_range_and_the_source_are_replayed(loop: Loop, clock: FakeClock) -> None:
    with another_code(without_channel):
        for _ in range(3):
            post(loop, generic(**HOT))
            clock.move(hours=1)
    hour = timedelta(hours=1)
    assert count(loop, NOON + hour, NOON + 2 * hour, None) == 1
    assert [one.event_id for one in replayed(loop, since=NOON + hour, until=NOON + 2 * hour).changed] == [2]
    assert replayed(loop, source="hubspot").payloads == 0
    assert [one.event_id for one in replayed(loop, source="generic").changed] == [1, 3]


def test_bytes_that_were_let_go_of_are_told_and_left_out(loop: Loop) -> None:
    post(loop, generic(**HOT))
    with loop.database.write() as session:
        session.execute(text("UPDATE payloads SET state = 'pruned'"))
    found = replayed(loop)
    assert (found.payloads, found.unreadable, found.gone) == (1, 1, [])


def test_a_repeat_in_another_payload_is_corrected_once(loop: Loop) -> None:
    with another_code(without_channel):
        post(loop, generic(key="one", **HOT))
        post(loop, generic(key="one", **HOT))
    found = replayed(loop)
    assert (found.payloads, len(found.changed), found.same) == (2, 1, 0)


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_command_says_what_is_different(loop: Loop, dry_run: bool) -> None:
    with another_code(without_channel):
        post(loop, generic("ada@example.com", **HOT))
    console = Console(record=True, width=200, file=io.StringIO())
    replay_events(loop.settings, None, None, "generic", console, dry_run=dry_run)
    said = console.export_text()
    assert "is read otherwise: event 1 (contact.changed): properties" in said
    assert ("1 would be corrected" if dry_run else "1 were corrected") in said
    assert rows(loop, "SELECT count(*) FROM audit") == [(0 if dry_run else 1,)]


KEPT_DAYS = 30


@pytest.fixture
def forgetful(make_loop: LoopFactory) -> Loop:
    """A loop that keeps bytes for longer than the events that came of them."""
    return make_loop(retain_events_days=KEPT_DAYS, retain_payloads_days=0, retain_predictions_days=KEPT_DAYS)


def tell_twice(loop: Loop, clock: FakeClock) -> None:
    """What is told of Ada is told anew, so that the first event becomes history and is let go of."""
    post(loop, generic("ada@example.com", **COLD), generic("bo@example.com", **COLD), {"id": "broken"})
    clock.move(hours=1)
    post(loop, generic("ada@example.com", at=clock.now(), **HOT))
    worker.sweep_inbox(loop)
    clock.move(days=KEPT_DAYS + 1)
    assert prune(loop)["events"] == 1


def test_events_that_were_let_go_of_are_not_brought_back(forgetful: Loop, clock: FakeClock) -> None:
    tell_twice(forgetful, clock)
    before = everything(forgetful)
    found = replayed(forgetful)
    assert (found.same, found.new, found.old) == (2, [], 2)
    assert everything(forgetful) == before
    said = io.StringIO()
    replay_events(forgetful.settings, None, None, None, Console(file=said, width=200), dry_run=True)
    assert "2 payloads are older than LEADLOOP_RETAIN_EVENTS_DAYS" in said.getvalue()


def test_of_an_old_payload_what_is_there_is_corrected_and_what_was_set_aside_comes_in(forgetful: Loop, clock: FakeClock) -> None:
    with another_code(lambda event: None if event.entity.id == "cy@example.com" else without_channel(event)):
        post(forgetful, generic("cy@example.com", **HOT))
        tell_twice(forgetful, clock)
    found = replayed(forgetful)
    assert (len(found.changed), found.new, found.letters) == (2, ["contact.changed contact cy@example.com"], 1)


def test_what_is_younger_than_any_event_that_was_let_go_of_comes_in(forgetful: Loop, clock: FakeClock) -> None:
    with another_code(lambda event: None):
        post(forgetful, generic("ada@example.com", **HOT))
    with forgetful.database.write() as session:
        session.execute(text("DELETE FROM dead_letters"))
    clock.move(days=KEPT_DAYS - 1)
    assert len(replayed(forgetful).new) == 1
