"""What has been kept for long enough goes, and nothing else; once a day, in one of all processes."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from sqlmodel import Session, SQLModel

from automation import audit, dead_letters, endings, retention
from automation.destinations.slack import SLACK
from automation.jobs import privacy, worker
from automation.jobs.schedule import Job, jobs
from automation.jobs.scheduler import _guarded
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.retention import STEPS, prune
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.db import Database
from data.domain.audit import Result
from data.domain.delivery import DeliveryKind, DeliveryState
from data.domain.event import Driver, EventState
from data.domain.stage import Stage
from data.errors import NotReady
from data.settings import Settings
from data.warehouse.dead_letters import DeadLetter, DeadLetterState
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow
from data.warehouse.payloads import Payload, PayloadState
from data.warehouse.predictions import PredictionRow
from scripts import cli
from tests.ada import rows
from tests.conftest import LoopFactory
from tests.facts import DAY, DAYS, moment_of
from tests.support import COLD, HOT, NOON, FakeClock, generic

pytestmark = pytest.mark.slow

SETTINGS = [name for name in Settings.model_fields if name.startswith("retain_")]
FOR_EVER: dict[str, Any] = dict.fromkeys(SETTINGS, 0)
KEPT_DAYS = 30
EVERYTHING: dict[str, Any] = dict.fromkeys(SETTINGS, KEPT_DAYS)
A_CENTURY = 36_500
Gone = set[tuple[str, Any]]  # table, id
Row = TypeVar("Row", bound=SQLModel)
MakeBare = Callable[..., Loop]


@dataclass
class Shelf:
    """Puts rows into the tables, in one transaction and as of one moment."""

    session: Session
    now: datetime
    count: int = 0

    def put(self, row: SQLModel) -> Any:
        self.session.add(row)
        self.session.flush()
        return row.id  # type: ignore[attr-defined]

    def entity(self, kind: str = "contact") -> int:
        return int(self.put(EntityRow(source="generic", kind=kind, vendor_id=self._name(), created_at=self.now)))

    def payload(self, state: str = PayloadState.PARSED) -> int:
        body = b"" if state == PayloadState.PRUNED else b"[]"
        return int(self.put(Payload(source="generic", driver="worker", body=body, received_at=self.now, state=state)))

    def event(self, entity: int | None = None, state: str = EventState.DONE, **facts: str) -> int:
        """An event with its facts; of its payload the bytes went before."""
        entity = entity or self.entity()
        event = self.put(
            EventRow(
                source="generic", dedupe_key=self._name(), type="contact.changed", entity_id=entity, next_attempt_at=self.now,
                payload_id=self.payload(PayloadState.PRUNED), occurred_at=self.now, received_at=self.now, state=state,
            )
        )  # fmt: skip
        for name, value in facts.items():
            self.fact(entity, name, value, event)
        return int(event)

    def fact(self, entity: int, name: str, value: str | None, event: int | None = None, **more: Any) -> int:
        self.count += 1
        at = self.now + timedelta(microseconds=self.count)  # one after the other
        origin = "lookup" if event is None else "event"
        told = FactRow(
            entity_id=entity, event_id=event, name=name, value=value, occurred_at=at, known_at=at, origin=origin, **more
        )  # fmt: skip
        return int(self.put(told))

    def prediction(self, entity: int, event: int | None = None, **more: Any) -> int:
        event = event or self.event(entity)
        said = PredictionRow(
            event_id=event, entity_id=entity, model="lead_score", model_version="1", score=0.5, label="high", grade="B",
            threshold=0.5, base_value=0.0, occurred_at=self.now, created_at=self.now, **more,
        )  # fmt: skip
        return int(self.put(said))

    def delivery(self, entity: int, state: str = DeliveryState.CONFIRMED, kind: str = DeliveryKind.WRITE_BACK, **more: Any) -> str:
        """A delivery with an event and a prediction of its own, or of another one's."""
        prediction = more.pop("prediction_id", None) or self.prediction(entity)
        event = self.the(PredictionRow, prediction).event_id
        row = DeliveryRow(
            id=self._name(), prediction_id=prediction, event_id=event, entity_id=entity, destination="slack", kind=kind,
            occurred_at=self.now, state=state, carrier="worker", next_attempt_at=self.now, created_at=self.now, **more,
        )  # fmt: skip
        return str(self.put(row))

    def letter(self, state: str = DeadLetterState.OPEN, **more: Any) -> int:
        over = None if state == DeadLetterState.OPEN else self.now
        letter = DeadLetter(
            source="generic", stage=Stage.PARSE, reason="gone", state=state, created_at=self.now, replayed_at=over, **more
        )
        return int(self.put(letter))

    def the(self, table: type[Row], number: Any) -> Row:
        return self.session.get_one(table, number)

    def _name(self) -> str:
        self.count += 1
        return f"number {self.count}"


