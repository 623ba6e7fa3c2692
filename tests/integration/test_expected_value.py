"""What a lead's open deals are expected to bring, in whose currency."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text

from automation.account import accounts
from automation.deals import open_deals
from automation.destinations.crm import HUBSPOT
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.record_fields import FIELDS
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.event import Driver
from data.domain.money import Account, Money
from data.warehouse import entities, predictions
from tests.conftest import LoopFactory
from tests.support import COLD, HOT, NOON, FakeClock, generic
from tests.third_door import fields, hand_in, scored


def deal(number: str, *, key: str, contact: str | None = "ada@example.com", second: int = 0, **properties: Any) -> dict[str, Any]:
    named = {"contact_id": contact} if contact else {}
    return {
        "id": key, "type": "deal.changed", "occurred_at": NOON.replace(second=second).isoformat(),
        "entity": {"kind": "deal", "id": number}, "properties": {**named, **properties},
    }  # fmt: skip


def expected(api: httpx.Client, loop: Loop, *items: dict[str, Any]) -> tuple[float | None, str | None, str | None, float]:
    """What an event of Ada's says of her deals after these items; with her score."""
    hand_in(api, scored(api, *items, generic(**{**HOT, "page_views": len(fields(loop)) + 16})))
    made = fields(loop)[-1]
    names = ("predicted_expected_value", "predicted_currency", "predicted_expected_value_text", "predicted_score")
    value, currency, words, score = (made[name] for name in names)
    return value, currency, words, score


