"""How HubSpot lets requests in: a private app's token and its scopes, and limits of ten seconds and of a day.

https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines: the headers, and the body of a 429, whose
`policyName` says which limit it was. Searches are counted apart, five a second, and say nothing of what is left.
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from automation.sandbox.accounts import HubSpotAccount
from automation.sandbox.http import AsciiJson, Vendor
from automation.sandbox.hubspot.scopes import lacking
from automation.sandbox.hubspot.wire import error
from automation.sandbox.state import Sandbox

DAILY, ROLLING, SECONDLY = "DAILY", "TEN_SECONDLY_ROLLING", "SECONDLY"
SAID = {
    401: ("EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired 2 minute(s) ago."),
    403: ("MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call."),
    500: ("INTERNAL_ERROR", "internal error"),
}


def guard(sandbox: Sandbox, request: Request) -> Response | None:
    if request.headers.get("authorization") == f"Bearer {sandbox.tokens['hubspot']}":
        return lacking(sandbox, request)
    return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")


def guard_app(sandbox: Sandbox, request: Request) -> Response | None:
    """The journal takes the token of an app, made from its client id and secret, not an account's."""
    if request.headers.get("authorization") == f"Bearer {app_token(sandbox)}":
        return None
    return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")


def app_token(sandbox: Sandbox) -> str:
    return f"app-{sandbox.hubspot_account.client_id}-{sandbox.tokens['hubspot']}"


def refuse(status: int) -> Response:
    if status == 429:
        return _too_many(ROLLING)
    category, message = SAID.get(status, SAID[500])
    return error(status, category, message)


def count(sandbox: Sandbox, request: Request, _body: Any) -> tuple[Response | None, dict[str, str]]:
    account, now, enforced = sandbox.hubspot_account, sandbox.now(), sandbox.habits.hubspot_limits
    if request.url.path.endswith("/search"):
        if enforced and not account.searches.left(now):
            return _too_many(SECONDLY), {}
        account.searches.take(now)
        return None, {}
    over = _over(account, now) if enforced else None
    if enforced and over is None:
        account.window.take(now)
        account.daily.take(now, 1)
    return None if over is None else _too_many(over), _headers(account, now)


def count_nothing(_sandbox: Sandbox, _request: Request, _body: Any) -> tuple[Response | None, dict[str, str]]:
    """The journal is exempt from the daily and the ten-secondly limits."""
    return None, {}


def _over(account: HubSpotAccount, now: datetime) -> str | None:
    if not account.daily.left(now):
        return DAILY
    return ROLLING if account.window.left(now) <= 0 else None


def _headers(account: HubSpotAccount, now: datetime) -> dict[str, str]:
    return {
        "X-HubSpot-RateLimit-Daily": str(account.daily.most),
        "X-HubSpot-RateLimit-Daily-Remaining": str(account.daily.left(now)),
        "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(account.window.length.total_seconds() * 1000)),
        "X-HubSpot-RateLimit-Max": str(account.window.most),
        "X-HubSpot-RateLimit-Remaining": str(max(account.window.left(now), 0)),
    }


def _too_many(policy: str) -> Response:
    body = {
        "status": "error", "message": f"You have reached your {policy.lower()} limit.", "errorType": "RATE_LIMIT",
        "correlationId": str(uuid4()), "policyName": policy, "category": "RATE_LIMITS",
    }  # fmt: skip
    return AsciiJson(body, 429)


HUBSPOT = Vendor("hubspot", guard, refuse, count)
JOURNAL = Vendor("hubspot", guard_app, refuse, count_nothing)
