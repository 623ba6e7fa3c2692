"""TABLE of Pipedrive's paths, without the host. The first that fits is taken; API v1 answers with and without `/api`."""

from starlette.routing import Route

from automation.sandbox.http import Handler, route
from automation.sandbox.pipedrive import account, fields, history, items, participants
from automation.sandbox.pipedrive.door import PIPEDRIVE
from automation.sandbox.pipedrive.items import BY_V1, BY_V2, of_kind
from automation.sandbox.pipedrive.schema import BY_FIELDS, FIELDS_OF, KINDS
from automation.sandbox.state import Sandbox

# An account makes fields of its own for these kinds; a lead has those of a deal.
MADE_FIELDS = [kind.fields for name, kind in KINDS.items() if kind.fields and kind.custom and FIELDS_OF[name] == name]
NEWER: tuple[tuple[str, str, Handler], ...] = (
    *(("GET", f"/{name}", fields.list_newer) for name in BY_FIELDS),
    *(("POST", f"/{name}", fields.create_newer) for name in MADE_FIELDS),
    ("GET", "/{kind}", items.list_newer),
    ("GET", "/{kind}/archived", items.list_archived_newer),
    ("POST", "/{kind}", of_kind(BY_V2)(items.create)),
    ("GET", "/{kind}/{number}", of_kind(BY_V2)(items.get_one)),
    ("PATCH", "/{kind}/{number}", of_kind(BY_V2)(items.change)),
    ("DELETE", "/{kind}/{number}", of_kind(BY_V2)(items.delete)),
)
OLDER: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/users/me", account.me),
    ("GET", "/users", account.users),
    ("GET", "/currencies", account.currencies),
    ("GET", "/leadLabels", fields.lead_labels),
    ("GET", "/webhooks", account.list_webhooks),
    ("POST", "/webhooks", account.create_webhook),
    ("DELETE", "/webhooks/{number}", account.delete_webhook),
    ("GET", "/deals/{number}/participants", participants.listed),
    ("POST", "/deals/{number}/participants", participants.add),
    ("GET", "/{kind}/{number}/changelog", history.changelog),
    ("GET", "/{kind}/{number}/flow", history.flow),
    *(("GET", f"/{name}", fields.list_older) for name in BY_FIELDS),
    *(("POST", f"/{name}", fields.create_older) for name in MADE_FIELDS),
    ("GET", "/{kind}", items.list_older),
    ("GET", "/{kind}/archived", items.list_archived_older),
    ("POST", "/{kind}", of_kind(BY_V1)(items.create)),
    ("GET", "/{kind}/{number}", of_kind(BY_V1)(items.get_one)),
    ("PATCH", "/{kind}/{number}", of_kind(BY_V1)(items.change)),
    ("PUT", "/{kind}/{number}", of_kind(BY_V1)(items.change)),
    ("DELETE", "/{kind}/{number}", of_kind(BY_V1)(items.delete)),
)
BASES = (("/api/v2", NEWER), ("/v1", OLDER), ("/api/v1", OLDER))


def routes(sandbox: Sandbox) -> list[Route]:
    return [route(sandbox, PIPEDRIVE, method, base + path, handler) for base, table in BASES for method, path, handler in table]