def test_expected_value_follows_the_deals_that_name_a_contact(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    assert expected(api, loop)[:3] == (None, None, None)
    value, currency, words, score = expected(api, loop, deal("1", key="a", amount="1000", currency="eur"))
    assert (value, currency) == (pytest.approx(1000 * score, abs=0.01), "EUR")
    assert words == f"€{value:.2f}"
    value, *_, score = expected(api, loop, deal("2", key="b", amount=500, currency="EUR", status="open"))
    assert value == pytest.approx(1500 * score, abs=0.01)
    value, currency, words, score = expected(api, loop, deal("3", key="c", amount=70, currency="USD"))
    assert (value, currency) == (None, None), "there is no rate"
    assert words == f"€{1500 * score:.2f} + ${70 * score:.2f}"
    value, *_, score = expected(api, loop, deal("3", key="d", status="won", second=1))
    assert value == pytest.approx(1500 * score, abs=0.01), "what is won is not expected any more"
    value, *_, score = expected(api, loop, deal("2", key="e", contact="bob@example.com", second=2))
    assert value == pytest.approx(1000 * score, abs=0.01), "it belongs to somebody else now"
    gone = {**deal("1", key="f", second=3), "type": "deal.deleted", "properties": {}}
    clock.move(seconds=10)
    assert expected(api, loop, gone)[:3] == (None, None, None)


def test_a_deal_that_is_linked_to_a_contact_counts_while_it_is(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    link = deal("1", key="x", contact=None) | {
        "type": "deal.associated", "properties": {}, "targets": [{"kind": "contact", "id": "ada@example.com"}]
    }  # fmt: skip
    value, *_, score = expected(api, loop, deal("1", key="a", contact=None, amount=10, currency="CHF"), link)
    assert value == pytest.approx(10 * score, abs=0.01)
    off = {**link, "id": "y", "type": "deal.dissociated", "occurred_at": NOON.replace(second=5).isoformat()}
    clock.move(seconds=10)
    assert expected(api, loop, off)[:3] == (None, None, None)


def test_where_amount_or_currency_is_not_known_nothing_is_said(loop: Loop) -> None:
    told: list[dict[str, Any]] = [
        {"amount": 10}, {"currency": "EUR"}, {"amount": "much", "currency": "EUR"}, {"amount": 10, "currency": "Euro"},
        {"amount": 10, "currency": 5}, {"amount": "", "currency": "EUR"}, {"amount": 10, "currency": "EUR", "status": "Lost"},
    ]  # fmt: skip
    items = [{**deal(str(number), key=f"d{number}", **one), "source": "generic"} for number, one in enumerate(told)]
    collect(loop, "leadloop", json.dumps([*items, {**generic(**HOT), "source": "generic"}]).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)
    assert fields(loop)[-1]["predicted_expected_value_text"] is None


def test_a_deal_itself_is_worth_its_own_amount(loop: Loop) -> None:
    collect(loop, "generic", json.dumps([deal("1", key="a", amount=250, currency="EUR")]).encode(), Driver.WORKER)
    with loop.database.read() as session:
        (number,) = session.execute(text("SELECT id FROM entities WHERE kind = 'deal'")).scalars()
        owners = entities.by_ids(session, [number])
        assert open_deals(session, owners, {}) == {number: (Money(Decimal("250.0"), "EUR"),)}


def hubspot_item(name: str, number: int, *, second: int = 0, **more: Any) -> dict[str, Any]:
    at = int(NOON.timestamp() + second) * 1000
    return {"eventId": 1, "portalId": 1, "occurredAt": at, "subscriptionType": name, "objectId": number, **more}


def hubspot_lead(loop: Loop, sandbox: Sandbox, *, second: int = 0) -> dict[str, Any]:
    """A contact of HubSpot with an open deal that says no currency, scored by the worker; the fields of the last score."""
    sandbox.put("hubspot", "contacts", "1", {"email": "1@example.com", "hs_analytics_num_visits": "3"})
    visits = {"propertyName": "hs_analytics_num_visits", "propertyValue": str(second + 1)}
    link = {"associationType": "DEAL_TO_CONTACT", "fromObjectId": 5, "toObjectId": 1}
    items = [
        hubspot_item("contact.propertyChange", 1, second=second, **visits),
        hubspot_item("deal.propertyChange", 5, second=second, propertyName="amount", propertyValue="100"),
        hubspot_item("deal.associationChange", 5, second=second, **link),
    ]
    collect(loop, "hubspot", json.dumps(items).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)
    return fields(loop)[-1]


def asked_for_account(sandbox: Sandbox) -> int:
    return sum(request.path.endswith(("/account-info/v3/details", "/v1/users/me")) for request in sandbox.requests)


def test_the_account_s_currency_is_asked_of_the_crm_once(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> None:
    sandbox.hubspot_account.currency = "SEK"
    loop = make_loop(addresses)
    made = hubspot_lead(loop, sandbox)
    assert (made["predicted_currency"], made["predicted_expected_value_text"][:3]) == ("SEK", "SEK")
    hubspot_lead(loop, sandbox, second=9)
    assert asked_for_account(sandbox) == 1


def test_settings_win_over_the_crm_and_spare_it_the_question(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox
) -> None:
    loop = make_loop(addresses, account_currency="chf", account_locale="de-CH")
    made = hubspot_lead(loop, sandbox)
    assert made["predicted_currency"] == "CHF"
    assert made["predicted_expected_value_text"].startswith("CHF\xa0")
    assert asked_for_account(sandbox) == 0


def test_an_account_that_cannot_be_asked_stops_nothing_and_is_left_alone(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox
) -> None:
    loop = make_loop(addresses)
    sandbox.fault = lambda _vendor, path: 500 if path.startswith("/account") else None
    assert hubspot_lead(loop, sandbox)["predicted_expected_value"] is None
    sandbox.fault = None
    assert hubspot_lead(loop, sandbox, second=9)["predicted_expected_value"] is None, "not asked again at once"
    assert asked_for_account(sandbox) == 1


def test_pipedrive_tells_currency_and_locale(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> None:
    sandbox.pipedrive_account.currency, sandbox.pipedrive_account.locale = "PLN", "pl_PL"
    loop = make_loop(addresses)
    found = accounts(loop, ["pipedrive", "hubspot", "generic"])
    assert found == {"pipedrive": Account("PLN", "pl_PL"), "hubspot": Account("EUR", None), "generic": Account()}


def test_an_account_that_says_nonsense_has_said_nothing(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> None:
    nonsense: list[tuple[Any, Any]] = [("Euro", "xx_XX"), (None, None), (5, ["de"]), ("", "")]
    for currency, locale in nonsense:
        sandbox.hubspot_account.currency = sandbox.pipedrive_account.currency = currency
        sandbox.pipedrive_account.locale = locale
        assert accounts(make_loop(addresses), ["pipedrive", "hubspot"]) == {"pipedrive": Account(), "hubspot": Account()}


def test_the_fields_reach_the_record(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> None:
    for name, *_ in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
    loop = make_loop(addresses)
    hubspot_lead(loop, sandbox)
    worker.sweep_outbox(loop, HUBSPOT)
    record = sandbox.get("hubspot", "contacts", "1")
    assert record is not None
    assert record.properties["predicted_record"] == "contact 1"
    assert record.properties["predicted_currency"] == "EUR"
    assert float(record.properties["predicted_combined_score"]) == pytest.approx(
        100 * float(record.properties["predicted_score"]), abs=0.06
    )


@contextmanager
def statements(loop: Loop) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        found.append(statement)

    event.listen(loop.database.engine, "before_cursor_execute", note)
    yield found
    event.remove(loop.database.engine, "before_cursor_execute", note)


def test_what_the_fields_are_made_of_is_read_once_for_a_whole_batch(loop: Loop) -> None:
    people = [f"{number}@example.com" for number in range(20)]
    items = [generic(name, **COLD) for name in people]
    items += [deal(str(number), key=f"d{number}", contact=name, amount=1, currency="EUR") for number, name in enumerate(people)]
    collect(loop, "generic", json.dumps(items).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)
    assert {made["predicted_currency"] for made in fields(loop)} == {"EUR"}
    with loop.database.read() as session:
        ids = session.execute(text("SELECT id FROM entities WHERE kind = 'contact'")).scalars().all()
        counted = []
        for some in (ids[:1], ids):
            owners = entities.by_ids(session, some)
            with statements(loop) as asked:
                assert all(len(each) == 1 for each in open_deals(session, owners, {}).values())
                assert all(each.keys() == {"lead_score"} for each in predictions.said_of(session, owners).values())
            counted.append(len(asked))
    assert counted == [3, 3]
