"""What has been kept for long enough goes, and nothing else."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from automation import dead_letters, endings, retention
from automation.destinations.slack import SLACK
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.retention import STEPS, prune
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.event import Driver, EventState
from data.warehouse.facts import FactRow
from tests.ada import rows
from tests.conftest import LoopFactory
from tests.facts import DAY, DAYS, moment_of
from tests.kept import (
    EVERYTHING,
    FOR_EVER,
    KEPT_DAYS,
    MAY_GO,
    NEVER_GOES,
    SETTINGS,
    a_delivery,
    a_payload,
    all_that_may_go,
    an_event,
    an_event_with_an_open_letter,
    keys,
)
from tests.shelf import Shelf, stored
from tests.support import COLD, HOT, NOON, FakeClock, generic

pytestmark = pytest.mark.slow

A_CENTURY = 36_500
MakeBare = Callable[..., Loop]


@pytest.fixture
def make_bare(make_loop: LoopFactory) -> MakeBare:
    """A loop without a model, with all kept for ever but what is said."""
    return lambda **settings: make_loop(model=False, **{**FOR_EVER, **settings})


def pruned(loop: Loop) -> dict[str, int]:
    """The steps in which something went."""
    return {step: count for step, count in prune(loop).items() if count}


def test_every_step_and_every_setting_is_tried_here() -> None:
    assert {setting for setting, _, _ in MAY_GO.values()} == set(SETTINGS)
    assert {step for _, step, _ in MAY_GO.values()} == {step.name for step in STEPS}


@pytest.mark.parametrize("what", MAY_GO)
def test_what_is_older_than_its_days_goes_and_what_is_younger_stays(make_bare: MakeBare, clock: FakeClock, what: str) -> None:
    setting, step, make = MAY_GO[what]
    loop = make_bare(**{setting: KEPT_DAYS})
    (goes,) = stored(loop, make)
    before = keys(loop.database)
    clock.move(days=KEPT_DAYS, seconds=-1)
    assert pruned(loop) == {}
    assert keys(loop.database) == before
    clock.move(seconds=2)
    assert pruned(loop) == {step: 1}
    assert before - keys(loop.database) == goes
    assert pruned(loop) == {}, "once"


@pytest.mark.parametrize("what", NEVER_GOES)
def test_what_is_open_or_still_needed_never_goes(make_bare: MakeBare, clock: FakeClock, what: str) -> None:
    loop = make_bare(**EVERYTHING)
    stored(loop, NEVER_GOES[what])
    before = rows(loop.database)
    clock.move(days=A_CENTURY)
    assert pruned(loop) == {}
    assert rows(loop.database) == before


def test_nought_is_for_ever(make_bare: MakeBare, clock: FakeClock) -> None:
    loop = make_bare()
    stored(loop, *all_that_may_go())
    before = rows(loop.database)
    clock.move(days=A_CENTURY)
    assert prune(loop) == {}
    assert rows(loop.database) == before


def test_all_goes_a_few_rows_at_a_time(make_bare: MakeBare, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    loop = make_bare(**EVERYTHING)
    stored(loop, *(a_payload, a_delivery(), an_event(EventState.DONE)) * 5)
    clock.move(days=KEPT_DAYS, seconds=1)
    gone = pruned(loop)
    assert (gone["payloads"], gone["deliveries"], gone["predictions"]) == (5, 5, 5)
    assert gone["events"] == 10, "with those of the deliveries"


def test_what_was_given_up_goes_once_nobody_is_to_see_to_it(make_bare: MakeBare, clock: FakeClock) -> None:
    loop = make_bare(retain_dead_letters_days=90, retain_predictions_days=60, retain_events_days=KEPT_DAYS)
    stored(loop, an_event_with_an_open_letter)
    clock.move(days=1_000)
    assert pruned(loop) == {}
    dead_letters.discard(loop, the_letter(loop))
    assert pruned(loop) == {"predictions": 1}
    clock.move(days=89)
    assert pruned(loop) == {}, "the letter is there to be seen, and the event with it"
    clock.move(days=2)
    assert pruned(loop) == {"dead_letters": 1, "events": 1}
    assert {table for table, _ in keys(loop.database)} == {"entities"}


def the_letter(loop: Loop) -> int:
    (letter,) = rows(loop.database)["dead_letters"]
    return int(letter["id"])


def test_what_is_left_of_a_payload_goes_with_the_last_that_names_it(make_bare: MakeBare, clock: FakeClock) -> None:
    loop = make_bare(retain_payloads_days=KEPT_DAYS, retain_dead_letters_days=KEPT_DAYS)
    collect(loop, "generic", b"no JSON", Driver.WORKER)
    clock.move(days=KEPT_DAYS - 1)
    dead_letters.discard(loop, the_letter(loop))
    clock.move(days=2)
    assert pruned(loop) == {"payloads": 1}
    assert [row["body"] for row in rows(loop.database)["payloads"]] == [b""]
    clock.move(days=KEPT_DAYS)
    assert pruned(loop) == {"dead_letters": 1}
    assert rows(loop.database)["payloads"] == []


@pytest.mark.parametrize("seed", range(3))
def test_everything_is_known_at_every_moment_since_as_it_was(make_bare: MakeBare, clock: FakeClock, seed: int) -> None:
    """Whatever comes in whatever order and by whatever way: the newest of each, with our own writes and without."""
    loop = make_bare(retain_events_days=KEPT_DAYS)
    told = a_story(loop, Random(seed))
    clock.move(days=DAYS)
    assert pruned(loop).keys() == {"events", "look_ups"}
    left = {row["id"] for row in rows(loop.database)["facts"]}
    assert len(left) < len(told) / 2
    kept = [fact for fact in told if fact.id in left]
    for days in range(DAYS - KEPT_DAYS, DAYS + 60, 10):
        assert known(kept, days) == known(told, days)


def a_story(loop: Loop, random: Random) -> list[FactRow]:
    """Some of it told by events, some by look-ups or a CRM's past; some of it late, and some written by ourselves."""
    told = []
    with loop.database.write() as session:
        shelf = Shelf(session, NOON)
        contacts = [shelf.entity(), shelf.entity()]
        for value, moment in enumerate(random.sample(range(64 * DAYS), 300)):
            entity, name = random.choice(contacts), random.choice(["sessions", "channel"])
            origin = random.choice(["event", "event", "lookup", "backfill"])
            occurred, delay = moment / 64, random.choice([0, 0, moment_of(random, 40)])
            fact = FactRow(
                entity_id=entity, name=name, value=str(value), occurred_at=NOON + occurred * DAY, origin=origin,
                known_at=NOON + (occurred + delay) * DAY, by_us=random.random() < 0.2,
                event_id=shelf.event(entity) if origin == "event" else None,
            )  # fmt: skip
            shelf.put(fact)
            told.append(fact)
        session.expunge_all()
    return told


