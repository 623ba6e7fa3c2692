"""The read side of the webhooks journal, its subscriptions, and the token that it takes.

https://developers.hubspot.com/docs/api-reference/latest/webhooks-journal/journal-entries/guide: an answer names an offset and an
address from which the page's file can be had for a while; 204 where there is nothing (yet). The journal of one account and that of
all accounts of an app are the same here, since there is one account.
"""

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from automation.sandbox.http import AsciiJson
from automation.sandbox.hubspot.door import app_token
from automation.sandbox.hubspot.journal import Page
from automation.sandbox.hubspot.text import stamp
from automation.sandbox.hubspot.wire import batch, error
from automation.sandbox.state import Sandbox

TOKEN_SECONDS = 1800
ADDRESS_HOLDS = timedelta(minutes=15)
MOST_PAGES = 100


def token(sandbox: Sandbox, _request: Request, body: Any) -> Response:
    """Client credentials, as an app has them."""
    account, given = sandbox.hubspot_account, body if isinstance(body, dict) else {}
    wanted = {"grant_type": "client_credentials", "client_id": account.client_id, "client_secret": account.client_secret}
    if not wanted.items() <= given.items():
        return error(400, "BAD_CLIENT_ID", "missing or unknown client id")
    said = {"access_token": app_token(sandbox), "expires_in": TOKEN_SECONDS, "token_type": "bearer"}
    return AsciiJson({**said, "token_use": "client_credentials"})


def earliest(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    return _one(sandbox, request, sandbox.hubspot_journal.earliest(sandbox.now()))


def latest(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    return _one(sandbox, request, sandbox.hubspot_journal.latest(sandbox.now()))


def following(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    try:
        pages = sandbox.hubspot_journal.following(request.path_params["offset"], sandbox.now())
    except KeyError:
        return error(404, "OBJECT_NOT_FOUND", "the offset does not exist, or has expired")
    return _one(sandbox, request, pages[0] if pages else None)


def batch_following(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    size = min(int(request.path_params["count"]), MOST_PAGES)
    try:
        pages = sandbox.hubspot_journal.following(request.path_params["offset"], sandbox.now())
    except KeyError:
        return error(404, "OBJECT_NOT_FOUND", "the offset does not exist, or has expired")
    return batch([_reference(sandbox, request, page) for page in pages[:size]], [], sandbox.now())


def batch_earliest(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    pages = sandbox.hubspot_journal.pages(sandbox.now())[: min(int(request.path_params["count"]), MOST_PAGES)]
    return batch([_reference(sandbox, request, page) for page in pages], [], sandbox.now())


def file(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    """The page itself, at an address that needs no token."""
    page = sandbox.hubspot_journal.page(request.path_params["offset"])
    if page is None:
        return Response(status_code=403)
    return AsciiJson({"offset": page.offset, "journalEvents": list(page.events), "publishedAt": stamp(page.published_at)})


def list_subscriptions(sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    return AsciiJson({"results": list(sandbox.hubspot_journal.subscriptions.values())})


def subscribe(sandbox: Sandbox, _request: Request, body: Any) -> Response:
    given = body if isinstance(body, dict) else {}
    if missing := [name for name in ("subscriptionType", "portalId", "actions", "objectTypeId") if not given.get(name)]:
        return error(400, "VALIDATION_ERROR", f"{missing[0]} is required")
    return AsciiJson(sandbox.hubspot_journal.subscribe(given, stamp(sandbox.now())))


def unsubscribe(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    sandbox.hubspot_journal.subscriptions.pop(int(request.path_params["number"]), None)
    return Response(status_code=204)


def _one(sandbox: Sandbox, request: Request, page: Page | None) -> Response:
    return Response(status_code=204) if page is None else AsciiJson(_reference(sandbox, request, page))


def _reference(sandbox: Sandbox, request: Request, page: Page) -> dict[str, str]:
    place = request.url.replace(path=f"{request.scope.get('root_path', '')}/journal-files/{page.offset}.json", query="")
    return {"currentOffset": page.offset, "url": str(place), "expiresAt": stamp(sandbox.now() + ADDRESS_HOLDS)}
