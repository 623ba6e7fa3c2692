"""Others are asked about a company by its domain: once for all who have it, and for nothing else."""

from datetime import timedelta

import pytest

from automation.jobs import worker
from automation.sandbox.company_data import company
from automation.sandbox.state import Sandbox
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow
from data.warehouse.predictions import PredictionRow
from tests.integration.enrichment.asking import INDUSTRY, OF_CONTACT, STEEL, asked, feature, lead, post, rows, told
from tests.integration.enrichment.conftest import MakeLoop
from tests.support import HOT, NOON, FakeClock, generic


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
