"""What the running loop scored by is what the warehouse says later: every stored feature, built again by columns."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlmodel import select

from automation import knowledge
from automation.clients.registry import Clients
from automation.history import history
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.pipeline.run import drive
from automation.sandbox.player import HubSpotPlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.db import Database
from data.domain.event import Driver, EventState
from data.samples.leads import NAMES
from data.warehouse import events
from data.warehouse.predictions import PredictionRow
from ml.features import activity, engagement, notes, relations
from ml.features.build import build, given
from ml.features.facts import EXAMPLES
from ml.features.inputs import Input, InputKind, typed_rows
from ml.models.lead_score import MODEL
from ml.training.labels import HORIZON
from ml.training.ladder import TypedTable
from ml.training.train import train
from ml.version import CHAMPION, Version, save, write_atomically
from tests.conftest import LoopFactory
from tests.support import HOT, NOON, FakeClock, generic

TEXTS = {"channel": NAMES, "owner": ("1", "2"), "job_title": ("CEO", "CTO"), "company_industry": ("retail", "finance")}
FIELDS = ("job_title", "newsletter", "company_industry")
SAID = ("<p>Wants a second demo</p>", "<p>Budget is frozen until May</p>", "<p>Talks to a competitor</p>")
MORE = {"trial_ends": ("2026-03-09", "2026-04-30T08:00:00Z"), "message": ("please call me back", "what would forty seats cost us")}
KINDS = {
    **dict.fromkeys(TEXTS, InputKind.CATEGORY), **dict.fromkeys(("is_first_visit", "newsletter"), InputKind.BOOLEAN),
    "trial_ends": InputKind.DATE, "message": InputKind.TEXT, notes.TEXT: InputKind.TEXT,
}  # fmt: skip
INPUTS = tuple(
    Input(name=name, kind=KINDS.get(name, InputKind.NUMBER))
    for name in (*engagement.COLUMNS, *activity.COLUMNS, *relations.COLUMNS, *notes.COLUMNS, *FIELDS, *MORE)
)
THEIRS = {"sessions": "hs_analytics_num_visits", "page_views": "hs_analytics_num_page_views", "channel": "hs_analytics_source"}
DAYS = 40.0
STEPS = 20
BATCHES, IN_A_BATCH = 25, 10
LATE_SHARE, LATE_DAYS = 0.5, 4.0


@pytest.mark.slow
@pytest.mark.parametrize("contacts", [400])
def test_every_row_built_again_equals_the_one_that_was_scored(
    make_loop: LoopFactory,
    addresses: Addresses,
    sandbox: Sandbox,
    clock: FakeClock,
    tmp_path: Path,
    contacts: int,
    database: Database,
) -> None:
    put_wide_model(tmp_path / "models")
    loop = make_loop(addresses, model=False)
    loop = replace(loop, clients=Clients(crms={"hubspot": loop.clients.crms["hubspot"]}))
    for name in ("engaged_sessions", "is_first_visit", "job_title", "newsletter", "associatedcompanyid", "hubspot_owner_id", *MORE):
        sandbox.define_hubspot_property("contacts", name)
    size = contacts if database.is_sqlite else contacts // 8
    for moment, news in steps(size):
        clock.move(seconds=(moment - clock.now()).total_seconds())
        for change in news:
            look_up_will_find(sandbox, change)
        collect(loop, "hubspot", json.dumps(news).encode(), Driver.WORKER)
        clock.move(seconds=1)
        worker.sweep_inbox(loop)
    rows, facts = scored(loop)
    assert len({row.entity_id for row in rows}) == size
    assert built_again(loop, rows, facts) == [row.features for row in rows]
    assert sum(row.features[notes.TEXT] is not None for row in rows) > len(rows) / 5, "many had notes"
    hindsight = facts.with_columns(known_at="occurred_at")
    differ = sum(one != row.features for one, row in zip(built_again(loop, rows, hindsight), rows, strict=True))
    assert differ > len(rows) / 20, "late news is there: whoever ignores when it came gets other rows"


@pytest.mark.slow
def test_what_comes_in_while_an_entity_is_scored_is_known_after_it(
    make_loop: LoopFactory, clock: FakeClock, tmp_path: Path
) -> None:
    put_wide_model(tmp_path / "models")
    loop = make_loop(model=False)
    clock.follow_the_machine()
    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send, loop, seed) for seed in range(2)]
        drivers = [pool.submit(drive_until, loop, lambda: all(sender.done() for sender in senders)) for _ in range(2)]
        for task in (*senders, *drivers):
            task.result()
    rows, facts = scored(loop)
    assert len(rows) == 2 * BATCHES * IN_A_BATCH
    assert built_again(loop, rows, facts) == [row.features for row in rows]


def send(loop: Loop, seed: int) -> None:
    """News of the same few contacts, again and again, some of it from some minutes ago."""
    generator = np.random.default_rng(seed)
    for _ in range(BATCHES):
        now = loop.clock.now()
        people = generator.choice(30, IN_A_BATCH, replace=False)
        ages = generator.choice([0.0, 1.0, 600.0], IN_A_BATCH)
        items = [
            generic(f"{person}@example.com", at=now - timedelta(seconds=age), sessions=int(generator.integers(9)))
            for person, age in zip(people, ages, strict=True)
        ]
        if collect(loop, "generic", json.dumps(items).encode(), Driver.WORKER).deferred:
            worker.sweep_payloads(loop)


def drive_until(loop: Loop, done: Callable[[], bool]) -> None:
    while drive(loop) or not done() or waiting(loop):
        continue


def waiting(loop: Loop) -> bool:
    """Whether another driver still has some."""
    with loop.database.read() as session:
        return events.counts(session).get(EventState.NEW, 0) > 0


def scored(loop: Loop) -> tuple[list[PredictionRow], pl.DataFrame]:
    with loop.database.read() as session:
        rows = list(session.exec(select(PredictionRow).order_by(PredictionRow.id)))  # type: ignore[arg-type]
        return rows, knowledge.recall_all(session, loop.inputs())


def built_again(loop: Loop, rows: list[PredictionRow], facts: pl.DataFrame) -> list[dict[str, Any]]:
    examples = pl.DataFrame([(row.entity_id, row.as_of) for row in rows], schema=EXAMPLES, orient="row")
    inputs = loop.predictor.champion(MODEL.name).card.inputs
    made = build(MODEL.name, examples, facts, wanted=[column.name for column in inputs])
    return [given(inputs, row) for row in made.iter_rows(named=True)]


def steps(contacts: int) -> Iterator[tuple[datetime, list[dict[str, Any]]]]:
    """HubSpot's webhooks in the order in which they arrive: half of them late, so that they come out of order."""
    generator = np.random.default_rng(5)
    companies, deals = range(90_001, 90_001 + contacts // 10), range(95_001, 95_001 + contacts // 5)
    changes = [
        *(change for number in range(1, contacts + 1) for change in of_contact(generator, number, len(companies))),
        *(change for number in companies for change in of_company(generator, number)),
        *(change for number in deals for change in of_deal(generator, number, len(companies))),
        *(change for number in range(80_001, 80_001 + contacts) for change in of_note(generator, number, contacts)),
    ]
    late = generator.random(len(changes)) < LATE_SHARE
    arrival = [day + (generator.exponential(LATE_DAYS) if slow else 0.0) for (day, *_), slow in zip(changes, late, strict=True)]
    of_step = np.minimum(np.array(arrival) / DAYS * STEPS, STEPS).astype(int)
    for step in range(STEPS + 1):
        news = [webhook(place, *changes[place]) for place in np.flatnonzero(of_step == step).tolist()]
        generator.shuffle(news)
        yield NOON + timedelta(days=(step + 1) * DAYS / STEPS), news


LINK, GONE = "a link", "deleted"
Change = tuple[float, str, int, str, Any]


def of_contact(generator: np.random.Generator, number: int, companies: int) -> Iterator[Change]:
    values = {
        "hs_analytics_num_visits": lambda: str(generator.integers(1, 9)),
        "hs_analytics_num_page_views": lambda: str(generator.integers(1, 30)),
        "engaged_sessions": lambda: str(generator.integers(0, 5)),
        "hs_analytics_source": lambda: str(generator.choice(["REFERRALS", "PAID_SOCIAL"])),
        "job_title": lambda: str(generator.choice(["CEO", "CTO", ""])),
        "newsletter": lambda: str(generator.choice(["true", "false"])),
        "associatedcompanyid": lambda: str(90_001 + generator.integers(companies)),
        "hubspot_owner_id": lambda: str(generator.integers(1, 3)),
        "predicted_score": lambda: "0.5",
        **{name: partial(_one_of, generator, words) for name, words in MORE.items()},
    }
    born = generator.uniform(0, DAYS - 1)
    yield born, "contact", number, "", None
    for _ in range(generator.poisson(1)):
        name = str(generator.choice(list(values)))
        yield generator.uniform(born, DAYS), "contact", number, name, values[name]()


def of_company(generator: np.random.Generator, number: int) -> Iterator[Change]:
    for _ in range(generator.integers(1, 4)):
        yield generator.uniform(0, DAYS), "company", number, "industry", str(generator.choice(["retail", "finance"]))


def of_deal(generator: np.random.Generator, number: int, companies: int) -> Iterator[Change]:
    yield generator.uniform(0, DAYS), "deal", number, "associatedcompanyid", str(90_001 + generator.integers(companies))
    yield generator.uniform(0, DAYS), "deal", number, "dealstage", str(generator.choice(["closedwon", "closedlost", "demo"]))


def of_note(generator: np.random.Generator, number: int, contacts: int) -> Iterator[Change]:
    """Most are written once, about one contact; some are written anew, go to somebody else, or are deleted."""
    day = generator.uniform(0, DAYS)
    contact = generator.integers(1, contacts + 1)
    yield day, "note", number, "hs_note_body", _one_of(generator, SAID)
    yield day, "note", number, LINK, (contact, True)
    for odd in generator.uniform(day, DAYS, generator.poisson(0.5)):
        yield from (
            ((odd, "note", number, "hs_note_body", _one_of(generator, SAID)),),
            ((odd, "note", number, LINK, (contact, False)), (odd, "note", number, LINK, (contact % contacts + 1, True))),
            ((odd, "note", number, GONE, None),),
        )[generator.integers(3)]


def webhook(place: int, day: float, kind: str, number: int, name: str, value: Any) -> dict[str, Any]:
    moment = int((NOON + timedelta(days=day)).timestamp() * 1000)
    event = {"eventId": place, "portalId": 1, "objectId": number, "occurredAt": moment, "subscriptionType": f"{kind}.creation"}
    if name == GONE:
        return {**event, "subscriptionType": f"{kind}.deletion"}
    if name == LINK:
        contact, there = value
        ends = {"fromObjectId": number, "fromObjectTypeId": "0-46", "toObjectId": int(contact), "toObjectTypeId": "0-1"}
        return {**event, "subscriptionType": "object.associationChange", **ends, "associationRemoved": not there}
    if not name:
        return event
    return {**event, "subscriptionType": f"{kind}.propertyChange", "propertyName": name, "propertyValue": value}


def look_up_will_find(sandbox: Sandbox, event: dict[str, Any]) -> None:
    """The record has the change; now and then it has changed once more since, or back, and no event tells."""
    if not event["subscriptionType"].startswith("contact."):
        return
    number, place = str(event["objectId"]), event["eventId"]
    told = {event["propertyName"]: event["propertyValue"]} if "propertyName" in event else {}
    untold = {"hs_analytics_num_visits": str(place % 12)} if place % 3 == 0 else {}
    sandbox.put("hubspot", "contacts", number, {"email": f"lead{number}@example.com", **told, **untold})


def put_wide_model(models_dir: Path) -> None:
    """A champion that is asked for every feature there is; what it learned does not matter here."""
    generator = np.random.default_rng(0)
    rows = [{column.name: _drawn(generator, column) for column in INPUTS} for _ in range(200)]
    table = TypedTable(INPUTS, typed_rows(INPUTS, rows), generator.integers(0, 2, len(rows)))
    trained = train(replace(MODEL, learners={}), table, data_hash="", now=NOON)  # the base rate alone
    folder = models_dir / MODEL.name / "1"
    folder.mkdir(parents=True)
    save(Version(trained.card.model_copy(update={"version": "1"}), trained.version.scorer), folder)
    write_atomically(models_dir / MODEL.name / CHAMPION, "1")


def _drawn(generator: np.random.Generator, column: Input) -> Any:
    words = (TEXTS | MORE | {notes.TEXT: SAID}).get(column.name)
    return _one_of(generator, words) if words else int(generator.integers(0, 2))


def _one_of(generator: np.random.Generator, words: Sequence[str]) -> str:
    return str(generator.choice(words))


class Ticking(FakeClock):
    """No two looks at it show the same time."""

    def now(self) -> datetime:
        self.move(seconds=0.05)
        return super().now()


def test_a_training_sees_an_event_as_it_was_scored_with_what_was_looked_up_for_it(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, database: Database
) -> None:
    loop = replace(make_loop(addresses), clock=Ticking())
    player = HubSpotPlayer(sandbox, "http://unused", "secret")
    player.define({"engaged_sessions", "is_first_visit"})
    people = [str(number) for number in range(1, 13)]
    for number in people:
        created = player.created(number, {"email": f"{number}@example.com", **HOT, "sessions": int(number)})
        collect(loop, "hubspot", json.dumps(at_the_loop_s_time(loop, created)).encode(), Driver.WORKER)
        worker.sweep_inbox(loop)
        loop.clock.move(days=1)  # type: ignore[attr-defined]
    loop.clock.move(days=HORIZON.days)  # type: ignore[attr-defined]
    rows, _ = scored(loop)
    found = history(database, MODEL.name, loop.clock.now())
    assert found.labelled.examples.height == len(rows) == len(people)
    inputs = loop.predictor.champion(MODEL.name).card.input_names
    seen = dict(zip(found.labelled.examples["entity"], found.features.select(inputs).to_dicts(), strict=True))
    for row in rows:
        told = {name: value for name, value in seen[row.entity_id].items() if value is not None}
        assert set(told) == {name for name, value in row.features.items() if value is not None}
        assert str(told["sessions"]) == str(int(row.features["sessions"])), "what the look-up said is in both"


def at_the_loop_s_time(loop: Loop, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "occurredAt": int(loop.clock.now().timestamp() * 1000)} for event in events]
