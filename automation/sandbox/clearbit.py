"""Clearbit's side: the company API. Errors with a type and a message, and no Retry-After: X-RateLimit-Reset says until when.

https://dashboard.clearbit.com/docs#enrichment-api-company-api
"""

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from automation.sandbox.company_data import company_route
from automation.sandbox.state import Sandbox

LIMIT = "600"
WORDS = {401: "auth_required", 404: "unknown_record", 422: "invalid_domain", 429: "rate_limit", 500: "internal"}


def routes(sandbox: Sandbox) -> list[Route]:
    def guard(request: Request) -> Response | None:
        return None if request.headers.get("authorization") == f"Bearer {sandbox.tokens['clearbit']}" else _refuse(401)

    return [company_route(sandbox, "clearbit", "/v2/companies/find", guard, _find, _refuse)]


def _find(sandbox: Sandbox, domain: str) -> Response:
    if "." not in domain:
        return _refuse(422)
    found = sandbox.companies.get(domain)
    return _refuse(404) if found is None else JSONResponse(found, headers=_headers("599"))


def _refuse(status: int) -> Response:
    left = "0" if status == 429 else "599"
    return JSONResponse(
        {"error": {"type": WORDS.get(status, "error"), "message": "See the documentation."}}, status, headers=_headers(left)
    )


def _headers(left: str) -> dict[str, str]:
    return {"X-RateLimit-Limit": LIMIT, "X-RateLimit-Remaining": left, "X-RateLimit-Reset": str(int(time.time()) + 45)}
