"""Enrichment that asks: read once, cached, within a budget; what fails is noted, tried again, and scored anew when it comes."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from automation import knowledge
from automation.clients.registry import Clients
from automation.jobs import enrichments, worker
from automation.patience import MOST_LEFT, Patience
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.company_data import EVERY, Habit, company
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data import log
from data.db import Database
from data.domain.company_profile import CompanyProfile
from data.domain.event import Driver
from data.errors import Retryable
from data.warehouse import company_data_use, enrichment_tries
from data.warehouse.enrichment_tries import EnrichmentTry
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow
from data.warehouse.predictions import PredictionRow
from ml.features.build import build
from ml.features.facts import EXAMPLES
from tests.conftest import LoopFactory
from tests.support import HOT, NOON, FakeClock, generic, until

STEEL = "steel.example"
INDUSTRY, OF_CONTACT = "profile:industry", "company_profile:industry"
MakeLoop = Callable[..., Loop]


@pytest.fixture
def sandbox(standing: tuple[Sandbox, Addresses]) -> Sandbox:
    standing[0].clear()
    return standing[0]


@pytest.fixture
def addresses(standing: tuple[Sandbox, Addresses]) -> Addresses:
    return standing[1]


@pytest.fixture
def with_data(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> MakeLoop:
    """Loops that ask Hunter's stand-in, or both, about companies; no CRM is configured, events come as our own JSON."""
    sandbox.companies[STEEL] = company(STEEL)

    def make(*, both: bool = False, **settings: Any) -> Loop:
        keys = {"hunter_api_key": "company-data-key"} | ({"clearbit_api_key": "company-data-key"} if both else {})
        urls = {"hunter_base_url": addresses.hunter, "clearbit_base_url": addresses.clearbit}
        return make_loop(addresses, **{"enrich_seconds": 3, **keys, **urls, **settings})

    return make


def post(loop: Loop, *items: Any, source: str = "generic") -> None:
    assert not collect(loop, source, json.dumps(items).encode(), Driver.WORKER).rejected


def lead(name: str = "ada", *, domain: str = STEEL, loop: Loop | None = None, **more: Any) -> dict[str, Any]:
    at = loop.clock.now() if loop is not None else NOON
    return generic(name, at=at, email=f"{name}@{domain}", **{**HOT, **more})


def asked(sandbox: Sandbox, vendor: str = "hunter") -> list[str]:
    return [request.path.partition("domain=")[2] for request in sandbox.requests if request.vendor == vendor]


def rows(loop: Loop, table: Any) -> list[Any]:
    with loop.database.read() as session:
        return list(session.exec(select(table).order_by(*table.__table__.primary_key)))


def told(loop: Loop, name: str) -> list[tuple[int, str | None]]:
    return [(row.entity_id, row.value) for row in rows(loop, FactRow) if row.name == name]


@contextmanager
def logging() -> Iterator[None]:
    log.configure(json=True, level="WARNING")
    yield
    log.configure(json=True, level="CRITICAL")


