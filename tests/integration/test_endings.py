"""An alert says in its own message how it ended, so that nobody calls a lead that is lost."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select, update

from automation import endings
from automation.destinations.slack import SLACK
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.habits import Habits
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.event import Driver
from data.warehouse import deliveries
from data.warehouse.deliveries import DeliveryRow
from tests.conftest import LoopFactory
from tests.support import HOT, FakeClock, generic


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, clock: FakeClock) -> Loop:
    clock.follow_the_machine()  # messages are looked for by when they were posted
    return make_loop(addresses)


def post(loop: Loop, *items: dict[str, Any]) -> None:
    collect(loop, "generic", json.dumps(items).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)


def sweep(loop: Loop) -> None:
    endings.sweep(loop)
    worker.sweep_outbox(loop, SLACK)


def hot(loop: Loop, who: str = "ada", **more: Any) -> None:
    post(loop, generic(who, at=loop.clock.now(), name=who.title(), **HOT, **more))


def ended(loop: Loop, result: str, who: str = "ada", *, after: float = 0) -> None:
    """The lead's own deal is won or lost."""
    at = loop.clock.now() + timedelta(seconds=after)
    deal = {"kind": "deal", "id": f"deal-{who}"}
    post(
        loop,
        {"id": f"{who}-{result}-{after}", "type": "deal.changed", "occurred_at": at.isoformat(), "entity": deal,
         "properties": {"status": result, "contact_id": who}},
    )  # fmt: skip


def texts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages()]


@pytest.mark.parametrize(("result", "word"), [("won", "Won"), ("lost", "Lost")])
def test_the_message_says_how_it_ended(loop: Loop, sandbox: Sandbox, result: str, word: str) -> None:
    hot(loop)
    sweep(loop)
    before = dict(*sandbox.messages())
    ended(loop, result)
    sweep(loop)
    (after,) = sandbox.messages()
    assert before["text"].startswith("Hot lead: Ada")
    assert after["text"] == f"{word}: Ada"
    assert after["ts"] == before["ts"], "the same message"
    said = next(block for block in after["blocks"] if block.get("block_id"))["text"]["text"]
    assert said.startswith(f"*{word}* on ")
    assert "likely to be won" in said, "what was said before stays"


def test_an_alert_that_still_waits_is_no_news_any_more(loop: Loop, sandbox: Sandbox) -> None:
    hot(loop)
    ended(loop, "lost")
    sweep(loop)
    assert texts(sandbox) == []


def test_an_alert_that_may_have_been_posted_is_told_how_it_ended_and_counts_as_one(loop: Loop, sandbox: Sandbox) -> None:
    hot(loop)
    sandbox.set_habits(Habits(drop_after=1.0))
    sweep(loop)
    sandbox.set_habits(Habits())
    ended(loop, "lost")
    endings.sweep(loop)
    (text,) = texts(sandbox)
    assert (text.startswith("Hot lead: Ada"), states(loop)) == (True, ["pending", "pending"])
    with loop.database.read() as session:
        entity_ids = session.exec(select(DeliveryRow.entity_id)).all()
        assert deliveries.last_alert_at(session, entity_ids, SLACK.name) is not None, "the quiet days go on"
    for _ in range(2):  # the alert is looked for; then how it ended can be told
        pauses_are_over(loop)
        sweep(loop)
    assert (texts(sandbox), states(loop)) == (["Lost: Ada"], ["confirmed", "confirmed"])


def test_nobody_who_was_not_alerted_is_told_of(loop: Loop, sandbox: Sandbox) -> None:
    post(loop, generic("bo", at=loop.clock.now(), sessions=1, channel="display"))
    ended(loop, "won", "bo")
    sweep(loop)
    assert texts(sandbox) == []


def test_a_deal_that_is_opened_again_and_lost_is_told_anew_and_late_news_of_before_is_not(loop: Loop, sandbox: Sandbox) -> None:
    hot(loop)
    sweep(loop)
    ended(loop, "won")
    sweep(loop)
    ended(loop, "lost", after=2)
    sweep(loop)
    assert texts(sandbox) == ["Lost: Ada"]
    ended(loop, "won", after=1)
    sweep(loop)
    assert texts(sandbox) == ["Lost: Ada"]


def test_in_a_digest_only_the_one_that_ended_is_changed(loop: Loop, sandbox: Sandbox) -> None:
    names = ["ada", "bo", "cy", "di", "ed"]
    for who in names:
        hot(loop, who)
    worker.sweep_outbox(loop, SLACK)
    assert texts(sandbox) == ["5 hot leads"]
    ended(loop, "won", "cy")
    sweep(loop)
    (message,) = sandbox.messages()
    titles = [block["text"]["text"].splitlines()[0] for block in message["blocks"] if block["type"] == "section"]
    assert sorted(titles) == ["*Hot lead: Ada*", "*Hot lead: Bo*", "*Hot lead: Di*", "*Hot lead: Ed*", "*Won: Cy*"]


def test_an_answer_that_got_lost_does_no_harm(loop: Loop, sandbox: Sandbox) -> None:
    hot(loop)
    sweep(loop)
    ended(loop, "won")
    sandbox.set_habits(Habits(drop_after=1.0))
    sweep(loop)
    sandbox.set_habits(Habits())
    assert states(loop) == ["confirmed", "pending"]
    pauses_are_over(loop)
    sweep(loop)
    assert texts(sandbox) == ["Won: Ada"]
    assert states(loop) == ["confirmed", "confirmed"]


def pauses_are_over(loop: Loop) -> None:
    with loop.database.write() as session:
        session.exec(update(DeliveryRow).values(next_attempt_at=loop.clock.now()))


def states(loop: Loop) -> list[str]:
    with loop.database.read() as session:
        return [row.state for row in session.exec(select(DeliveryRow).order_by(col(DeliveryRow.created_at)))]