def stored(loop: Loop, *makers: Callable[[Shelf], Any]) -> list[Any]:
    """Puts all of this into the tables; what each of them tells."""
    with loop.database.write() as session:
        shelf = Shelf(session, loop.clock.now())
        return [make(shelf) for make in makers]


def a_payload(shelf: Shelf) -> Gone:
    return {("payloads", shelf.payload())}


def a_letter(state: DeadLetterState) -> Callable[[Shelf], Gone]:
    return lambda shelf: {("dead_letters", shelf.letter(state))}


def a_delivery(**more: Any) -> Callable[[Shelf], Gone]:
    """A settled one, and a later one of the same record."""

    def made(shelf: Shelf) -> Gone:
        entity = shelf.entity()
        first = shelf.delivery(entity, **more)
        shelf.delivery(entity, kind=more.get("kind", DeliveryKind.WRITE_BACK))
        return {("deliveries", first)}

    return made


def a_delivery_that_was_given_up_on(shelf: Shelf) -> Gone:
    (gone,) = a_delivery(state=DeliveryState.DEAD)(shelf)
    shelf.letter(DeadLetterState.DISCARDED, delivery_id=gone[1])
    return {gone}


def a_prediction(shelf: Shelf) -> Gone:
    entity = shelf.entity()
    first = shelf.prediction(entity)
    shelf.prediction(entity)
    return {("predictions", first)}


def a_shadow(state: EventState) -> Callable[[Shelf], Gone]:
    def made(shelf: Shelf) -> Gone:
        entity = shelf.entity()
        return {("predictions", shelf.prediction(entity, shelf.event(entity, state), shadow=True))}

    return made


def an_event(state: EventState) -> Callable[[Shelf], Gone]:
    """One whose facts are history: it goes with them and with what was left of its payload."""

    def made(shelf: Shelf) -> Gone:
        entity = shelf.entity()
        event = shelf.event(entity, state)
        facts = [shelf.fact(entity, name, "1", event) for name in ("sessions", "page_views")]
        shelf.event(entity, sessions="2", page_views="2")
        return {*an_event_alone(shelf, event), *(("facts", number) for number in facts)}

    return made


def an_event_alone(shelf: Shelf, event: int | None = None) -> Gone:
    number = event or shelf.event()
    return {("events", number), ("payloads", shelf.the(EventRow, number).payload_id)}


def a_look_up(shelf: Shelf) -> Gone:
    entity = shelf.entity()
    first = shelf.fact(entity, "size", "10")
    shelf.fact(entity, "size", "20")
    return {("facts", first)}


