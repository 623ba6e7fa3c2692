"""What happened to a record counts in the order in which it happened, in whatever order it is told."""

import itertools
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from automation.deals import open_deals
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.server import Addresses
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Driver
from data.domain.fact import newest
from data.warehouse import deliveries, entities, events, facts, identities
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from tests.conftest import LoopFactory
from tests.support import HOT, NOON, FakeClock, newest_prediction

EARLIER = NOON - timedelta(minutes=20)
MODEL = "lead_score"
Item = dict[str, Any]


class Teller:
    """Makes items of the generic source, each with a key of its own."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, what: str, entity: str, minute: float, *targets: str, **properties: Any) -> Item:
        kind, _, _ = what.partition(".")
        return {
            "id": f"k{next(self._numbers)}", "type": what, "occurred_at": (EARLIER + timedelta(minutes=minute)).isoformat(),
            "entity": {"kind": kind, "id": entity}, "properties": properties, "targets": [_ref(target) for target in targets],
        }  # fmt: skip


def _ref(name: str) -> dict[str, str]:
    kind, _, number = name.partition(" ")
    return {"kind": kind, "id": number}


@pytest.fixture
def tell() -> Teller:
    return Teller()


def post(loop: Loop, clock: FakeClock, *batches: Sequence[Item]) -> None:
    """One batch after the other, each scored before the next comes."""
    for batch in batches:
        collect(loop, "generic", json.dumps(batch).encode(), Driver.WORKER)
        worker.sweep_inbox(loop)
        clock.move(seconds=5)


def row(loop: Loop, number: str, *, source: str = "generic") -> EntityRow:
    with loop.database.read() as session:
        found = entities.find(session, EntityRef(source=source, kind=EntityKind.CONTACT, id=number))
    assert found is not None
    return found


def sessions(loop: Loop, number: str) -> tuple[Any, float]:
    """What the newest score of a contact is made of, and what it is."""
    with loop.database.read() as session:
        found = newest_prediction(session, row(loop, number).id or 0, MODEL)
    assert found is not None
    return found.features.get("sessions"), found.score


def states(loop: Loop) -> list[tuple[str, str]]:
    with loop.database.read() as session:
        return sorted((one.destination, one.state) for one in deliveries.listed(session))


def reviewed(loop: Loop) -> list[str]:
    """Who was asked about anew."""
    with loop.database.read() as session:
        found = session.exec(select(EventRow).where(EventRow.type == "contact.reviewed")).all()
        owners = entities.by_ids(session, [event.entity_id for event in found])
        return [owners[event.entity_id].vendor_id for event in found]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_nothing_is_known_of_a_deleted_deal(loop: Loop, clock: FakeClock, tell: Teller, order: Iterable[int]) -> None:
    deal = [
        tell("deal.created", "d", 1, name="Deal"),
        tell("deal.changed", "d", 2, amount=1000, currency="EUR", contact_id="ada"),
        tell("deal.deleted", "d", 3),
    ]
    post(loop, clock, [tell("contact.changed", "ada", 0, **HOT)], *([deal[place]] for place in order))
    ada = row(loop, "ada")
    with loop.database.read() as session:
        assert open_deals(session, {ada.id or 0: ada}, {}) == {ada.id: ()}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_nobody_hears_of_a_lead_that_was_deleted(
    make_loop: LoopFactory, clock: FakeClock, tell: Teller, addresses: Addresses, order: Iterable[int]
) -> None:
    loop = make_loop(addresses)
    told = [
        tell("contact.created", "eve", 0, firstname="Eve"),
        tell("contact.changed", "eve", 1, **HOT),
        tell("contact.deleted", "eve", 2),
    ]
    post(loop, clock, *([told[place]] for place in order))
    assert {state for _, state in states(loop)} <= {"superseded"}
    assert row(loop, "eve").is_deleted
    with loop.database.read() as session:
        assert events.counts(session) == {"done": 3}


@pytest.mark.parametrize("late", [False, True])
def test_a_deletion_takes_back_nothing_of_what_came_back_after_it(
    make_loop: LoopFactory, clock: FakeClock, tell: Teller, addresses: Addresses, late: bool
) -> None:
    loop = make_loop(addresses)
    deletion = [tell("contact.deleted", "eve", 2)]
    since = [tell("contact.restored", "eve", 3)], [tell("contact.changed", "eve", 4, sessions=9, engaged_sessions=9)]
    before = [tell("contact.changed", "eve", 1, **{**HOT, "page_views": 77})]
    post(loop, clock, before, *((*since, deletion) if late else (deletion, *since)))
    assert not row(loop, "eve").is_deleted
    assert ("slack", "pending") in states(loop)
    assert sessions(loop, "eve")[0] == 9
    with loop.database.read() as session:
        newest = newest_prediction(session, row(loop, "eve").id or 0, MODEL)
    assert newest is not None
    assert newest.features.get("page_views") is None, "what was known before the deletion is known no more"


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_is_the_sender_s_where_his_clock_is_ahead(
    loop: Loop, clock: FakeClock, tell: Teller, order: Iterable[int]
) -> None:
    told = [
        tell("contact.created", "eve", 30, channel="referral"),
        tell("contact.deleted", "eve", 31),
        tell("contact.restored", "eve", 32, channel="paid_social"),
        tell("contact.changed", "eve", 33, page_views=5),
    ]
    clock.move(minutes=8)  # a minute after the creation by his clock, which is two minutes ahead
    clock.move(minutes=1)
    for place in order:
        post(loop, clock, [told[place]])
    post(loop, clock, [tell("contact.changed", "eve", 34, page_views=6)])
    with loop.database.read() as session:
        found = newest_prediction(session, row(loop, "eve").id or 0, MODEL)
    assert found is not None
    assert (found.features.get("channel"), found.features.get("page_views")) == ("paid_social", 6)


def test_a_record_that_waits_to_be_scored_is_let_go_of_when_it_is_deleted(loop: Loop, clock: FakeClock, tell: Teller) -> None:
    collect(loop, "generic", json.dumps([tell("contact.changed", "eve", 1, **HOT)]).encode(), Driver.WORKER)
    post(loop, clock, [tell("contact.deleted", "eve", 2)])
    with loop.database.read() as session:
        assert events.counts(session) == {"done": 2}
        assert newest_prediction(session, row(loop, "eve").id or 0, MODEL) is None


@pytest.mark.parametrize("late", [False, True])
def test_what_is_told_of_a_part_is_known_of_the_whole(loop: Loop, clock: FakeClock, tell: Teller, late: bool) -> None:
    there = [tell("contact.changed", "A", 1, sessions=1), tell("contact.changed", "B", 1, page_views=1)]
    change = [tell("contact.changed", "A", 3, sessions=9, engaged_sessions=9)]
    merge = [tell("contact.merged", "B", 5, "contact A")]
    post(loop, clock, there, *((merge, change) if late else (change, merge)))
    assert sessions(loop, "B")[0] == 9


@pytest.mark.parametrize("late", [False, True])
def test_a_chain_of_merges_is_one_whichever_is_told_first(loop: Loop, clock: FakeClock, tell: Teller, late: bool) -> None:
    there = [tell("contact.changed", "A", 0, **{**HOT, "sessions": 9})]
    there += [tell("contact.changed", name, 0, page_views=1) for name in ("B", "C")]
    first, second = [tell("contact.merged", "B", 1, "contact A")], [tell("contact.merged", "C", 2, "contact B")]
    post(loop, clock, there, *((second, first) if late else (first, second)))
    numbers = {row(loop, name).id or 0 for name in "ABC"}
    with loop.database.read() as session:
        same = identities.same_as(session, numbers)
    assert {number: {number, *others} for number, others in same.items()} == dict.fromkeys(numbers, numbers)
    assert sessions(loop, "C")[0] == 9


def moment(seconds: float) -> float:
    """As minutes after EARLIER, so long before NOON."""
    return ((NOON - EARLIER) - timedelta(seconds=seconds)) / timedelta(minutes=1)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (["deal.changed"], 300), (["deal.changed"], 20), (["idle", "deal.changed"], 300), (["contact.associated"], 300),
        (["contact.dissociated", "deal.dissociated"], 300), (["deal.deleted"], 300), (["contact.deleted", "contact.restored"], 300),
    ],
)  # fmt: skip
def test_who_was_scored_without_what_is_told_late_is_asked_about_again(
    loop: Loop, clock: FakeClock, tell: Teller, monkeypatch: pytest.MonkeyPatch, told: list[str], seconds: float
) -> None:
    monkeypatch.setattr(Loop, "reads_related", property(lambda _: True))
    at = moment(seconds)
    items = {
        "deal.changed": tell("deal.changed", "d", at, amount=9),
        "deal.deleted": tell("deal.deleted", "d", at),
        "deal.dissociated": tell("deal.dissociated", "d", at, "contact ada"),
        "idle": tell("contact.changed", "ada", at, firstname="Ada"),
        "contact.associated": tell("contact.associated", "ada", at, "company c"),
        "contact.dissociated": tell("contact.dissociated", "ada", at, "deal d"),
        "contact.deleted": tell("contact.deleted", "ada", at),
        "contact.restored": tell("contact.restored", "ada", at + 0.01),
    }
    before = moment(400)
    deal = [tell("deal.created", "d", before, amount=5), tell("deal.associated", "d", before, "contact ada")]
    post(loop, clock, [tell("contact.changed", "ada", before, **HOT), *deal])
    assert not reviewed(loop)
    collect(loop, "generic", json.dumps([items[name] for name in told]).encode(), Driver.WORKER)
    asked = reviewed(loop)
    if told[0] == "contact.deleted":  # its restoration asks
        assert asked == []
    else:
        assert asked == ["ada"]
    worker.sweep_inbox(loop)
    assert datetime.fromisoformat(items[told[-1]]["occurred_at"]) < clock.now()


def test_of_several_events_that_come_together_the_first_one_counts(
    loop: Loop, clock: FakeClock, tell: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Loop, "reads_related", property(lambda _: True))
    deal = [tell("deal.created", "d", 1, amount=5), tell("deal.associated", "d", 1, "contact ada")]
    post(loop, clock, [tell("contact.changed", "ada", 1, **HOT), *deal])
    clock.move(minutes=10)
    post(loop, clock, [tell("deal.changed", "d", 15, amount=9), tell("deal.changed", "d", 29, name="Deal")])
    assert reviewed(loop) == ["ada"]


def test_a_repeat_that_says_otherwise_deletes_nothing(loop: Loop, clock: FakeClock, tell: Teller) -> None:
    change = tell("contact.changed", "eve", 1, **HOT)
    post(loop, clock, [change], [{**tell("contact.deleted", "eve", 3), "id": change["id"]}])
    assert not row(loop, "eve").is_deleted


@pytest.mark.parametrize("late", [False, True])
def test_a_link_that_is_told_from_the_other_end_goes_with_the_deletion(
    loop: Loop, clock: FakeClock, tell: Teller, late: bool
) -> None:
    link, deletion = [tell("deal.associated", "d", 1, "contact ada")], [tell("contact.deleted", "ada", 2)]
    post(loop, clock, [tell("contact.changed", "ada", 0, **HOT)], *((deletion, link) if late else (link, deletion)))
    number = row(loop, "ada").id or 0
    with loop.database.read() as session:
        known = newest(facts.of_entities(session, [number])[number])
    assert {fact.value for fact in known.values()} == {None}


def test_our_own_writes_coming_back_late_ask_nobody(
    loop: Loop, clock: FakeClock, tell: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Loop, "reads_related", property(lambda _: True))
    deal = [tell("deal.created", "d", 1, amount=5), tell("deal.associated", "d", 1, "contact ada")]
    post(loop, clock, [tell("contact.changed", "ada", 1, **HOT), *deal])
    post(loop, clock, [tell("deal.changed", "d", 2, predicted_value="7")])
    assert not reviewed(loop)
