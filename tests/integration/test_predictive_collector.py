"""The predictive collector: what is refused is kept and its event goes on; what is taken becomes fields, money among them."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text

from automation import models
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
from data.domain.traffic import Mode
from data.settings import Scope
from data.warehouse import entities, predictions
from ml import copies
from ml.version import CHALLENGER, CHAMPION, write_atomically
from tests.conftest import LoopFactory
from tests.support import COLD, HOT, NOON, FakeClock, bearer, generic, put_variation
from tests.unit.test_prediction_checks import fewer_digits

READ = bearer(Scope.READ)


def scored(api: httpx.Client, *items: Any) -> list[dict[str, Any]]:
    """The way of n8n up to the third door."""
    found = api.post("/collect/generic?driver=n8n", json=list(items), headers=bearer(Scope.COLLECT)).json()["events"]
    ids = [row["event_id"] for row in found if row["models"]]
    entries: list[dict[str, Any]] = api.post("/predict/events", json={"event_ids": ids}, headers=bearer(Scope.SCORE)).json()[
        "scored"
    ]
    assert len(entries) == len(ids)
    return entries


def hand_in(api: httpx.Client, entries: list[Any]) -> dict[str, Any]:
    answer = api.post("/collect/predictions", json=entries, headers=bearer(Scope.PREDICTIONS))
    assert answer.status_code == 202
    found: dict[str, Any] = answer.json()
    return found


def letters(api: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/dead-letters", headers=READ).json()
    return found


def fields(loop: Loop) -> list[dict[str, Any]]:
    """The fields of every stored prediction, in order."""
    with loop.database.read() as session:
        return [row.fields for row in sorted(predictions.newest(session, 100), key=lambda row: row.id or 0)]


# -- what is refused --


def test_a_prediction_that_fails_a_check_is_kept_and_its_event_is_scored_all_the_same(
    api: httpx.Client, loop: Loop, clock: FakeClock
) -> None:
    good, bad = scored(api, generic("good@example.com", **HOT), generic("bad@example.com", **HOT))
    bad["predictions"][0]["score"] = 0.123
    bad["predictions"][0]["confidence"] = 0.877
    answer = hand_in(api, [good, bad])
    assert answer["accepted"] == 1
    (refused,) = answer["rejected"]
    assert (refused["index"], refused["status"], refused["field"]) == (1, 422, "predictions.0.label")
    (letter,) = letters(api)
    assert (letter["stage"], letter["source"], letter["event_id"], letter["position"]) == (
        "collect_predictions", "generic", bad["event"]["event_id"], 1,
    )  # fmt: skip
    assert json.loads(letter["content"]) == bad
    assert letter["reason"] == refused["detail"]
    clock.move(seconds=16)
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM predictions")).scalar_one() == 2
        assert set(session.execute(text("SELECT state FROM events")).scalars()) == {"done"}


# What of a good prediction is changed, with what it is refused, and the field that is named.
FAULTS: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"model": "nobody"}, 404, "model_version"),
    ({"model_version": "999"}, 404, "model_version"),
    ({"model": 7}, 422, "model"),
    ({"entity": None}, 422, "entity"),
    ({"entity": {"source": "generic", "kind": "contact", "id": "eve@example.com"}}, 422, "entity"),
    ({"score": 2}, 422, "score"),
    ({"threshold": -1}, 422, "threshold"),
    ({"confidence": 0.6}, 422, "confidence"),
    ({"label": "low"}, 422, "label"),
    ({"grade": "E"}, 422, "grade"),
    ({"base_value": 3.0}, 422, "factors"),
    ({"factors": []}, 422, "factors"),
    ({"as_of": "2026-03-02T12:30:00Z"}, 422, "as_of"),
    ({"as_of": "2026-03-02T11:30:00Z"}, 422, "as_of"),
    ({"features": {"sessions": "many"}}, 422, "features.sessions"),
    ({"features": {"shoe_size": 43}}, 422, "features"),
)


def test_each_fault_names_its_field_and_is_kept(api: httpx.Client) -> None:
    entries = scored(api, *(generic(f"{number}@example.com", **HOT) for number in range(len(FAULTS) + 1)))
    for entry, (change, _, _) in zip(entries, FAULTS, strict=False):
        entry["event"].pop("entity")
        entry["predictions"][0] |= change
    answer = hand_in(api, entries)
    assert answer["accepted"] == 1, "the last one, which is good"
    for refused, (change, status, field) in zip(answer["rejected"], FAULTS, strict=True):
        assert (refused["status"], refused["field"]) == (status, f"predictions.0.{field}"), change
        assert refused["field"] in refused["detail"]
    kept = {letter["position"]: json.loads(letter["content"]) for letter in letters(api)}
    assert kept == dict(enumerate(entries[:-1]))


def test_what_is_no_entry_is_kept_too(api: httpx.Client) -> None:
    entries: list[Any] = [3, None, "seven", [], {}, {"event": {"event_id": -1}}, {"event": {"event_id": True}, "predictions": [{}]}]
    assert {refused["status"] for refused in hand_in(api, entries)["rejected"]} == {422}
    for letter in letters(api):
        assert (letter["source"], letter["event_id"]) == ("predictions", None)
        assert json.loads(letter["content"]) == entries[letter["position"]]


def test_an_entry_for_no_event_is_kept_without_one(api: httpx.Client) -> None:
    (entry,) = scored(api, generic(**HOT))
    entry["event"]["event_id"] = 99_999
    (refused,) = hand_in(api, [entry])["rejected"]
    assert (refused["status"], refused["field"]) == (404, "event.event_id")
    assert letters(api)[0]["event_id"] is None


def test_characters_that_no_database_takes_are_kept_as_ascii(api: httpx.Client) -> None:
    (entry,) = scored(api, generic(**HOT))
    entry["predictions"][0]["model_version"] = "1\x00\ud800"
    body = json.dumps([entry]).encode("ascii")
    answer = api.post(
        "/collect/predictions", content=body, headers={**bearer(Scope.PREDICTIONS), "content-type": "application/json"}
    )
    assert answer.json()["rejected"][0]["status"] == 422
    assert "\\u0000\\ud800" in letters(api)[0]["content"]


def test_what_the_worker_makes_is_given_back_with_its_event_and_leaves_no_letter_here(loop: Loop, clock: FakeClock) -> None:
    """The same fault, made by ourselves: the event is tried again, and is a dead letter of its own in the end."""
    collect(loop, "generic", json.dumps([generic(**HOT)]).encode(), Driver.WORKER)
    card = loop.predictor.card
    loop.predictor.card = lambda *key: card(*key).model_copy(update={"base_rate": 0.999})  # type: ignore[method-assign]
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM dead_letters")).scalar_one() == 0
        (row,) = session.execute(text("SELECT state, attempts, error FROM events")).all()
        assert (row.state, row.attempts) == ("new", 1)
        assert "predictions.0.grade" in row.error


# -- what is taken --


def test_a_prediction_is_taken_however_its_numbers_are_written(api: httpx.Client, loop: Loop) -> None:
    entries = scored(api, *(generic(f"{number}@example.com", **{**HOT, "page_views": number}) for number in range(30)))
    assert hand_in(api, fewer_digits(entries))["rejected"] == []
    assert len(fields(loop)) == 30


def test_a_challenger_s_predictions_are_taken(api: httpx.Client, loop: Loop, trained_models: Path) -> None:
    folder = loop.settings.models_dir
    put_variation(trained_models / "lead_score" / "1", folder / "lead_score" / "2", trees=50)
    copies.point(folder, "lead_score", CHALLENGER, "2")
    models.set_traffic(loop, "lead_score", Mode.LIVE, 0.5)
    entries = scored(api, *(generic(f"{number}@example.com", **HOT) for number in range(20)))
    assert {entry["predictions"][0]["variant"] for entry in entries} == {"champion", "challenger"}
    assert hand_in(api, fewer_digits(entries))["rejected"] == []


def test_a_version_that_was_replaced_meanwhile_is_known_as_long_as_its_copy_is(
    api: httpx.Client, loop: Loop, trained_models: Path
) -> None:
    first, second = scored(api, generic("a@example.com", **HOT), generic("b@example.com", **HOT))
    folder = loop.settings.models_dir / "lead_score"
    put_variation(trained_models / "lead_score" / "1", folder / "2", trees=50)
    write_atomically(folder / CHAMPION, "2")
    assert loop.predictor.refresh() == ["lead_score"]
    assert hand_in(api, [first])["accepted"] == 1
    shutil.rmtree(folder / "1")
    (refused,) = hand_in(api, [second])["rejected"]
    assert (refused["status"], refused["field"]) == (404, "predictions.0.model_version")


def test_what_is_too_old_is_refused_unless_it_is_a_repeat(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    first, second = scored(api, generic("a@example.com", **HOT), generic("b@example.com", **HOT))
    assert hand_in(api, [first])["accepted"] == 1
    clock.move(hours=loop.settings.prediction_max_age_hours, seconds=1)
    answer = hand_in(api, [first, second])
    assert answer["accepted"] == 1, "the first changes nothing"
    assert answer["rejected"][0]["field"] == "predictions.0.as_of"
    assert len(fields(loop)) == 1


def test_an_event_of_a_clock_that_runs_ahead_can_be_scored(api: httpx.Client) -> None:
    (entry,) = scored(api, generic(at=NOON.replace(hour=20), **HOT))
    assert hand_in(api, [entry])["rejected"] == []


def test_a_model_says_what_its_predictions_look_like(api: httpx.Client) -> None:
    schema = api.get("/models/lead_score", headers=READ).json()["prediction_schema"]
    assert schema["name"] == "probability"
    assert {"score", "label", "grade"} <= set(schema["shape"]["required"])
    assert [check["status"] for check in schema["checks"] if check["name"] in {"version", "identity"}] == [404, 422]


# -- several models, money --


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
