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
from data.domain.event import Driver, Event
from data.warehouse import deliveries
from data.warehouse.deliveries import DeliveryRow
from tests.conftest import LoopFactory
from tests.integration.test_replay import another_code, replayed
from tests.support import COLD, HOT, FakeClock, generic


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
    """The lead's own deal is won or lost, or open again."""
    deal_of(loop, f"deal-{who}", result, who, after=after)


def deal_of(loop: Loop, deal: str, result: str, who: str = "ada", *, after: float = 0) -> None:
    at = loop.clock.now() + timedelta(seconds=after)
    post(
        loop,
        {"id": f"{deal}-{result}-{after}", "type": "deal.changed", "occurred_at": at.isoformat(),
         "entity": {"kind": "deal", "id": deal}, "properties": {"status": result, "contact_id": who}},
    )  # fmt: skip


def texts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for message in sandbox.messages()]


def updates(sandbox: Sandbox) -> int:
    return sum(request.path.endswith("chat.update") for request in sandbox.requests)


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


def test_who_is_opened_again_has_the_message_as_it_was_once(loop: Loop, sandbox: Sandbox) -> None:
    hot(loop)
    sweep(loop)
    (before,) = sandbox.messages()
    before = dict(before)
    ended(loop, "lost")
    sweep(loop)
    assert texts(sandbox) == ["Lost: Ada"]
    for after in (1, 2):  # it is told twice that it goes on
        ended(loop, "open", after=after)
        sweep(loop)
    (after_all,) = sandbox.messages()
    assert {**after_all, "edited": None} == {**before, "edited": None}
    assert (updates(sandbox), states(loop)) == (2, ["confirmed", "confirmed"])
    ended(loop, "lost", after=3)
    sweep(loop)
    assert texts(sandbox) == ["Lost: Ada"], "and may end again"


def test_a_contact_that_was_no_customer_after_all_has_the_message_as_it_was(loop: Loop, sandbox: Sandbox) -> None:
    hot(loop)
    sweep(loop)
    for stage, word in (("customer", "Won: Ada"), ("lead", "Hot lead: Ada")):
        post(loop, generic("ada", at=loop.clock.now(), lifecyclestage=stage))
        sweep(loop)
        assert texts(sandbox)[0].startswith(word)


def test_of_two_deals_the_one_that_is_opened_again_does_not_take_back_the_end_of_the_other(loop: Loop, sandbox: Sandbox) -> None:
    hot(loop)
    sweep(loop)
    ended(loop, "won")
    deal_of(loop, "another", "lost", after=1)
    sweep(loop)
    assert texts(sandbox) == ["Lost: Ada"]
    deal_of(loop, "another", "open", after=2)
    sweep(loop)
    assert texts(sandbox) == ["Won: Ada"]
    ended(loop, "open", after=3)
    sweep(loop)
    assert texts(sandbox)[0].startswith("Hot lead: Ada")


def test_who_is_opened_again_before_anybody_was_told_is_news_as_ever(loop: Loop, sandbox: Sandbox) -> None:
    hot(loop)
    ended(loop, "lost")
    ended(loop, "open", after=1)
    sweep(loop)
    assert texts(sandbox)[0].startswith("Hot lead: Ada")
    assert states(loop) == ["confirmed"]


@pytest.mark.parametrize("misread", [{"status": "won"}, {"status": "won", "contact_id": "bo"}, {"deal": "another"}])
def test_an_end_that_was_misread_is_taken_back_in_the_message(loop: Loop, sandbox: Sandbox, misread: dict[str, str]) -> None:
    def otherwise(event: Event) -> Event:
        if event.entity.kind != "deal":
            return event
        deal = event.entity.model_copy(update={"id": misread.get("deal", event.entity.id)})
        said = {"status": "won", **{name: value for name, value in misread.items() if name != "deal"}}
        return event.model_copy(update={"entity": deal, "properties": {**event.properties, **said}})

    for who in ("ada", "bo"):
        hot(loop, who)
        sweep(loop)
    with another_code(otherwise):
        ended(loop, "open")
    sweep(loop)
    assert [text for text in texts(sandbox) if text.startswith("Won")] == [f"Won: {misread.get('contact_id', 'ada').title()}"]
    replayed(loop, dry_run=True)
    sweep(loop)
    assert updates(sandbox) == 1
    for _ in range(2):
        replayed(loop)
        sweep(loop)
    assert [text.split(",")[0] for text in texts(sandbox)] == ["Hot lead: Ada", "Hot lead: Bo"]
    assert updates(sandbox) == 2


def test_an_end_waits_while_the_message_of_an_earlier_alert_goes_back(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    hot(loop)
    sweep(loop)
    ended(loop, "won")
    sweep(loop)
    clock.move(days=1)
    post(loop, generic("ada", at=clock.now(), **COLD))
    clock.move(days=8)
    hot(loop)
    worker.sweep_outbox(loop, SLACK)
    ended(loop, "open")
    endings.sweep(loop)
    deal_of(loop, "another", "lost", after=1)
    endings.sweep(loop)
    assert states(loop) == ["confirmed", "pending", "confirmed"]
    worker.sweep_outbox(loop, SLACK)
    sweep(loop)
    assert [text.split(",")[0] for text in sorted(texts(sandbox))] == ["Hot lead: Ada", "Lost: Ada"]


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
    ended(loop, "open", "cy", after=1)
    sweep(loop)
    (message,) = sandbox.messages()
    assert "Won" not in json.dumps(message)


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
