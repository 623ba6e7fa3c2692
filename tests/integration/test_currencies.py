"""Deals in several currencies: one number where HubSpot has converted them, and none where nobody knows a rate."""

import json
from decimal import Decimal
from typing import Any

import pytest

from automation.clients.histories import history_of
from automation.clients.history import Patience
from automation.deals import open_deals
from automation.destinations.registry import DESTINATIONS
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.reconcile import reconcile
from automation.record_fields import FIELDS
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Driver
from data.domain.money import Account, Money
from data.warehouse import entities
from tests.conftest import LoopFactory
from tests.support import FakeClock

PATIENCE = Patience(tries=3, sleep=lambda _seconds: None)
EUROS = {"hubspot": Account("EUR"), "pipedrive": Account("EUR")}


@pytest.fixture
def sandbox(clock: FakeClock) -> Sandbox:
    tokens = {"hubspot_token": "hubspot-token", "pipedrive_token": "pipedrive-token", "slack_token": "slack-token"}
    return Sandbox(**tokens, channels=("sales",), now=clock.now)


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    sandbox.hubspot_account.rates = {"USD": "0.9"}
    return make_loop(addresses)


def look(loop: Loop, clock: FakeClock) -> int:
    """Reconciliation; how many events webhooks had missed."""
    clock.move(minutes=5)
    return sum(gap.missed for gap in reconcile(loop, "hubspot", history_of("hubspot", loop.clients, loop.settings, PATIENCE)))


def worth(loop: Loop, source: str = "hubspot", contact: str = "1") -> tuple[Money, ...]:
    """What the open deals of a contact are worth."""
    with loop.database.read() as session:
        owner = entities.find(session, EntityRef(source=source, kind=EntityKind.CONTACT, id=contact))
        assert owner is not None
        assert owner.id is not None
        return open_deals(session, {owner.id: owner}, EUROS)[owner.id]


def changed(loop: Loop, clock: FakeClock, name: str, value: str) -> None:
    """HubSpot's webhook of the deal in dollars."""
    item = {
        "subscriptionType": "deal.propertyChange", "objectId": 6, "portalId": 1, "eventId": 1, "propertyName": name,
        "propertyValue": value, "occurredAt": int(clock.now().timestamp() * 1000),
    }  # fmt: skip
    assert collect(loop, "hubspot", json.dumps([item]).encode(), Driver.WORKER).accepted == 1


def put_deals(sandbox: Sandbox) -> None:
    sandbox.put("hubspot", "contacts", "1", {"email": "ada@example.com", "hs_analytics_num_visits": "3"})
    for number, money in (("5", {"amount": "100"}), ("6", {"amount": "200", "deal_currency_code": "USD"})):
        sandbox.put("hubspot", "deals", number, {"dealstage": "contractsent", "contact_id": "1", **money})
        sandbox.link(("deals", number), ("contacts", "1"))


def named(loop: Loop) -> None:
    """The deals name their contact: HubSpot's links are told by webhook."""
    link = {"subscriptionType": "deal.associationChange", "associationType": "DEAL_TO_CONTACT", "toObjectId": 1, "portalId": 1}
    at = int(loop.clock.now().timestamp() * 1000)
    links = [{**link, "fromObjectId": number, "occurredAt": at, "eventId": number} for number in (5, 6)]
    collect(loop, "hubspot", json.dumps(links).encode(), Driver.WORKER)


def test_what_hubspot_has_converted_is_one_sum_until_the_amount_changes(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    put_deals(sandbox)
    named(loop)
    look(loop, clock)
    converted = worth(loop)
    assert sorted(money.amount for money in converted) == [100, 180]
    assert {money.currency for money in converted} == {"EUR"}
    clock.move(minutes=1)
    sandbox.put("hubspot", "deals", "6", {"amount": "300"})
    changed(loop, clock, "amount", "300")
    assert set(worth(loop)) == {Money(Decimal(100), "EUR"), Money(Decimal(300), "USD")}, "the old conversion is of the old amount"
    assert look(loop, clock) == 0, "what HubSpot calculates was not missed"
    assert sorted(money.amount for money in worth(loop)) == [100, 270]
    clock.move(minutes=1)
    changed(loop, clock, "deal_currency_code", "CHF")
    assert {money.currency for money in worth(loop)} == {"EUR", "CHF"}


def test_the_record_in_the_crm_has_one_number_in_the_account_s_currency(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    for name, *_ in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
    put_deals(sandbox)
    named(loop)
    look(loop, clock)
    worker.sweep_inbox(loop)
    worker.sweep_outbox(loop, DESTINATIONS["hubspot"])
    record = sandbox.get("hubspot", "contacts", "1")
    assert record is not None
    said = record.properties
    assert said["predicted_currency"] == "EUR"
    assert float(said["predicted_expected_value"]) == pytest.approx(280 * float(said["predicted_score"]), abs=0.02)
    assert said["predicted_expected_value_text"].count("€") == 1


def test_a_webhook_of_the_converted_amount_counts_at_once(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    put_deals(sandbox)
    named(loop)
    look(loop, clock)
    changed(loop, clock, "amount", "300")
    changed(loop, clock, "amount_in_home_currency", "270.0")
    assert sorted(money.amount for money in worth(loop)) == [100, 270]


def test_a_currency_without_a_rate_is_never_added_up(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    sandbox.hubspot_account.rates = {}
    put_deals(sandbox)
    named(loop)
    look(loop, clock)
    assert set(worth(loop)) == {Money(Decimal(100), "EUR"), Money(Decimal(200), "USD")}


def test_pipedrive_converts_nothing(loop: Loop, clock: FakeClock) -> None:
    def deal(number: int, **data: Any) -> bytes:
        stamp = clock.now().isoformat().replace("+00:00", "Z")
        meta = {"version": "2.0", "action": "create", "entity": "deal", "entity_id": number, "company_id": 1, "id": number}
        said = {"id": number, "person_id": 1, "status": "open", **data}
        return json.dumps({"meta": {**meta, "timestamp": stamp}, "data": said, "previous": None}).encode()

    for number, currency in enumerate(("EUR", "USD"), 1):
        assert collect(loop, "pipedrive", deal(number, value=100, currency=currency), Driver.WORKER).accepted == 1
    assert set(worth(loop, "pipedrive")) == {Money(Decimal(100), "EUR"), Money(Decimal(100), "USD")}
