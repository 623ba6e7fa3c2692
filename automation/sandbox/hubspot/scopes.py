"""What a private app's token has to be granted for a call, and what HubSpot tells of a token.

https://developers.hubspot.com/docs/apps/legacy-apps/private-apps/overview: a token's scopes; what lacks one is answered
403 with the category MISSING_SCOPES.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from automation.sandbox.http import AsciiJson
from automation.sandbox.hubspot.wire import error
from automation.sandbox.state import Sandbox

READS, WRITES = "read", "write"
SAID = "This app hasn't been granted all required scopes to make this call."
# Of these kinds the scope says both, or has another name; notes, calls, meetings, tasks and e-mails go with the contacts.
OTHERWISE = {"tickets": "tickets", "products": "e-commerce"}
GRANULAR = frozenset({"contacts", "companies", "deals", "leads"})
READING_POSTS = ("/batch/read", "/search")


def lacking(sandbox: Sandbox, request: Request) -> Response | None:
    """A refusal where the token was not granted what this call needs."""
    wanted = _needed(request.method, request.url.path.removeprefix(request.scope.get("root_path", "")))
    if wanted is None or wanted in sandbox.hubspot_account.scopes:
        return None
    context = {"requiredGranularScopes": [wanted]}
    return error(
        403, "MISSING_SCOPES", SAID, errors=[{"message": "One or more of the following scopes are required.", "context": context}]
    )


def token_info(sandbox: Sandbox, _request: Request, body: Any) -> Response:
    """Whoever has the token may ask what it was granted."""
    if not isinstance(body, dict) or body.get("tokenKey") != sandbox.tokens["hubspot"]:
        return error(401, "INVALID_AUTHENTICATION", "The token is not one of a private app.")
    account = sandbox.hubspot_account
    told = {"userId": 1, "hubId": account.portal_id, "appId": account.app_id, "scopes": sorted(account.scopes)}
    return AsciiJson(told)


def _needed(method: str, path: str) -> str | None:
    match path.split("/")[1:]:
        case ["crm", "v3", "objects", kind, *_]:
            reads = method == "GET" or path.endswith(READING_POSTS)
            return _of_objects(kind, READS if reads else WRITES)
        case ["crm", "v3", "properties", kind, *_] if kind in GRANULAR:
            return f"crm.schemas.{kind}.{READS if method == 'GET' else WRITES}"
        case ["crm", "v3", "owners", *_]:
            return "crm.objects.owners.read"
    return None


def _of_objects(kind: str, does: str) -> str:
    if kind in OTHERWISE:
        return OTHERWISE[kind]
    return f"crm.objects.{kind if kind in GRANULAR else 'contacts'}.{does}"