def logged(capsys: pytest.CaptureFixture[str], event: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    return [line for line in lines if line["event"] == event]


def feature(loop: Loop, name: str, *, entity: int = 1, at: Any = None) -> Any:
    with loop.database.read() as session:
        frame = knowledge.recall(session, [entity], (), related=True)
    example = pl.DataFrame([(entity, at or loop.clock.now())], schema=EXAMPLES, orient="row")
    return build("lead_score", example, frame, wanted=[name]).item()


# What the CRM has


def hubspot(number: int, kind: str = "propertyChange", *, second: int = 0) -> dict[str, Any]:
    change = {"propertyName": "hs_analytics_num_visits", "propertyValue": "7"} if kind == "propertyChange" else {}
    return {
        "eventId": 1, "portalId": 1, "objectId": number, "occurredAt": int(NOON.timestamp() + second) * 1000,
        "subscriptionType": f"contact.{kind}", **change,
    }  # fmt: skip


def reads(sandbox: Sandbox) -> int:
    return sum(request.path.endswith("batch/read") for request in sandbox.requests)


def test_a_record_of_many_events_is_read_once_in_a_batch_and_in_those_after_it(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "1", {"email": "ada@example.com", "hs_analytics_num_visits": "7"})
    post(loop, hubspot(1, second=-9), hubspot(1, second=-8), source="hubspot")
    worker.sweep_inbox(loop)
    assert (reads(sandbox), len(rows(loop, PredictionRow))) == (1, 2)
    clock.move(seconds=90)
    post(loop, hubspot(1, "creation", second=-10), hubspot(1, second=60), source="hubspot")  # its creation comes late
    worker.sweep_inbox(loop)
    assert (reads(sandbox), len(rows(loop, PredictionRow))) == (1, 4), "it was read after it was created"
    clock.move(hours=25)
    post(loop, hubspot(1, second=90_000), source="hubspot")
    worker.sweep_inbox(loop)
    assert reads(sandbox) == 2, "what is known has grown old"


def test_a_record_that_could_not_be_read_is_read_later_and_scored_anew(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "1", {"email": "ada@example.com", "hs_analytics_num_visits": "1"})
    post(loop, hubspot(1), source="hubspot")
    worker.sweep_inbox(loop)
    clock.move(hours=25)
    sandbox.put("hubspot", "contacts", "1", {"hs_analytics_num_page_views": "40"})
    sandbox.fault = lambda _vendor, path: 500 if path.endswith("read") else None
    post(loop, hubspot(1, second=90_000), source="hubspot")
    worker.sweep_inbox(loop)
    assert "HubSpot answered 500" in rows(loop, EventRow)[-1].notes["crm_lookup"]
    assert len(rows(loop, PredictionRow)) == 2, "scored by what is known"
    sandbox.fault = None
    clock.move(minutes=2)
    enrichments.sweep(loop)
    worker.sweep_inbox(loop)
    assert rows(loop, EventRow)[-1].type == "contact.reviewed"
    assert rows(loop, PredictionRow)[-1].features["page_views"] == 40.0
    assert rows(loop, EnrichmentTry) == []


# What others know


def test_a_domain_is_asked_about_once_for_all_who_have_it(with_data: MakeLoop, sandbox: Sandbox, clock: FakeClock) -> None:
    loop = with_data()
    post(loop, lead("ada"), lead("bo"), lead("cy", domain="STEEL.example"))
    worker.sweep_inbox(loop)
    clock.move(days=80)
    post(loop, lead("ada", loop=loop, sessions=9), lead("di", loop=loop))
    worker.sweep_inbox(loop)
    assert asked(sandbox) == [STEEL]
    assert told(loop, OF_CONTACT) == [(number, "Machinery") for number, _ in told(loop, "email")[:3] + told(loop, "email")[-1:]]
    assert told(loop, "company_profile:employees")[0] == (1, "113")
    clock.move(days=11)
    sandbox.companies[STEEL] = company(STEEL, category={"industry": "Robots"})
    post(loop, lead("ada", loop=loop))
    worker.sweep_inbox(loop)
    assert asked(sandbox) == [STEEL, STEEL], "it has grown old"
    assert told(loop, OF_CONTACT)[-1] == (1, "Robots")


def test_what_nobody_knows_is_remembered_too_for_a_shorter_time(with_data: MakeLoop, sandbox: Sandbox, clock: FakeClock) -> None:
    loop = with_data()
    for days in (0, 29, 2):
        clock.move(days=days)
        post(loop, lead(domain="nobody.example", loop=loop))
        worker.sweep_inbox(loop)
    assert asked(sandbox) == ["nobody.example"] * 2
    assert not [row for row in rows(loop, FactRow) if "profile:" in row.name]
    assert [row.notes for row in rows(loop, EventRow)] == [{}, {}, {}]


@pytest.mark.parametrize("domain", ["gmail.com", "gmx.de", "GoogleMail.com"])
def test_nothing_is_asked_about_free_mail(with_data: MakeLoop, sandbox: Sandbox, domain: str) -> None:
    loop = with_data()
    post(loop, lead(domain=domain), generic("nobody", **HOT))
    worker.sweep_inbox(loop)
    assert asked(sandbox) == []
    assert len(rows(loop, PredictionRow)) == 2


def test_only_the_domain_leaves(with_data: MakeLoop, sandbox: Sandbox) -> None:
    loop = with_data(both=True)
    post(loop, lead("ada.lovelace", domain="nobody.example", phone="+49 123"))
    worker.sweep_inbox(loop)
    for vendor in ("hunter", "clearbit"):
        (request,) = [request for request in sandbox.requests if request.vendor == vendor]
        assert request.path == f"/{vendor}/v2/companies/find?domain=nobody.example"


def test_facts_are_known_since_they_were_looked_up(with_data: MakeLoop, clock: FakeClock) -> None:
    loop = with_data()
    clock.move(seconds=5)
    post(loop, lead(loop=loop))
    worker.sweep_inbox(loop)
    (fact,) = [row for row in rows(loop, FactRow) if row.name == OF_CONTACT]
    assert (fact.origin, fact.occurred_at, fact.known_at, fact.event_id) == ("lookup", clock.now(), clock.now(), None)
    assert feature(loop, OF_CONTACT, at=clock.now() - timedelta(seconds=1)) is None
    assert feature(loop, OF_CONTACT) == "Machinery"
    looked_up_at = clock.now()
    clock.move(days=3)
    post(loop, lead("bo", loop=loop))
    worker.sweep_inbox(loop)
    _, fact = [row for row in rows(loop, FactRow) if row.name == OF_CONTACT]
    assert (fact.occurred_at, fact.known_at) == (looked_up_at, clock.now()), "known of this one only from now on"


def test_a_company_that_is_known_here_has_the_facts_itself_and_keeps_what_its_crm_says(
    with_data: MakeLoop, sandbox: Sandbox
) -> None:
    loop = with_data()
    firm = {"id": "c", "type": "company.changed", "occurred_at": NOON.isoformat(), "entity": {"kind": "company", "id": "7"}}
    post(loop, {**firm, "properties": {"domain": f"https://www.{STEEL}/", "industry": "Ironmongers", INDUSTRY: "a forger's"}})
    post(loop, lead("ada", domain="agency.example", company_id="7"), lead("bo", domain="gmail.com", company_id="7"))
    worker.sweep_inbox(loop)
    assert asked(sandbox) == [STEEL]
    (company_id,) = {number for number, _ in told(loop, "domain")}
    assert told(loop, INDUSTRY) == [(company_id, "Machinery")]
    assert told(loop, "industry") == [(company_id, "Ironmongers")]
    for entity in {row.entity_id for row in rows(loop, PredictionRow)}:
        assert feature(loop, OF_CONTACT, entity=entity) == "Machinery"
        assert feature(loop, "company_industry", entity=entity) == "Ironmongers"


def test_a_company_whose_domain_nobody_knows_is_not_taken_for_its_contact_s(with_data: MakeLoop) -> None:
    loop = with_data()
    post(loop, lead(company_id="7"))
    worker.sweep_inbox(loop)
    ((contact, _),) = told(loop, "email")
    assert (told(loop, OF_CONTACT), told(loop, INDUSTRY)) == ([(contact, "Machinery")], [])


def test_the_second_is_asked_where_the_first_knows_nothing_or_fails(with_data: MakeLoop, sandbox: Sandbox) -> None:
    loop = with_data(both=True, company_data_order="clearbit,hunter")
    post(loop, lead(domain="nobody.example"))
    worker.sweep_inbox(loop)
    assert [asked(sandbox, name) for name in ("clearbit", "hunter")] == [["nobody.example"]] * 2
    sandbox.fault = lambda vendor, _path: 500 if vendor == "clearbit" else None
    post(loop, lead("bo"))
    worker.sweep_inbox(loop)
    assert told(loop, OF_CONTACT) == [(2, "Machinery")]
    assert rows(loop, EventRow)[-1].notes == {}


# The budget


def test_one_budget_is_shared_by_all_processes(
    with_data: MakeLoop, sandbox: Sandbox, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = with_data(hunter_per_day=2), with_data(hunter_per_day=2)
    with logging():
        for number, loop in enumerate((first, second, first, second)):
            post(loop, lead(f"lead{number}", domain=f"{number}.example"))
            worker.sweep_inbox(loop)
    assert [(line["provider"], line["per_day"]) for line in logged(capsys, "company_data.budget.spent")] == [("hunter", 2)]
    assert asked(sandbox) == ["0.example", "1.example"]
    notes = [row.notes for row in rows(first, EventRow)]
    assert notes[:2] == [{}, {}]
    assert notes[2] == notes[3] == {"company_profile": "hunter: the day's budget of 2 calls is spent"}
    waiting = rows(first, EnrichmentTry)
    assert {row.next_attempt_at for row in waiting} == {NOON + timedelta(hours=12)}, "the next day, in UTC"
    clock.move(hours=12)
    enrichments.sweep(second)
    assert sorted(asked(sandbox)[2:]) == ["2.example", "3.example"]
    assert rows(first, EnrichmentTry) == []


def test_a_spent_budget_uses_up_no_tries(with_data: MakeLoop, clock: FakeClock) -> None:
    loop = with_data(hunter_per_day=1, enrich_tries=1)
    with loop.database.write() as session:
        today = NOON.date()
        assert not company_data_use.spend(session, "clearbit", today, 0)
        assert company_data_use.spend(session, "hunter", today, 1)
        assert not company_data_use.spend(session, "hunter", today, 1)
        assert [company_data_use.tell(session, "hunter", today) for _ in range(2)] == [True, False]
        assert company_data_use.spend(session, "hunter", today + timedelta(days=1), 1)
    post(loop, lead())
    worker.sweep_inbox(loop)
    clock.move(hours=13)  # the next day, whose one call is made already
    enrichments.sweep(loop)
    (waiting,) = rows(loop, EnrichmentTry)
    assert (waiting.attempts, waiting.next_attempt_at) == (0, NOON + timedelta(hours=36))


def test_calls_are_counted_by_the_database_itself(database: Database) -> None:
    spent: list[bool] = []

    def spend() -> None:
        for _ in range(10):
            with database.write() as session:
                spent.append(company_data_use.spend(session, "hunter", NOON.date(), 25))

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (spent.count(True), spent.count(False)) == (25, 15)


# What fails is noted, and comes later


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


def put_try(session: Session, name: str) -> None:
    session.execute(
        text("INSERT INTO entities (id, source, kind, vendor_id, created_at) VALUES (1, 'generic', 'contact', 'ada', '2026-03-02')")
    )
    row = {"entity_id": 1, "enrichment": name, "attempts": 0, "next_attempt_at": NOON, "reason": "it was down", "created_at": NOON}
    session.add(EnrichmentTry(**row))