def known(told: list[FactRow], days: float) -> dict[tuple[Any, ...], str | None]:
    """What each way has told last of each property, visible by a day."""
    at = NOON + days * DAY
    seen = sorted((fact for fact in told if max(fact.occurred_at, fact.known_at) <= at), key=rank)
    return {
        (fact.entity_id, fact.name, fact.origin, ours): fact.value
        for ours in (True, False)
        for fact in seen
        if ours or not fact.by_us
    }


def rank(fact: FactRow) -> Any:
    return fact.occurred_at, fact.known_at, fact.id


def test_a_message_is_still_written_anew_as_a_whole(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    clock.follow_the_machine()  # messages are looked for by when they were posted
    loop = make_loop(addresses, **EVERYTHING, alert_quiet_days=1)
    people = ("ada", "bo", "cy", "di")

    def tell(*items: dict[str, Any]) -> None:
        collect(loop, "generic", json.dumps(items).encode(), Driver.WORKER)
        worker.sweep_inbox(loop)
        endings.sweep(loop)
        worker.sweep_outbox(loop, SLACK)

    def now(who: str, **properties: Any) -> dict[str, Any]:
        clock.move(seconds=1)
        return generic(who, at=clock.now(), name=who.title(), **properties)

    tell(*(now(who, **HOT) for who in people))
    (digest,) = sandbox.messages()
    clock.move(days=KEPT_DAYS + 1)
    tell(now("ada", **COLD))
    tell(now("ada", **HOT))
    assert len(sandbox.messages()) == 2, "Ada again"
    clock.move(days=1)
    prune(loop)
    won = {"id": "won", "type": "deal.changed", "entity": {"kind": "deal", "id": "1"}, "properties": {"status": "won"}}
    tell({**won, "occurred_at": clock.now().isoformat(), "properties": {"status": "won", "contact_id": "bo"}})
    said = json.dumps(next(message for message in sandbox.messages() if message["ts"] == digest["ts"])["blocks"])
    assert "Won" in said
    assert [who for who in people if who.title() not in said] == []
