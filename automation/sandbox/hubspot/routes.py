"""TABLE of HubSpot's paths, without the host. The first that fits is taken."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from automation.sandbox.http import Handler, Vendor, route
from automation.sandbox.hubspot import account, batches, legacy, links, objects, reading, scopes, search
from automation.sandbox.hubspot.door import HUBSPOT, JOURNAL, count_nothing, refuse
from automation.sandbox.state import Sandbox

OBJECTS, ENDS = "/crm/v3/objects/{kind}", "/crm/v4/objects/{near}/{number}/associations"
CRM: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/crm/v3/objects/contacts/gdpr-delete", objects.gdpr_delete),
    ("POST", f"{OBJECTS}/batch/read", batches.read),
    ("POST", f"{OBJECTS}/batch/update", batches.update),
    ("POST", f"{OBJECTS}/batch/create", batches.create),
    ("POST", f"{OBJECTS}/batch/archive", batches.archive),
    ("POST", f"{OBJECTS}/search", search.search),
    ("POST", f"{OBJECTS}/merge", objects.merge),
    ("GET", f"{OBJECTS}/{{number}}", objects.get_one),
    ("PATCH", f"{OBJECTS}/{{number}}", objects.patch_one),
    ("DELETE", f"{OBJECTS}/{{number}}", objects.archive_one),
    ("GET", OBJECTS, objects.list_page),
    ("POST", OBJECTS, objects.create_one),
    ("POST", "/crm/v4/associations/{near}/{far}/batch/read", links.batch_read),
    ("PUT", f"{ENDS}/default/{{far}}/{{other}}", links.make_default),
    ("GET", f"{ENDS}/{{far}}", links.list_page),
    ("PUT", f"{ENDS}/{{far}}/{{other}}", links.make_labelled),
    ("DELETE", f"{ENDS}/{{far}}/{{other}}", links.take_away),
    ("GET", "/crm/v3/properties/{kind}", account.list_properties),
    ("POST", "/crm/v3/properties/{kind}", account.create_property),
    ("POST", "/crm/v3/properties/{kind}/batch/create", account.create_properties),
    ("GET", "/crm/v3/properties/{kind}/groups", account.list_groups),
    ("POST", "/crm/v3/properties/{kind}/groups", account.create_group),
    ("GET", "/crm/v3/properties/{kind}/{name}", account.get_property),
    ("PATCH", "/crm/v3/properties/{kind}/{name}", account.change_property),
    ("GET", "/crm/v3/pipelines/{kind}", account.list_pipelines),
    ("GET", "/crm/v3/owners/", account.list_owners),
    ("GET", "/crm/v3/owners", account.list_owners),
    ("GET", "/crm/v3/owners/{number}", account.get_owner),
    ("GET", "/account-info/v3/details", account.details),
    ("POST", "/oauth/v2/private-apps/get/access-token-info", scopes.token_info),
    ("POST", "/contacts/v1/contact/createOrUpdate/email/{email}", legacy.upsert),
    ("GET", "/contacts/v1/contact/vid/{number}/profile", legacy.profile),
)
VERSION = "2026-03"
READING: tuple[tuple[str, str, Handler], ...] = (
    *(
        row
        for name in ("journal", "journal-local")
        for row in (
            ("GET", f"/webhooks-journal/{name}/{VERSION}/earliest", reading.earliest),
            ("GET", f"/webhooks-journal/{name}/{VERSION}/latest", reading.latest),
            ("GET", f"/webhooks-journal/{name}/{VERSION}/offset/{{offset}}/next", reading.following),
            ("GET", f"/webhooks-journal/{name}/{VERSION}/batch/earliest/{{count:int}}", reading.batch_earliest),
            ("GET", f"/webhooks-journal/{name}/{VERSION}/batch/{{offset}}/next/{{count:int}}", reading.batch_following),
        )
    ),
    ("GET", f"/webhooks-journal/subscriptions/{VERSION}", reading.list_subscriptions),
    ("POST", f"/webhooks-journal/subscriptions/{VERSION}", reading.subscribe),
    ("DELETE", f"/webhooks-journal/subscriptions/{VERSION}/{{number:int}}", reading.unsubscribe),
)
OPEN: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/oauth/v1/token", reading.token),
    ("POST", f"/oauth/{VERSION}/token", reading.token),
    ("GET", "/journal-files/{offset}.json", reading.file),
)


def routes(sandbox: Sandbox) -> list[Route]:
    """All paths, each behind the door that it needs."""
    anybody = Vendor("hubspot", _let_in, refuse, count_nothing)
    doors = ((CRM, HUBSPOT), (READING, JOURNAL), (OPEN, anybody))
    return [route(sandbox, door, *row) for table, door in doors for row in table]


def _let_in(_sandbox: Sandbox, _request: Request) -> Response | None:
    return None
