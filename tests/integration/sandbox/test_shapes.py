"""The stand-ins' answers are what Pipedrive and Slack publish of theirs; HubSpot's are held against its own SDK's models."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from tests.integration.sandbox.shapes import MESSAGE, NEWER, NEWER_FIELD, OLDER, OLDER_FIELD, REFUSED, SLACK, misfits

CREATED = 201
# What makes one of each kind, and with which status that is answered.
NEW: dict[str, tuple[dict[str, Any], int]] = {
    "persons": ({"name": "Ada", "emails": [{"value": "ada@example.com", "primary": True, "label": "work"}]}, 200),
    "organizations": ({"name": "Acme"}, 200),
    "deals": ({"title": "Roof", "value": 10.5, "currency": "EUR"}, 200),
    "activities": ({"subject": "Call"}, 200),
    "products": ({"name": "Slate"}, CREATED),
    "pipelines": ({"name": "New business"}, 200),
    "stages": ({"name": "Won over", "pipeline_id": 1}, 200),
    "leads": ({"title": "Roof"}, CREATED),
    "notes": ({"content": "Called."}, 200),
}
FIELDS = ("personFields", "organizationFields", "dealFields", "productFields")
WEBHOOK = {"subscription_url": "https://n8n.customer.example/hook", "event_action": "*", "event_object": "*", "version": "2.0"}


@pytest.fixture
def pipedrive(places: Addresses) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=places.pipedrive, headers={"x-api-token": "p"}, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("kind", NEW)
def test_a_record_of_pipedrive_s_is_made_read_listed_changed_and_deleted(pipedrive: httpx.Client, box: Sandbox, kind: str) -> None:
    for name, type_ in (("size", "double"), ("fee", "monetary")):
        box.define_pipedrive_field("persons" if kind == "pipelines" else kind, name, type_)
    values, status = NEW[kind]
    path, shape = (f"/v1/{kind}", OLDER[kind]) if kind in OLDER else (f"/api/v2/{kind}", NEWER[kind])
    made = pipedrive.post(path, json=values)
    assert made.status_code == status
    row = made.json()["data"]
    said = [row, pipedrive.get(f"{path}/{row['id']}").json()["data"], *pipedrive.get(path).json()["data"]]
    changed = pipedrive.request("PUT" if kind == "notes" else "PATCH", f"{path}/{row['id']}", json=values)
    assert changed.status_code == 200
    assert {problem for each in [*said, changed.json()["data"]] for problem in misfits(each, shape)} == set()
    gone = pipedrive.delete(f"{path}/{row['id']}").json()
    assert gone == {"success": True, "data": True if kind == "notes" else {"id": row["id"]}}


@pytest.mark.parametrize("path", ["/api/v2/deals", "/v1/leads"])
def test_what_is_archived_is_in_a_list_of_its_own(pipedrive: httpx.Client, box: Sandbox, path: str) -> None:
    kind = path.rpartition("/")[2]
    live, aside = (
        pipedrive.post(path, json={**NEW[kind][0], "is_archived": put_aside}).json()["data"] for put_aside in (False, True)
    )
    listed = {way: pipedrive.get(f"{path}{way}").json() for way in ("", "/archived", f"?ids={live['id']},{aside['id']}")}
    assert [[row["id"] for row in each["data"]] for each in listed.values()] == [[live["id"]], [aside["id"]], [live["id"]]]
    assert misfits(listed["/archived"]["data"][0], (NEWER | OLDER)[kind]) == []
    assert pipedrive.get(f"{path}/{aside['id']}").json()["data"]["is_archived"] is True
    assert pipedrive.get("/api/v2/persons/archived").status_code == 404


def test_who_takes_part_in_a_deal_is_listed_by_page_and_counted_where_that_is_asked_for(
    pipedrive: httpx.Client, box: Sandbox
) -> None:
    one, two = (pipedrive.post("/api/v2/persons", json={"name": name}).json()["data"]["id"] for name in ("Ada", "Bo"))
    deal = pipedrive.post("/api/v2/deals", json={"title": "Roof", "person_id": one}).json()["data"]["id"]
    path = f"/v1/deals/{deal}/participants"
    added = pipedrive.post(path, json={"person_id": two}).json()["data"]
    pages = [pipedrive.get(path, params={"start": start, "limit": 1}).json() for start in (0, 1)]
    assert [row["person_id"]["value"] for page in pages for row in page["data"]] == [one, two]
    assert [page["additional_data"]["pagination"]["more_items_in_collection"] for page in pages] == [True, False]
    assert {problem for row in (added, *pages[0]["data"]) for problem in misfits(row, OLDER["participants"])} == set()
    (counted,) = pipedrive.get("/api/v2/deals", params={"include_fields": "participants_count"}).json()["data"]
    assert counted["participants_count"] == 2
    assert "participants_count" not in pipedrive.get("/api/v2/deals").json()["data"][0]
    assert pipedrive.post(path, json={"person_id": 999}).status_code == 400
    assert pipedrive.get("/v1/deals/999/participants").status_code == 404


@pytest.mark.parametrize("status", ["won", "lost"])
def test_a_deal_that_is_closed_says_when(pipedrive: httpx.Client, box: Sandbox, status: str) -> None:
    made = pipedrive.post("/api/v2/deals", json=NEW["deals"][0]).json()["data"]
    row = pipedrive.patch(f"/api/v2/deals/{made['id']}", json={"status": status, "stage_id": 2}).json()["data"]
    assert misfits(row, NEWER["deals"]) == []
    assert row["close_time"] == row[f"{status}_time"] is not None


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_listed_and_made_in_both_versions(pipedrive: httpx.Client, box: Sandbox, name: str) -> None:
    newer = pipedrive.post(f"/api/v2/{name}", json={"field_name": "Size", "field_type": "monetary"})
    older = pipedrive.post(f"/v1/{name}", json={"name": "Fee", "field_type": "double"})
    assert (newer.status_code, older.status_code) == (200, CREATED if name == "productFields" else 200)
    rows = [newer.json()["data"], *pipedrive.get(f"/api/v2/{name}").json()["data"]]
    assert {problem for row in rows for problem in misfits(row, NEWER_FIELD)} == set()
    rows = [older.json()["data"], *pipedrive.get(f"/v1/{name}").json()["data"]]
    assert {problem for row in rows for problem in misfits(row, OLDER_FIELD)} == set()


def test_an_activity_has_no_fields_of_an_account_s_own(pipedrive: httpx.Client) -> None:
    assert pipedrive.get("/api/v2/activityFields").status_code == 200
    assert pipedrive.post("/api/v2/activityFields", json={"field_name": "Size", "field_type": "double"}).status_code == 404


@pytest.mark.parametrize("name", ["users", "users/me", "currencies"])
def test_the_account_s_own_rows(pipedrive: httpx.Client, box: Sandbox, name: str) -> None:
    found = pipedrive.get(f"/v1/{name}").json()["data"]
    rows = found if isinstance(found, list) else [found]
    assert {problem for row in rows for problem in misfits(row, OLDER[name])} == set()
    if name != "currencies":
        assert all("@" in row["email"] for row in rows)


def test_webhooks(pipedrive: httpx.Client, box: Sandbox) -> None:
    made = pipedrive.post("/v1/webhooks", json=WEBHOOK)
    assert made.status_code == CREATED
    rows = [made.json()["data"], *pipedrive.get("/v1/webhooks").json()["data"]]
    assert {problem for row in rows for problem in misfits(row, OLDER["webhooks"])} == set()


def test_what_was_changed_and_when(pipedrive: httpx.Client, box: Sandbox) -> None:
    box.put("pipedrive", "deals", "5", {"title": "Roof", "stage_id": 1})
    box.put("pipedrive", "deals", "5", {"title": "Roof", "stage_id": 2})
    for name in ("changelog", "flow"):
        rows = pipedrive.get(f"/v1/deals/5/{name}").json()["data"]
        assert rows
        assert {problem for row in rows for problem in misfits(row, OLDER[name])} == set()


def test_slack_s_answers(places: Addresses, box: Sandbox) -> None:
    with httpx.Client(base_url=places.slack, headers={"Authorization": "Bearer s"}, trust_env=False) as slack:

        def call(method: str, **fields: Any) -> dict[str, Any]:
            answer: dict[str, Any] = slack.post(method, json=fields).json()
            assert misfits(answer, SLACK[method] if answer["ok"] else REFUSED) == [], method
            return answer

        block = {"type": "section", "block_id": "leadloop-1", "text": {"type": "mrkdwn", "text": "hot"}}
        posted = call("chat.postMessage", channel="#sales", text="hot", blocks=[block])
        where = {"channel": posted["channel"], "ts": posted["ts"]}
        assert misfits(posted["message"], MESSAGE) == []
        assert misfits(call("conversations.history", channel=posted["channel"])["messages"][0], MESSAGE) == []
        for method in ("auth.test", "conversations.list", "conversations.info"):
            call(method, channel=posted["channel"])
        call("chat.update", text="won", **where)
        assert [call("chat.delete", **where)["ok"] for _ in range(2)] == [True, False]
        assert not call("chat.postMessage", channel="#nowhere", text="hot")["ok"]
