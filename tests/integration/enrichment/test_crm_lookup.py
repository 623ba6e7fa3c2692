"""A record is read once, and later where it could not be read: then it is scored anew."""

from automation.jobs import enrichments, worker
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.warehouse.enrichment_tries import EnrichmentTry
from data.warehouse.events import EventRow
from data.warehouse.predictions import PredictionRow
from tests.conftest import LoopFactory
from tests.integration.enrichment.asking import hubspot, post, reads, rows
from tests.support import FakeClock


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


def test_names_of_the_account_that_could_not_be_read_are_asked_again_once_for_all(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    for number in (1, 2, 3):
        sandbox.put("hubspot", "contacts", str(number), {"email": f"{number}@example.com", "hs_analytics_num_visits": "7"})
    deal = {**hubspot(9), "subscriptionType": "deal.propertyChange", "propertyName": "dealstage", "propertyValue": "contractsent"}
    post(loop, deal, *map(hubspot, (1, 2, 3)), source="hubspot")
    sandbox.fault = lambda _vendor, path: 500 if "owners" in path else None
    worker.sweep_inbox(loop)
    assert ["account_names" in row.notes for row in rows(loop, EventRow)] == [False, True, True, True]
    assert [row.enrichment for row in rows(loop, EnrichmentTry)] == ["account_names"]
    for minutes, waiting in ((2, 1), (3, 0)):
        clock.move(minutes=minutes)
        enrichments.sweep(loop)
        assert len(rows(loop, EnrichmentTry)) == waiting
        sandbox.fault = None
    assert sum("owners" in request.path for request in sandbox.requests) == 3
    assert len(rows(loop, EventRow)) == 4, "nobody is scored by them"
