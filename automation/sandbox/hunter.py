"""Hunter's side: company enrichment by domain. Employees as a range, errors in a list, the key in a header or in the address.

https://hunter.io/api-documentation/v2#company-enrichment
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from automation.sandbox.company_data import company_route
from automation.sandbox.state import Sandbox

WORDS = {401: "authentication_failed", 404: "not_found", 429: "too_many_requests", 500: "internal_error"}


def routes(sandbox: Sandbox) -> list[Route]:
    def guard(request: Request) -> Response | None:
        given = request.headers.get("x-api-key") or request.query_params.get("api_key")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return None if sandbox.tokens["hunter"] in (given, bearer) else _refuse(401)

    return [company_route(sandbox, "hunter", "/v2/companies/find", guard, _find, _refuse)]


def _find(sandbox: Sandbox, domain: str) -> Response:
    if (found := sandbox.companies.get(domain)) is None:
        return _refuse(404)
    return JSONResponse({"data": {**found, "metrics": _metrics(found["metrics"])}, "meta": {"domain": domain}})


def _metrics(metrics: dict[str, Any]) -> dict[str, Any]:
    ranged = {**metrics, "employees": metrics.get("employeesRange")}
    ranged.pop("employeesRange", None)
    return ranged


def _refuse(status: int) -> Response:
    error = {"id": WORDS.get(status, "error"), "code": status, "details": "See the documentation."}
    return JSONResponse({"errors": [error]}, status, headers={"Retry-After": "30"} if status == 429 else None)
