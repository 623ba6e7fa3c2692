"""What fails or is slow is noted beside the event, which goes on; it is tried again, and scored anew when it comes."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from automation.clients.registry import Clients
from automation.enrichments.background import Background
from automation.enrichments.registry import DERIVING
from automation.jobs import enrichments, worker
from automation.patience import MOST_LEFT, Patience
from automation.pipeline.context import Loop
from automation.sandbox.company_data import EVERY, Habit
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.db import Database
from data.domain.company_profile import CompanyProfile
from data.errors import Retryable
from data.warehouse import enrichment_tries
from data.warehouse.enrichment_tries import EnrichmentTry
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow
from data.warehouse.predictions import PredictionRow
from tests.conftest import LoopFactory
from tests.integration.enrichment.asking import OF_CONTACT, STEEL, asked, hubspot, lead, logged, logging, post, put_try, rows, told
from tests.integration.enrichment.conftest import MakeLoop
from tests.support import HOT, NOON, FakeClock, generic, until


@pytest.mark.parametrize("habit", [Habit.BROKEN, Habit.RUBBISH, Habit.PENDING])
def test_what_fails_or_is_rubbish_is_noted_and_brought_later(
    habit: Habit, with_data: MakeLoop, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = with_data()
    sandbox.company_habits[EVERY] = habit
    post(loop, lead())
    worker.sweep_inbox(loop)
    (event,) = rows(loop, EventRow)
    assert event.state == "done", "the event goes on"
    assert event.notes["company_profile"].startswith("hunter ")
    assert not [row for row in rows(loop, FactRow) if "profile:" in row.name]
    clock.move(seconds=61)
    enrichments.sweep(loop)  # it has not changed its habits
    (waiting,) = rows(loop, EnrichmentTry)
    assert (waiting.attempts, waiting.next_attempt_at) == (1, clock.now() + timedelta(minutes=1))
    sandbox.company_habits.clear()
    clock.move(seconds=61)
    enrichments.sweep(loop)
    worker.sweep_inbox(loop)
    assert told(loop, OF_CONTACT) == [(1, "Machinery")]
    assert [row.type for row in rows(loop, EventRow)] == ["contact.changed", "contact.reviewed"]
    assert len(rows(loop, PredictionRow)) == 2
    assert rows(loop, EnrichmentTry) == []


def test_a_later_try_that_brings_nothing_new_asks_nobody(with_data: MakeLoop, sandbox: Sandbox, clock: FakeClock) -> None:
    loop = with_data()
    sandbox.company_habits[EVERY] = Habit.BROKEN
    post(loop, lead(domain="nobody.example"))
    worker.sweep_inbox(loop)
    sandbox.company_habits.clear()
    clock.move(seconds=61)
    enrichments.sweep(loop)
    assert [row.type for row in rows(loop, EventRow)] == ["contact.changed"]
    assert rows(loop, EnrichmentTry) == []


def test_what_never_answers_is_given_up_in_the_end_and_says_so(
    with_data: MakeLoop, sandbox: Sandbox, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = with_data(enrich_tries=3)
    sandbox.company_habits[EVERY] = Habit.BROKEN
    post(loop, lead())
    worker.sweep_inbox(loop)
    with logging():
        for _ in range(5):
            clock.move(hours=6)
            enrichments.sweep(loop)
    assert len(asked(sandbox)) == 4, "with the event, and three times after it"
    assert rows(loop, EnrichmentTry) == []
    (line,) = logged(capsys, "enrich.try.given_up")
    assert (line["enrichment"], line["tries"], line["reason"]) == ("company_profile", 3, "hunter answered 500")


class Slow:
    """A provider that answers about one domain at once, and about others when it is let."""

    name, per_day = "slow", 100

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = threading.Event()

    def rest_seconds(self) -> float:
        return 0.0

    def company(self, domain: str) -> CompanyProfile | None:
        self.asked.append(domain)
        if domain != "quick.example":
            self.go_on.wait(30)
        return CompanyProfile(industry="Machinery")


def test_who_is_slow_holds_up_nobody_and_what_it_says_is_used_later(make_loop: LoopFactory, clock: FakeClock) -> None:
    slow = Slow()
    loop = replace(make_loop(enrich_seconds=1), clients=Clients(company_data=(slow,)))
    post(loop, lead("ada"), lead("bo", domain="quick.example"))
    worker.sweep_inbox(loop)
    assert loop.patience.left("company_profile") == 1, "it has not answered yet"
    ada, bo = rows(loop, EventRow)
    assert (ada.state, ada.notes) == ("done", {"company_profile": "did not answer within 1 s"})
    assert (bo.state, bo.notes) == ("done", {})
    assert told(loop, OF_CONTACT) == [(bo.entity_id, "Machinery")]
    slow.go_on.set()
    until("it ends by itself", lambda: loop.patience.left("company_profile") == 0)
    clock.move(seconds=61)
    enrichments.sweep(loop)
    assert sorted(slow.asked) == ["quick.example", STEEL], "what came too late was kept"
    assert told(loop, OF_CONTACT)[-1] == (ada.entity_id, "Machinery")


def test_who_hangs_is_asked_no_more_until_it_has_answered() -> None:
    patience, go_on = Patience(), threading.Event()
    for _ in range(MOST_LEFT):
        with pytest.raises(Retryable, match=r"did not answer within 0.01 s"):
            patience.wait("hanging", go_on.wait, 0.01)  # type: ignore[arg-type]
    with pytest.raises(Retryable, match="4 earlier questions"):
        patience.wait("hanging", lambda: None, 1)
    patience.wait("another", lambda: None, 1)
    go_on.set()
    until("they end", lambda: patience.left("hanging") == 0)
    patience.wait("hanging", lambda: None, 1)


class Broken:
    """A provider with a fault of its own."""

    name, per_day = "broken", 100

    def rest_seconds(self) -> float:
        return 0.0

    def company(self, _domain: str) -> CompanyProfile | None:
        raise ZeroDivisionError("our own fault")


def test_one_that_breaks_takes_no_other_with_it(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    whole = make_loop(addresses)
    loop = replace(whole, clients=Clients(whole.clients.crms, None, (Broken(),)))
    sandbox.put("hubspot", "contacts", "1", {"email": f"ada@{STEEL}", "hs_analytics_num_visits": "7"})
    post(loop, hubspot(1), source="hubspot")
    worker.sweep_inbox(loop)
    (event,) = rows(loop, EventRow)
    assert (event.state, event.notes) == ("done", {"company_profile": "an unexpected fault: ZeroDivisionError"})
    assert told(loop, "email") == [(1, f"ada@{STEEL}")]
    clock.move(seconds=61)
    enrichments.sweep(loop)
    assert [(row.attempts, row.reason) for row in rows(loop, EnrichmentTry)] == [(1, "an unexpected fault: ZeroDivisionError")]


def test_what_broke_here_is_derived_later_and_one_that_goes_on_breaking_takes_no_other_with_it(
    loop: Loop, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mood, ill = DERIVING["sentiment"], {"ada", "bo"}

    def at_times(background: Background) -> dict[int, Any]:
        if ill & {case.ref.id for case in background.cases}:
            raise ZeroDivisionError("our own fault")
        return mood(background)

    monkeypatch.setitem(DERIVING, "sentiment", at_times)
    post(loop, *(generic(name, **HOT) for name in ("ada", "bo")))
    note = {"type": "note.created", "occurred_at": NOON.isoformat(), "entity": {"kind": "note", "id": "1"}, "id": "n1"}
    post(loop, {**note, "properties": {"body": "Very happy", "contact_id": "ada"}})
    clock.move(seconds=1)
    worker.sweep_inbox(loop)
    broken = {"sentiment": "an unexpected fault: ZeroDivisionError"}
    assert [row.notes for row in rows(loop, EventRow) if row.type == "contact.changed"] == [broken, broken]
    ill.remove("ada")
    clock.move(seconds=61)
    enrichments.sweep(loop)
    worker.sweep_inbox(loop)
    (review,) = (row for row in rows(loop, EventRow) if row.type == "contact.reviewed")
    assert (review.state, review.notes, review.derived["sentiment"]["mood"]) == ("done", {}, "positive")
    (waiting,) = rows(loop, EnrichmentTry)
    assert (waiting.enrichment, waiting.attempts, waiting.reason) == ("sentiment", 1, "an unexpected fault: ZeroDivisionError")


def test_who_is_gone_by_then_is_not_scored_anew(loop: Loop, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(DERIVING, "sentiment", lambda _background: 1 // 0)
        post(loop, generic("ada", **HOT))
        worker.sweep_inbox(loop)
    ada = {"kind": "contact", "id": "ada"}
    post(loop, {"type": "contact.deleted", "occurred_at": NOON.isoformat(), "entity": ada, "id": "gone"})
    worker.sweep_inbox(loop)
    clock.move(seconds=61)
    enrichments.sweep(loop)
    assert [row.type for row in rows(loop, EventRow)] == ["contact.changed", "contact.deleted"]
    assert rows(loop, EnrichmentTry) == []


def test_an_enrichment_that_is_no_more_is_forgotten(loop: Loop) -> None:
    with loop.database.write() as session:
        put_try(session, "of_last_year")
    enrichments.sweep(loop)
    assert rows(loop, EnrichmentTry) == []


def test_each_try_is_taken_by_one_process(database: Database) -> None:
    with database.write() as session:
        put_try(session, "company_profile")
    taken: list[int] = []

    def take() -> None:
        with database.write() as session:
            taken.append(len(enrichment_tries.take(session, NOON, 60, limit=10)))

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [0] * 5 + [1]
    with database.write() as session:  # whoever took it died
        assert [row.attempts for row in enrichment_tries.take(session, NOON + timedelta(seconds=60), 60, limit=10)] == [2]


def test_what_waits_already_is_not_put_back_by_the_next_failure(with_data: MakeLoop, sandbox: Sandbox, clock: FakeClock) -> None:
    loop = with_data()
    sandbox.company_habits[EVERY] = Habit.BROKEN
    for _ in range(3):
        post(loop, lead(loop=loop))
        worker.sweep_inbox(loop)
        clock.move(seconds=10)
    (waiting,) = rows(loop, EnrichmentTry)
    assert (waiting.attempts, waiting.next_attempt_at) == (0, NOON + timedelta(minutes=1))
