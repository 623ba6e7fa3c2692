"""The stand-ins speak as the vendors do, to the official SDKs and behind the proxy."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from automation.clients.base import Write
from automation.clients.hubspot import GROUP, HubSpotClient
from automation.clients.pipedrive import PipedriveClient
from automation.clients.slack import SlackClient
from automation.record_fields import FIELDS, HUBSPOT_PROPERTIES, PIPEDRIVE_FIELDS
from automation.sandbox.habits import Habits
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind
from data.errors import Permanent, Retryable

CONTACT = EntityKind.CONTACT
TOO_LONG = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}


@pytest.fixture
def hubspot(addresses: Addresses) -> HubSpotClient:
    return HubSpotClient("hubspot-token", addresses.hubspot)


@pytest.fixture
def pipedrive(addresses: Addresses) -> PipedriveClient:
    return PipedriveClient("pipedrive-token", addresses.pipedrive)


@pytest.fixture
def slack(addresses: Addresses) -> SlackClient:
    return SlackClient("slack-token", addresses.slack)


def test_hubspot_batches_answer_row_by_row(hubspot: HubSpotClient, sandbox: Sandbox) -> None:
    for number in range(1, 101):
        sandbox.put("hubspot", "contacts", str(number), {"email": f"{number}@example.com"})
    sandbox.define_hubspot_property("contacts", "predicted_score")
    found = hubspot.read(CONTACT, [str(number) for number in range(51, 151)], ["email"])
    assert len(found) == 50
    assert found["51"].properties["email"] == "51@example.com"
    failures = hubspot.write(CONTACT, [Write(str(number), {"predicted_score": 0.5}) for number in range(51, 151)])
    assert sorted(map(int, failures)) == list(range(101, 151))
    assert all(isinstance(error, Permanent) for error in failures.values())
    assert sandbox.get("hubspot", "contacts", "51").properties["predicted_score"] == "0.5"  # type: ignore[union-attr]


def test_rows_that_hubspot_refuses_for_now_are_told_apart_from_those_it_refuses(
    hubspot: HubSpotClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 100):
        sandbox.put("hubspot", "contacts", str(number), {})
    sandbox.define_hubspot_property("contacts", "predicted_score")
    sandbox.set_habits(Habits(partial=0.5, seed=1))
    failures = hubspot.write(CONTACT, [Write(str(number), {"predicted_score": 0.5}) for number in range(1, 101)])
    assert isinstance(failures.pop("100"), Permanent), "there is no such record"
    assert all(isinstance(error, Retryable) for error in failures.values())
    done = {number for number in map(str, range(1, 100)) if written(sandbox, number) == "0.5"}
    assert 20 < len(done) < 80
    assert failures.keys() == {str(number) for number in range(1, 100)} - done

    sandbox.set_habits(Habits())
    called = hubspot.called

    def answering_for_some(call: Callable[[], Any]) -> Any:
        answer = called(call)
        answer.results = [row for row in answer.results if row.id != "7"]
        return answer

    monkeypatch.setattr(hubspot, "called", answering_for_some)
    left_out = hubspot.write(CONTACT, [Write(number, {"predicted_score": 0.6}) for number in ("6", "7")])
    assert {number: type(error) for number, error in left_out.items()} == {"7": Retryable}, "nobody said that it was written"


def written(sandbox: Sandbox, number: str) -> str | None:
    record = sandbox.get("hubspot", "contacts", number)
    return record.properties.get("predicted_score") if record is not None else None


def test_hubspot_refuses_more_than_a_hundred_and_unknown_properties(hubspot: HubSpotClient, sandbox: Sandbox) -> None:
    with pytest.raises(Permanent, match="maximum batch size"):
        hubspot.read(CONTACT, [str(number) for number in range(101)], ["email"])
    sandbox.put("hubspot", "contacts", "1", {})
    assert "does not exist" in hubspot.write(CONTACT, [Write("1", {"nobody_made_this": 1})])["1"].detail


def test_properties_are_made_once(hubspot: HubSpotClient, pipedrive: PipedriveClient) -> None:
    assert len(hubspot.ensure_properties(CONTACT, HUBSPOT_PROPERTIES)) == len(HUBSPOT_PROPERTIES)
    assert hubspot.ensure_properties(CONTACT, HUBSPOT_PROPERTIES) == []
    assert len(pipedrive.ensure_properties(CONTACT, PIPEDRIVE_FIELDS)) == len(PIPEDRIVE_FIELDS)
    assert pipedrive.ensure_properties(CONTACT, PIPEDRIVE_FIELDS) == []


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row[0])
def test_a_field_is_made_as_its_row_says(
    row: tuple[str, ...], hubspot: HubSpotClient, pipedrive: PipedriveClient, sandbox: Sandbox
) -> None:
    name, label, description, kind, field_kind, pipedrive_kind = row
    hubspot.ensure_properties(CONTACT, HUBSPOT_PROPERTIES)
    pipedrive.ensure_properties(CONTACT, PIPEDRIVE_FIELDS)
    made = sandbox.hubspot_account.properties["contacts"][name]
    assert made | {
        "label": label, "description": description, "type": kind, "fieldType": field_kind, "groupName": GROUP,
        "hubspotDefined": False, "hidden": False, "options": [],
    } == made  # fmt: skip
    fields = {field["name"]: field["type"] for field in sandbox.pipedrive_account.fields["persons"].values()}
    assert fields[name] == pipedrive_kind
    assert (sandbox.hubspot_account.groups["contacts"][GROUP]["label"], len(fields)) == ("Leadloop", len(FIELDS))


def test_pipedrive_keys_are_resolved_to_names_and_back(pipedrive: PipedriveClient, sandbox: Sandbox) -> None:
    pipedrive.ensure_properties(CONTACT, PIPEDRIVE_FIELDS)
    sandbox.put("pipedrive", "persons", "7", {"name": "Ada", "email": "ada@example.com"})
    assert pipedrive.write(CONTACT, [Write("7", {"predicted_grade": "A"}), Write("8", {"predicted_grade": "B"})]).keys() == {"8"}
    record = pipedrive.read(CONTACT, ["7", "8"], [])["7"]
    named = {pipedrive.names(CONTACT).get(key, key): value for key, value in record.properties.items()}
    assert named["predicted_grade"] == "A"
    assert named["emails"] == "ada@example.com"
    assert "leadloop pipedrive setup" in pipedrive.write(CONTACT, [Write("7", {"predicted_unknown": 1})])["7"].detail


def test_a_field_that_is_new_in_pipedrive_has_its_name_as_soon_as_a_record_has_it(
    pipedrive: PipedriveClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pipedrive.names(CONTACT) == {}
    key = sandbox.define_pipedrive_field("persons", "sessions")
    sandbox.put("pipedrive", "persons", "7", {"name": "Ada", "sessions": 3})
    assert pipedrive.read(CONTACT, ["7"], [])["7"].properties[key] == 3
    assert pipedrive.names(CONTACT) == {}, "it has just been asked"
    monkeypatch.setattr("automation.clients.pipedrive.UNNAMED_SECONDS", 0.0)
    pipedrive.read(CONTACT, ["7"], [])
    assert pipedrive.names(CONTACT) == {key: "sessions"}
    asked = len(sandbox.requests)
    pipedrive.read(CONTACT, ["7"], [])
    pipedrive.names(CONTACT)
    assert len(sandbox.requests) == asked + 1, "where every key has a name nothing is asked again"


@pytest.mark.parametrize(
    ("status", "kind"), [(429, Retryable), (500, Retryable), (502, Retryable), (400, Permanent), (401, Retryable)]
)
def test_faults_are_told_apart(
    status: int, kind: type[Exception], hubspot: HubSpotClient, pipedrive: PipedriveClient, slack: SlackClient, sandbox: Sandbox
) -> None:
    sandbox.fault = lambda _vendor, _path: status
    with pytest.raises(kind) as from_hubspot:
        hubspot.read(CONTACT, ["1"], [])
    with pytest.raises(kind):
        pipedrive.read(CONTACT, ["1"], [])
    with pytest.raises(kind) as from_slack:
        slack.post("#sales", "x", [])
    if status == 429:
        assert from_hubspot.value.retry_after_seconds == 1  # type: ignore[attr-defined]
        assert from_slack.value.retry_after_seconds == 1  # type: ignore[attr-defined]


def test_a_password_of_pipedrive_s_webhook_is_changed_by_making_it_anew(pipedrive: PipedriveClient, sandbox: Sandbox) -> None:
    url = "https://n8n.customer.example/hook"
    assert [pipedrive.ensure_webhook(url, "user", "first") for _ in range(2)] == [True, False]
    assert not pipedrive.has_webhook(url, "user", "second")
    assert pipedrive.ensure_webhook(url, "user", "second")
    assert pipedrive.has_webhook(url, "user", "second")
    assert [webhook.password for webhook in sandbox.pipedrive_account.webhooks.values()] == ["second"]


def test_nobody_there_is_worth_another_try(sandbox: Sandbox) -> None:
    nowhere = "http://127.0.0.1:9"
    for call in (
        lambda: HubSpotClient("t", nowhere).read(CONTACT, ["1"], []),
        lambda: PipedriveClient("t", nowhere).read(CONTACT, ["1"], []),
        lambda: SlackClient("t", nowhere + "/api/").post("#sales", "x", []),
    ):
        with pytest.raises(Retryable) as caught:
            call()
        assert caught.value.unsure


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "#nowhere", "text": "x"}, "channel_not_found"),
        ({"channel": "#sales", "text": ""}, "no_text"),
        ({"channel": "#sales", "text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"channel": "#sales", "text": "x", "blocks": [TOO_LONG]}, "invalid_blocks"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:The top-level `text` argument")
def test_slack_s_error_answers_reach_its_own_sdk(addresses: Addresses, arguments: dict[str, object], error: str) -> None:
    client = WebClient("slack-token", base_url=addresses.slack)
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(**arguments)  # type: ignore[arg-type]
    assert caught.value.response["error"] == error
    with pytest.raises(SlackApiError, match="invalid_auth"):
        WebClient("wrong", base_url=addresses.slack).auth_test()


def test_slack_s_history_takes_ids_only_and_pages(slack: SlackClient, addresses: Addresses) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(250):
        slack.post("#sales", "x", [{"type": "divider", "block_id": f"b{number}"}])
    fresh = SlackClient("slack-token", addresses.slack)
    assert fresh.find("#sales", ["b0", "b249", "b999"], since).keys() == {"b0", "b249"}, "the first is on the second page"
    assert fresh.find("#sales", ["b0"], datetime.now(UTC) + timedelta(minutes=1)) == {}
    with pytest.raises(SlackApiError, match="channel_not_found"):
        WebClient("slack-token", base_url=addresses.slack).conversations_history(channel="#sales")
    with pytest.raises(Permanent, match="no channel"):
        fresh.find("#elsewhere", ["b0"], since)


def test_behind_the_proxy_the_vendors_names_lead_to_the_stand_ins(addresses: Addresses, sandbox: Sandbox) -> None:
    sandbox.put("hubspot", "contacts", "5", {"email": "e@example.com"})
    trust = ssl.create_default_context(cafile=str(addresses.ca_file))
    with httpx.Client(proxy=addresses.proxy_url, verify=trust, trust_env=False) as client:
        answer = client.get(
            "https://api.hubapi.com/contacts/v1/contact/vid/5/profile", headers={"Authorization": "Bearer hubspot-token"}
        )
        assert answer.json()["properties"]["email"]["value"] == "e@example.com"
        assert client.post("https://slack.com/api/auth.test").json() == {"ok": False, "error": "not_authed"}
        with pytest.raises(httpx.ProxyError):
            client.get("https://example.com/")


def test_the_page_and_the_json_show_what_came_in(
    addresses: Addresses, slack: SlackClient, hubspot: HubSpotClient, sandbox: Sandbox
) -> None:
    sandbox.define_hubspot_property("contacts", "predicted_score")
    sandbox.put("hubspot", "contacts", "5", {"email": "<b>@example.com"})
    hubspot.write(CONTACT, [Write("5", {"predicted_score": 0.75})])
    slack.post("#sales", "<script>alert(1)</script>", [{"type": "section", "text": {"type": "mrkdwn", "text": "why"}}])
    page = httpx.get(addresses.base_url, trust_env=False).text
    assert "0.75" in page
    assert "<script>alert" not in page
    requests = httpx.get(f"{addresses.base_url}/_sandbox/requests", trust_env=False).json()
    assert {"vendor": "slack", "path": "/slack/api/chat.postMessage", "status": 200}.items() <= requests[-1].items()
    assert "hubspot-token" not in str(requests)
    assert httpx.get(f"{addresses.base_url}/_sandbox/records", trust_env=False).json()["hubspot"]["contacts"][0]["id"] == "5"


def test_the_older_contacts_path_takes_a_datetime_as_milliseconds_only(
    addresses: Addresses, hubspot: HubSpotClient, sandbox: Sandbox
) -> None:
    hubspot.ensure_properties(CONTACT, HUBSPOT_PROPERTIES)
    url = f"{addresses.hubspot}/contacts/v1/contact/createOrUpdate/email/a@example.com"

    def write(name: str, value: str) -> int:
        body = {"properties": [{"property": name, "value": value}]}
        return httpx.post(url, json=body, headers={"Authorization": "Bearer hubspot-token"}, trust_env=False).status_code

    assert write("predicted_scored_at", "2026-03-02T12:00:00Z") == 400
    assert write("predicted_scored_at", "1772452800000") == 200
    assert write("nobody_made_this", "x") == 400
    assert sandbox.by_email("a@example.com") is not None


def test_the_older_contacts_path_finds_a_merged_contact_by_each_address(addresses: Addresses, sandbox: Sandbox) -> None:
    for number in ("1", "2", "3"):
        sandbox.put("hubspot", "contacts", number, {"email": f"{number}@example.com"})
    sandbox.merge("hubspot", "contacts", "2", ["1"])
    sandbox.merge("hubspot", "contacts", "3", ["2"])
    for number in ("1", "2", "3"):
        url = f"{addresses.hubspot}/contacts/v1/contact/createOrUpdate/email/{number}@example.com"
        answer = httpx.post(url, json={"properties": []}, headers={"Authorization": "Bearer hubspot-token"}, trust_env=False)
        assert answer.json() == {"vid": 3, "isNew": False}
    (record,) = sandbox.records("hubspot", "contacts")
    assert record.properties == {"email": "3@example.com", "hs_additional_emails": "2@example.com;1@example.com"}


@pytest.mark.parametrize("status", [423, 477])
def test_an_account_that_is_locked_or_moves_is_asked_again(status: int, hubspot: HubSpotClient, sandbox: Sandbox) -> None:
    sandbox.fault = lambda _vendor, _path: status
    with pytest.raises(Retryable):
        hubspot.write(CONTACT, [Write("1", {"predicted_grade": "A"})])