# What may go in time: by which setting, in which step, and what makes such a thing and tells what goes.
MAY_GO: dict[str, tuple[str, str, Callable[[Shelf], Gone]]] = {
    "a payload": ("retain_payloads_days", "payloads", a_payload),
    "a replayed letter": ("retain_dead_letters_days", "dead_letters", a_letter(DeadLetterState.REPLAYED)),
    "a discarded letter": ("retain_dead_letters_days", "dead_letters", a_letter(DeadLetterState.DISCARDED)),
    "a write-back": ("retain_deliveries_days", "deliveries", a_delivery()),
    "an alert": ("retain_deliveries_days", "deliveries", a_delivery(kind=DeliveryKind.ALERT, receipt="1.0")),
    "an alert that never went out": (
        "retain_deliveries_days", "deliveries", a_delivery(kind=DeliveryKind.ALERT, state=DeliveryState.SUPERSEDED),
    ),
    "a superseded write-back": ("retain_deliveries_days", "deliveries", a_delivery(state=DeliveryState.SUPERSEDED)),
    "a delivery that was given up on": ("retain_deliveries_days", "deliveries", a_delivery_that_was_given_up_on),
    "a prediction": ("retain_predictions_days", "predictions", a_prediction),
    "a prediction in the shadow": ("retain_predictions_days", "predictions", a_shadow(EventState.DONE)),
    "a shadow of what was given up": ("retain_predictions_days", "predictions", a_shadow(EventState.DEAD)),
    "an event": ("retain_events_days", "events", an_event(EventState.DONE)),
    "an event that was given up": ("retain_events_days", "events", an_event(EventState.DEAD)),
    "an event that told nothing": ("retain_events_days", "events", an_event_alone),
    "a look-up": ("retain_events_days", "look_ups", a_look_up),
}  # fmt: skip


def a_payload_with_an_open_letter(shelf: Shelf) -> None:
    shelf.letter(payload_id=shelf.payload())


def an_event_with_an_open_letter(shelf: Shelf) -> None:
    entity = shelf.entity()
    event = shelf.event(entity, EventState.DEAD)
    shelf.prediction(entity, event, shadow=True)
    shelf.letter(event_id=event)


def an_event_that_waits(shelf: Shelf) -> None:
    entity = shelf.entity()
    shelf.prediction(entity, shelf.event(entity, EventState.NEW), shadow=True)


def a_delivery_that_is_out(state: DeliveryState) -> Callable[[Shelf], None]:
    """However many later ones there are."""

    def made(shelf: Shelf) -> None:
        entity = shelf.entity()
        shelf.delivery(entity, state)
        shelf.delivery(entity)

    return made


def a_delivery_with_an_open_letter(shelf: Shelf) -> None:
    entity = shelf.entity()
    shelf.letter(delivery_id=shelf.delivery(entity, DeliveryState.DEAD))
    shelf.delivery(entity)


def the_last_delivery(shelf: Shelf) -> None:
    for state in (DeliveryState.CONFIRMED, DeliveryState.SUPERSEDED, DeliveryState.DEAD):
        shelf.delivery(shelf.entity(), state)


def the_last_alert(shelf: Shelf) -> None:
    """Later ones never went out."""
    entity = shelf.entity()
    shelf.delivery(entity, kind=DeliveryKind.ALERT)
    shelf.delivery(entity, DeliveryState.SUPERSEDED, DeliveryKind.ALERT)


def an_alert_whose_ending_waits(shelf: Shelf) -> None:
    entity = shelf.entity()
    alert = shelf.delivery(entity, kind=DeliveryKind.ALERT, receipt="1.0")
    shelf.delivery(entity, DeliveryState.PENDING, DeliveryKind.ENDING, prediction_id=shelf.the(DeliveryRow, alert).prediction_id)
    shelf.delivery(entity, kind=DeliveryKind.ALERT, receipt="2.0")


def an_alert_beside_the_last_one_of_another(shelf: Shelf) -> None:
    """In one message, with how it ended."""
    ada, bo = shelf.entity(), shelf.entity()
    alert = shelf.delivery(ada, kind=DeliveryKind.ALERT, receipt="1.0")
    shelf.delivery(bo, kind=DeliveryKind.ALERT, receipt="1.0")
    shelf.delivery(ada, kind=DeliveryKind.ENDING, receipt="1.0", prediction_id=shelf.the(DeliveryRow, alert).prediction_id)
    again = shelf.delivery(ada, kind=DeliveryKind.ALERT, receipt="2.0")
    shelf.delivery(ada, kind=DeliveryKind.ENDING, receipt="2.0", prediction_id=shelf.the(DeliveryRow, again).prediction_id)


