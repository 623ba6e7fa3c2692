"""The stand-in HubSpot and HubSpot's own SDK: its typed models take every answer, checked."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from hubspot import HubSpot
from hubspot.crm import contacts, properties
from hubspot.crm.associations import v4

from automation.sandbox.habits import Habits
from automation.sandbox.hubspot.schema import KINDS
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from tests.support import NOON, FakeClock

MODULES = {
    "contacts": "contacts", "companies": "companies", "deals": "deals", "tickets": "tickets", "products": "products",
    **{kind: f"objects.{kind}" for kind in ("leads", "notes", "calls", "meetings", "emails", "tasks")},
}  # fmt: skip


def api(client: HubSpot, kind: str) -> Any:
    found: Any = client.crm
    for part in MODULES[kind].split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_listed_in_pages_read_searched_and_archived(kind: str, hubspot: HubSpot, box: Sandbox) -> None:
    for number in range(1, 4):
        box.put("hubspot", kind, str(number), {})
    objects = api(hubspot, kind)
    first = objects.basic_api.get_page(limit=2)
    assert [row.id for row in first.results] == ["1", "2"]
    second = objects.basic_api.get_page(limit=2, after=first.paging.next.after)
    assert ([row.id for row in second.results], second.paging) == (["3"], None)
    assert objects.basic_api.get_by_id("3").properties["hs_object_id"] == "3"
    found = objects.search_api.do_search(search(KINDS[kind].modified, "GTE", ms(NOON)))
    assert (found.total, len(found.results)) == (3, 3)
    objects.basic_api.archive("2")
    assert [row.id for row in objects.basic_api.get_page().results] == ["1", "3"]
    (gone,) = objects.basic_api.get_page(archived=True).results
    assert (gone.id, gone.archived) == ("2", True)
    assert objects.search_api.do_search(search(KINDS[kind].modified, "GTE", ms(NOON))).total == 2


def test_a_history_has_every_value_with_its_moment_and_who_set_it(hubspot: HubSpot, box: Sandbox, clock: FakeClock) -> None:
    box.put("hubspot", "deals", "5", {"dealstage": "appointmentscheduled", "amount": "10"})
    clock.move(hours=1)
    box.put("hubspot", "deals", "5", {"dealstage": "contractsent", "amount": "10"})
    clock.move(hours=1)
    box.write("hubspot", "deals", "5", {"dealstage": "closedwon"}, through="batch")
    module = contacts
    body = module.BatchReadInputSimplePublicObjectId(
        inputs=[module.SimplePublicObjectId(id="5")], properties=["amount"], properties_with_history=["dealstage", "amount"]
    )
    (row,) = hubspot.crm.deals.batch_api.read(body).results
    stages = row.properties_with_history["dealstage"]
    assert [(each.value, each.source_type) for each in stages] == [
        ("closedwon", "INTEGRATION"), ("contractsent", "CRM_UI"), ("appointmentscheduled", "CRM_UI"),
    ]  # fmt: skip
    assert [each.timestamp for each in stages] == [NOON + timedelta(hours=hours) for hours in (2, 1, 0)]
    assert len(row.properties_with_history["amount"]) == 1, "the same value again is no change"
    assert (row.created_at, row.updated_at) == (NOON, NOON + timedelta(hours=2))
    assert row.properties["hs_lastmodifieddate"] == "2026-03-02T14:00:00.000Z"
    page = hubspot.crm.deals.basic_api.get_page(properties_with_history=["dealstage"], limit=50)
    assert page.results[0].properties_with_history["dealstage"][0].value == "closedwon"


@pytest.mark.parametrize("limit", [0, 101, "many"])
def test_a_page_of_another_size_is_refused(limit: Any, places: Addresses) -> None:
    answer = get(places, f"/crm/v3/objects/contacts?limit={limit}")
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")
    assert get(places, "/crm/v3/objects/contacts?limit=51&propertiesWithHistory=email").status_code == 400


def test_search_filters_sorts_and_ends_at_ten_thousand(hubspot: HubSpot, box: Sandbox, clock: FakeClock) -> None:
    for number in range(10_100):
        box.put("hubspot", "contacts", str(number + 1), {"email": f"{number}@example.com", "firstname": str(number % 7)})
    clock.move(minutes=5)
    box.put("hubspot", "contacts", "4", {"firstname": "x"})
    searching = hubspot.crm.contacts.search_api.do_search
    last = searching(search("lastmodifieddate", "GTE", ms(NOON), limit=200, after="9800", sorts=["lastmodifieddate"]))
    assert (last.total, len(last.results), last.paging.next.after) == (10_100, 200, "10000")
    with pytest.raises(contacts.exceptions.ApiException) as caught:
        searching(search("lastmodifieddate", "GTE", ms(NOON), limit=200, after="10000"))
    assert caught.value.status == 400
    newest = searching(search("lastmodifieddate", "BETWEEN", ms(clock.now()), highValue=ms(clock.now())))
    assert [row.id for row in newest.results] == ["4"]
    three = searching(search("email", "IN", values=["3@example.com", "5@example.com"], sorts=["-hs_object_id"]))
    assert [row.id for row in three.results] == ["6", "4"]
    assert searching(search("email", "EQ", "NOBODY@example.com")).total == 0
    assert searching(search("firstname", "EQ", "x")).total == 1
    assert searching(search("phone", "HAS_PROPERTY")).total == 0
    assert searching(search("phone", "NOT_HAS_PROPERTY")).total == 10_100


@pytest.mark.parametrize(
    "body",
    [
        {"filterGroups": [{"filters": [{"propertyName": "nobody_made_this", "operator": "EQ", "value": "1"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "IS", "value": "1"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": "soon"}]}]},
        {"filterGroups": [{"filters": []}] * 6},
        {"sorts": ["email", "firstname"]},
        {"limit": 201},
        {"after": "x"},
    ],
)
def test_a_search_that_does_not_fit_is_refused(body: dict[str, Any], places: Addresses) -> None:
    answer = post(places, "/crm/v3/objects/contacts/search", body)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_links_are_read_from_both_ends(hubspot: HubSpot, box: Sandbox) -> None:
    for kind, number in (("contacts", "1"), ("contacts", "2"), ("companies", "7"), ("notes", "9")):
        box.put("hubspot", kind, number, {})
    box.link(("contacts", "1"), ("companies", "7"), primary=True)
    hubspot.crm.associations.v4.basic_api.create_default("notes", "9", "contacts", "1")
    body = v4.BatchInputPublicFetchAssociationsBatchRequest(
        inputs=[v4.PublicFetchAssociationsBatchRequest(id=number) for number in ("1", "2")]
    )
    answer = hubspot.crm.associations.v4.batch_api.get_page("contacts", "companies", body)
    (found,) = answer.results
    assert (found._from.id, found.to[0].to_object_id) == ("1", "7")
    assert {(each.type_id, each.label) for each in found.to[0].association_types} == {(1, "Primary"), (279, None)}
    assert [error.sub_category for error in answer.errors] == ["crm.associations.NO_ASSOCIATIONS_FOUND"]
    page = hubspot.crm.contacts.basic_api.get_page(associations=["companies", "notes"])
    assert {kind: {each.type for each in rows.results} for kind, rows in page.results[0].associations.items()} == {
        "companies": {"contact_to_company", "contact_to_company_unlabeled"}, "notes": {"contact_to_note"},
    }  # fmt: skip
    (linked,) = hubspot.crm.associations.v4.basic_api.get_page("companies", "7", "contacts").results
    assert linked.to_object_id == "1"
    hubspot.crm.associations.v4.basic_api.archive("contacts", "1", "companies", "7")
    assert not hubspot.crm.associations.v4.basic_api.get_page("companies", "7", "contacts").results


def test_what_is_merged_or_erased_is_gone(hubspot: HubSpot, box: Sandbox) -> None:
    box.put("hubspot", "contacts", "1", {"email": "a@example.com"})
    box.put("hubspot", "contacts", "2", {"email": "b@example.com", "phone": "1"})
    box.put("hubspot", "notes", "9", {})
    box.link(("notes", "9"), ("contacts", "2"))
    merged = hubspot.crm.contacts.basic_api.merge(contacts.PublicMergeInput(primary_object_id="1", object_id_to_merge="2"))
    assert merged.id == "1"
    both = {"email": "a@example.com", "hs_additional_emails": "b@example.com", "phone": "1"}
    assert box.hubspot["contacts"].live["1"].properties == both
    assert box.hubspot["notes"].live["9"].links["contacts"].keys() == {"1", "2"}
    hubspot.crm.contacts.basic_api.purge(contacts.PublicGdprDeleteInput(object_id="a@example.com", id_property="email"))
    assert box.get("hubspot", "contacts", "1") is None
    assert [row.id for row in hubspot.crm.contacts.basic_api.get_page(archived=True).results] == []
    assert "1" not in box.hubspot["notes"].live["9"].links["contacts"]


def test_whoever_was_merged_away_is_answered_with_the_one_that_stays(hubspot: HubSpot, box: Sandbox) -> None:
    for number in ("1", "2", "3", "4"):
        box.put("hubspot", "contacts", number, {"email": f"{number}@example.com"})
    box.merge("hubspot", "contacts", "2", ["1"])
    box.merge("hubspot", "contacts", "3", ["2"])
    box.archive("hubspot", "contacts", "4")
    names = ["hs_merged_object_ids", "hs_calculated_merged_vids"]

    def read(*ids: str, archived: bool = False) -> tuple[dict[str, Any], list[str]]:
        wanted = contacts.BatchReadInputSimplePublicObjectId(
            inputs=[{"id": number} for number in ids], properties=names, properties_with_history=[]
        )
        answer = hubspot.crm.contacts.batch_api.read(wanted, archived=archived)
        errors = getattr(answer, "errors", None) or []
        return {row.id: row for row in answer.results}, [number for each in errors for number in each.context["ids"]]

    rows, missing = read("1", "2", "3", "4", "5")
    assert (list(rows), missing) == (["3"], ["4", "5"]), "one, of all that it is made of"
    assert rows["3"].properties[names[0]].split(";") == ["1", "2"]
    assert [part.partition(":")[0] for part in rows["3"].properties[names[1]].split(";")] == ["1", "2"]
    assert hubspot.crm.contacts.basic_api.get_by_id("1").id == "3"
    rows, missing = read("1", "4", "5", archived=True)
    assert (list(rows), missing) == (["4"], ["1", "5"])
    assert rows["4"].archived_at is not None


def test_a_property_is_listed_as_it_was_made(hubspot: HubSpot) -> None:
    api_ = hubspot.crm.properties
    api_.groups_api.create("deals", properties.PropertyGroupCreate(name="leadloop", label="Leadloop"))
    wanted = {
        "name": "predicted_label", "label": "Predicted label", "description": "high or low", "type": "enumeration",
        "field_type": "select", "group_name": "leadloop",
    }  # fmt: skip
    options = [properties.OptionInput(label="High", value="high", hidden=False, display_order=0)]
    api_.core_api.create("deals", properties.PropertyCreate(**wanted, options=options))
    with pytest.raises(properties.exceptions.ApiException) as caught:
        api_.core_api.create("deals", properties.PropertyCreate(**wanted, options=options))
    assert caught.value.status == 409
    (found,) = [row for row in api_.core_api.get_all("deals").results if not row.hubspot_defined]
    assert {name: getattr(found, name) for name in wanted} == wanted
    assert [(option.label, option.value) for option in found.options] == [("High", "high")]
    assert "leadloop" in {group.name for group in api_.groups_api.get_all("deals").results}
    assert api_.core_api.get_by_name("contacts", "email").hubspot_defined
    with pytest.raises(properties.exceptions.ApiException, match="group"):
        api_.core_api.create("contacts", properties.PropertyCreate(**wanted))


def test_pipelines_users_and_the_account(hubspot: HubSpot, places: Addresses) -> None:
    pipeline, renewals = hubspot.crm.pipelines.pipelines_api.get_all("deals").results
    assert [(stage.label, stage.metadata["isClosed"]) for stage in renewals.stages][2:] == [
        ("Renewed", "true"),
        ("Not renewed", "true"),
    ]
    assert [stage.id for stage in pipeline.stages][-2:] == ["closedwon", "closedlost"]
    assert pipeline.stages[-2].metadata == {"probability": "1.0", "isClosed": "true"}
    owners = hubspot.crm.owners.owners_api.get_page(limit=1)
    assert (len(owners.results), owners.paging.next.after) == (1, "1")
    assert hubspot.crm.owners.owners_api.get_by_id(501).email == "mia@customer.example"
    said = get(places, "/account-info/v3/details").json()
    wanted = {"portalId": 62515, "companyCurrency": "EUR", "timeZone": "Europe/Berlin", "utcOffset": "+01:00"}
    assert wanted.items() <= said.items()


def test_a_token_says_what_it_was_granted_and_does_no_more(places: Addresses, box: Sandbox) -> None:
    path = "/oauth/v2/private-apps/get/access-token-info"
    told = post(places, path, {"tokenKey": box.tokens["hubspot"]}).json()
    assert told.keys() == {"userId", "hubId", "appId", "scopes"}
    assert "crm.objects.contacts.write" in told["scopes"]
    assert post(places, path, {"tokenKey": "another"}).status_code == 401
    box.put("hubspot", "contacts", "1", {"firstname": "A"})
    box.hubspot_account.scopes -= {"crm.objects.contacts.write", "crm.schemas.deals.read", "tickets"}
    batch = {"inputs": [{"id": "1", "properties": {"firstname": "B"}}]}
    refused = post(places, "/crm/v3/objects/contacts/batch/update", batch)
    assert (refused.status_code, refused.json()["category"]) == (403, "MISSING_SCOPES")
    assert post(places, "/crm/v3/objects/contacts/batch/read", {"inputs": [{"id": "1"}], "properties": []}).status_code == 200
    assert post(places, "/crm/v3/objects/contacts/search", {}).status_code == 200
    statuses = {path: get(places, path).status_code for path in ("/crm/v3/properties/deals", "/crm/v3/objects/tickets")}
    assert set(statuses.values()) == {403}
    assert get(places, "/crm/v3/objects/notes").status_code == get(places, "/crm/v3/properties/contacts").status_code == 200


def test_every_answer_but_a_search_s_says_what_is_left(places: Addresses, box: Sandbox) -> None:
    free = get(places, "/crm/v3/objects/contacts").headers
    assert free["X-HubSpot-RateLimit-Remaining"] == free["X-HubSpot-RateLimit-Max"], "nothing is counted without limits"
    box.set_habits(Habits(hubspot_limits=True))
    before, after = (get(places, "/crm/v3/objects/contacts").headers for _ in range(2))
    assert (before["X-HubSpot-RateLimit-Max"], before["X-HubSpot-RateLimit-Interval-Milliseconds"]) == ("100", "10000")
    for name in ("X-HubSpot-RateLimit-Remaining", "X-HubSpot-RateLimit-Daily-Remaining"):
        assert int(before[name]) - int(after[name]) == 1
    assert "X-HubSpot-RateLimit-Remaining" not in post(places, "/crm/v3/objects/contacts/search", {}).headers


def test_the_journal_is_read_page_by_page(places: Addresses, box: Sandbox, clock: FakeClock) -> None:
    given = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-client-secret"}
    token = httpx.post(f"{places.hubspot}/oauth/v1/token", data=given, trust_env=False).json()["access_token"]
    base = "/webhooks-journal/journal-local/2026-03"
    assert get(places, f"{base}/earliest").status_code == 401, "an account's token is none of an app's"
    assert get(places, f"{base}/earliest", token).status_code == 204
    wanted = {
        "subscriptionType": "OBJECT", "portalId": 62515, "objectTypeId": "0-1", "objectIds": [], "properties": ["firstname"],
        "actions": ["CREATE", "UPDATE", "DELETE", "MERGE"],
    }  # fmt: skip
    post(places, "/webhooks-journal/subscriptions/2026-03", wanted, token)
    box.put("hubspot", "contacts", "1", {"firstname": "A", "lastname": "B"})
    box.put("hubspot", "companies", "1", {"name": "C"})
    first = get(places, f"{base}/earliest", token).json()
    page = httpx.get(first["url"], trust_env=False).json()
    (event,) = page["journalEvents"]
    assert page["offset"] == first["currentOffset"]
    assert event == {
        "type": "crmObject", "portalId": 62515, "occurredAt": "2026-03-02T12:00:00.000Z", "action": "CREATE",
        "objectTypeId": "0-1", "objectId": 1, "propertyChanges": {"firstname": "A"},
    }  # fmt: skip
    following = f"{base}/offset/{first['currentOffset']}/next"
    assert get(places, following, token).status_code == 204
    box.put("hubspot", "contacts", "1", {"lastname": "unasked"})
    box.put("hubspot", "contacts", "1", {"firstname": "Z"})
    box.archive("hubspot", "contacts", "1")
    page = httpx.get(get(places, following, token).json()["url"], trust_env=False).json()
    assert [event["action"] for event in page["journalEvents"]] == ["UPDATE", "DELETE"]
    assert len(get(places, f"{base}/batch/earliest/10", token).json()["results"]) == 2
    clock.move(days=3)
    assert get(places, following, token).status_code == 404, "kept for three days"


def search(name: str, operator: str, value: str | None = None, *, limit: int = 10, after: str = "0",
           sorts: list[str] | None = None, **more: Any) -> dict[str, Any]:  # fmt: skip
    """As a dictionary: the SDK's own request has no room for several of these."""
    rule = {"propertyName": name, "operator": operator, **({} if value is None else {"value": value}), **more}
    return {"filterGroups": [{"filters": [rule]}], "limit": limit, "after": after, "sorts": sorts or [], "properties": []}


def ms(moment: Any) -> str:
    return str(int(moment.timestamp() * 1000))


def get(places: Addresses, path: str, token: str = "h") -> httpx.Response:
    return httpx.get(places.hubspot + path, headers={"Authorization": f"Bearer {token}"}, trust_env=False)


def post(places: Addresses, path: str, body: Any, token: str = "h") -> httpx.Response:
    return httpx.post(places.hubspot + path, json=body, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
