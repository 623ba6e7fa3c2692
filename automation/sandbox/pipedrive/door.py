"""How Pipedrive lets requests in: a token, a limit of two seconds, and a budget of tokens a day.

https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting: each request costs tokens by what it does, about half in v2 of
what it costs in v1. The headers of the day's budget are not documented but sent; the reset is in seconds.
"""

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from automation.sandbox.http import Vendor
from automation.sandbox.state import Sandbox

ONE, LIST, WRITE, DELETE = "one", "list", "write", "delete"
COSTS: dict[str, tuple[int, int]] = {ONE: (1, 2), LIST: (10, 20), WRITE: (5, 10), DELETE: (3, 6)}  # in v2, in v1
SAID = {401: "unauthorized access", 403: "Scope and URL mismatch", 429: "request over limit", 500: "Internal server error"}


def guard(sandbox: Sandbox, request: Request) -> Response | None:
    given = request.headers.get("x-api-token") or request.query_params.get("api_token")
    return None if given == sandbox.tokens["pipedrive"] else refuse(401)


def refuse(status: int) -> Response:
    error = SAID.get(status, SAID[500])
    info = "Please check developers.pipedrive.com for more information about Pipedrive API."
    return JSONResponse({"success": False, "error": error, "errorCode": status, "error_info": info}, status)


def count(sandbox: Sandbox, request: Request, _body: Any) -> tuple[Response | None, dict[str, str]]:
    account, now = sandbox.pipedrive_account, sandbox.now()
    enforced = sandbox.habits.pipedrive_limits
    over = enforced and (account.window.left(now) <= 0 or not account.daily.left(now))
    if enforced and not over:
        account.window.take(now)
        account.daily.take(now, cost(request))
    headers = {
        "x-ratelimit-limit": str(account.window.most),
        "x-ratelimit-remaining": str(max(account.window.left(now), 0)),
        "x-ratelimit-reset": str(math.ceil(account.window.seconds_until_reset(now))),
        "x-daily-ratelimit-token-limit": str(account.daily.most),
        "x-daily-ratelimit-token-remaining": str(account.daily.left(now)),
    }
    return refuse(429) if over else None, headers


def cost(request: Request) -> int:
    """The tokens of a request."""
    single = request.url.path.endswith(f"/{request.path_params.get('number')}")  # its changelog is a list
    does = {"GET": ONE if single else LIST, "DELETE": DELETE}.get(request.method, WRITE)
    newer, older = COSTS[does]
    each = newer if "/v2/" in request.url.path else older
    return 2 * each if request.url.path.endswith("/archived") else each


PIPEDRIVE = Vendor("pipedrive", guard, refuse, count)