def what_is_known(shelf: Shelf) -> None:
    """Also beside what another way has told since."""
    entity = shelf.entity()
    shelf.event(entity, sessions="1")
    shelf.fact(entity, "sessions", "2")


def what_is_known_in_part(shelf: Shelf) -> None:
    """An event stays whole."""
    entity = shelf.entity()
    shelf.event(entity, sessions="1", channel="email")
    shelf.event(entity, sessions="2")


def how_a_deal_ended(shelf: Shelf) -> None:
    """It was won once, and opened again."""
    deal = shelf.entity("deal")
    shelf.event(deal, dealstage="closedwon")
    shelf.event(deal, dealstage="demo")
    shelf.fact(deal, "status", "won")
    shelf.fact(deal, "status", "open")


def whom_a_deal_named(shelf: Shelf) -> None:
    contact, deal = shelf.entity(), shelf.entity("deal")
    shelf.fact(deal, f"link:contact:{contact}", "true", shelf.event(deal), target_id=contact)
    shelf.fact(deal, f"link:contact:{contact}", None, shelf.event(deal))


NEVER_GOES: dict[str, Callable[[Shelf], object]] = {
    "a payload that is being parsed": lambda shelf: shelf.payload(PayloadState.RECEIVED),
    "a payload that was put off": lambda shelf: shelf.payload(PayloadState.DEFERRED),
    "a payload with an open letter": a_payload_with_an_open_letter,
    "an open letter": lambda shelf: shelf.letter(),
    "an event that waits": an_event_that_waits,
    "an event with an open letter": an_event_with_an_open_letter,
    "a delivery that waits": a_delivery_that_is_out(DeliveryState.PENDING),
    "a delivery under lease": a_delivery_that_is_out(DeliveryState.LEASED),
    "a delivery with an open letter": a_delivery_with_an_open_letter,
    "the last delivery of a record": the_last_delivery,
    "the last alert of a record": the_last_alert,
    "an alert whose ending waits": an_alert_whose_ending_waits,
    "an alert beside the last one of another": an_alert_beside_the_last_one_of_another,
    "the last prediction of a record": lambda shelf: shelf.prediction(shelf.entity()),
    "what is known": what_is_known,
    "what is known in part": what_is_known_in_part,
    "what a look-up told last": lambda shelf: shelf.fact(shelf.entity(), "size", "10"),
    "how a deal ended": how_a_deal_ended,
    "whom a deal named": whom_a_deal_named,
}


@pytest.fixture
def make_bare(make_loop: LoopFactory) -> MakeBare:
    """A loop without a model, with all kept for ever but what is said."""
    return lambda **settings: make_loop(model=False, **{**FOR_EVER, **settings})


def keys(database: Database) -> Gone:
    return {(table, row["id"]) for table, found in rows(database).items() for row in found if "id" in row}


def all_that_may_go() -> list[Callable[[Shelf], Gone]]:
    return [make for _, _, make in MAY_GO.values()]


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


Command = Callable[..., str]


@pytest.fixture
def leadloop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], make_bare: MakeBare, database: Database, tmp_path: Path
) -> Command:
    """Runs a command in this process, on the test's database and clock; what it says."""
    loop = make_bare()
    monkeypatch.setattr("automation.loop.build_loop", lambda settings: replace(loop, settings=settings))

    def run(*arguments: str, status: int = 0) -> str:
        settings = {name: str(KEPT_DAYS) for name in SETTINGS}
        for name, value in {**settings, "database_url": database.url, "var_dir": str(tmp_path)}.items():
            monkeypatch.setenv(f"LEADLOOP_{name.upper()}", value)
        monkeypatch.setenv("COLUMNS", "300")
        monkeypatch.setattr(sys, "argv", ["leadloop", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        assert ended.value.code == status, told.err
        return told.out + told.err

    return run


def counts(said: str, title: str) -> dict[str, int]:
    """`Gone: events 3, payloads 1.`"""
    told = said.split(f"{title}: ")[1].partition(".")[0]
    return {name: int(count) for name, count in (each.split() for each in told.split(", "))}


def test_the_command_says_what_would_go_and_removes_nothing(make_bare: MakeBare, clock: FakeClock, leadloop: Command) -> None:
    loop = make_bare(**EVERYTHING)
    stored(loop, *all_that_may_go())
    before = rows(loop.database)
    clock.move(days=KEPT_DAYS, seconds=1)
    said = counts(leadloop("prune", "--dry-run"), "Would go")
    assert said.keys() == {step.name for step in STEPS}
    assert rows(loop.database) == before


def test_the_command_leaves_who_did_it_in_the_trail(make_bare: MakeBare, clock: FakeClock, leadloop: Command) -> None:
    loop = make_bare(**EVERYTHING)
    goes = set[tuple[str, Any]]().union(*stored(loop, *all_that_may_go()))
    before = keys(loop.database)
    clock.move(days=KEPT_DAYS, seconds=1)
    said = counts(leadloop("prune"), "Gone")
    assert goes <= before - keys(loop.database)
    (row,) = audit.listed(loop.database)
    assert (row.actor, row.action, row.target, row.result) == (audit.command_line_actor(), "prune", "retention", Result.DONE)
    assert {step: count for step, count in row.details.items() if count} == said


def test_the_command_says_so_while_another_process_lets_go(loop: Loop, leadloop: Command) -> None:
    with loop.database.exclusive(retention.LOCK):
        assert "another process" in leadloop("prune", status=1)
    (row,) = audit.listed(loop.database)
    assert (row.action, row.result) == ("prune", Result.FAILED)


def test_the_worker_leaves_a_row_in_the_trail_where_something_went(make_bare: MakeBare, clock: FakeClock) -> None:
    loop = make_bare(retain_payloads_days=KEPT_DAYS)
    stored(loop, a_payload)
    privacy.prune(loop)
    assert list(audit.listed(loop.database)) == [], "nothing went"
    clock.move(days=KEPT_DAYS, seconds=1)
    with loop.database.exclusive(retention.LOCK):
        with pytest.raises(NotReady):
            prune(loop)
        privacy.prune(loop)
    assert list(audit.listed(loop.database)) == [], "another process is at it"
    privacy.prune(loop)
    privacy.prune(loop)
    (row,) = audit.listed(loop.database)
    assert (row.actor, row.action, row.result, row.details) == ("worker", "prune", Result.DONE, {"payloads": 1})


@pytest.mark.parametrize("name", ["retention.prune", "crm.reconcile"])
def test_each_turn_of_what_is_done_once_is_taken_by_one_of_all_processes(loop: Loop, clock: FakeClock, name: str) -> None:
    ran: list[int] = []
    (job,) = [job for job in jobs(loop.settings) if job.name == name]
    with processes(loop, 3) as others:
        for turn in range(1, 6):
            at_once(others, lambda number: replace(job, run=lambda _loop: ran.append(number)))
            assert len(ran) == turn
            clock.move(seconds=job.every_seconds)


@contextmanager
def processes(loop: Loop, count: int) -> Iterator[list[Loop]]:
    """As many on one database, each with connections of its own."""
    made = [replace(loop, database=Database(loop.database.url)) for _ in range(count)]
    yield made
    for one in made:
        one.database.dispose()


def at_once(loops: list[Loop], job_of: Callable[[int], Job]) -> None:
    """The schedulers of all of them come to a job at the same moment."""
    together = threading.Barrier(len(loops))

    def come(number: int, loop: Loop) -> None:
        together.wait()
        _guarded(job_of(number), loop)

    threads = [threading.Thread(target=come, args=each) for each in enumerate(loops)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
