"""What the stand-ins of Hunter and Clearbit share: the companies that they know, and the habits that spoil an answer.

`sandbox.company_habits`: domain -> Habit, or `EVERY` -> Habit for all of them.
"""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from automation.sandbox.state import Sandbox

EVERY = "*"
SLOW_SECONDS = 0.5


class Habit(StrEnum):
    SLOW = "slow"
    TOO_MANY = "too_many"  # 429, with the vendor's own headers
    BROKEN = "broken"  # 500
    HTML = "html"  # 200, and a page for people
    RUBBISH = "rubbish"  # 200, and JSON that is no company
    PENDING = "pending"  # 202: still looking
    ANOTHER = "another"  # 200, about another company
    HUGE = "huge"  # 200, without end


Find = Callable[[Sandbox, str], Response]
Refuse = Callable[[int], Response]


def company_route(
    sandbox: Sandbox, vendor: str, path: str, guard: Callable[[Request], Response | None], find: Find, refuse: Refuse
) -> Route:
    """A route that checks the key, shows its habits, and else answers."""

    def endpoint(request: Request) -> Response:  # not async: on a thread of its own, for slowness holds up nobody else
        domain = request.query_params.get("domain", "")
        status = sandbox.fault(vendor, request.url.path) if sandbox.fault is not None else None
        answer = guard(request) or (refuse(status) if status else None)
        answer = answer or _spoilt(sandbox, domain, refuse) or find(sandbox, domain)
        sandbox.received(vendor, request.method, f"{request.url.path}?domain={domain}", answer.status_code)
        return answer

    return Route(path, endpoint, methods=["GET"])


def company(domain: str, **told: Any) -> dict[str, Any]:
    """A company as Clearbit tells it, with the fields that matter here."""
    metrics = {
        "employees": 150,
        "employeesRange": "51-250",
        "annualRevenue": None,
        "estimatedAnnualRevenue": "$10M-$50M",
        "raised": None,
    }
    return {
        "id": "00000000-0000-4000-8000-000000000001", "name": domain.partition(".")[0].title(), "legalName": None, "domain": domain,
        "domainAliases": [], "category": {"sector": "Industrials", "industryGroup": "Capital Goods", "industry": "Machinery"},
        "foundedYear": 1986, "location": "Essen, Germany", "geo": {"city": "Essen", "country": "Germany", "countryCode": "DE"},
        "type": "private", "metrics": metrics, "tech": ["nginx", "hubspot", "typo3"], "techCategories": ["web_servers"],
        **told,
    }  # fmt: skip


def _spoilt(sandbox: Sandbox, domain: str, refuse: Refuse) -> Response | None:
    habit = sandbox.company_habits.get(domain) or sandbox.company_habits.get(EVERY)
    if habit == Habit.SLOW:
        time.sleep(SLOW_SECONDS)
    if habit in (None, Habit.SLOW):
        return None
    spoilt: dict[str, Response] = {
        Habit.TOO_MANY: refuse(429),
        Habit.BROKEN: refuse(500),
        Habit.HTML: HTMLResponse("<html><h1>Down for maintenance</h1></html>"),
        Habit.RUBBISH: JSONResponse({"data": {"domain": domain, "metrics": {"employees": "lots of them"}}, "domain": 7}),
        Habit.PENDING: Response(status_code=202),
        Habit.ANOTHER: JSONResponse({**company("another.example"), "data": company("another.example")}),
        Habit.HUGE: Response(b'{"domain": "' + b"x" * 1_000_000, media_type="application/json"),
    }
    return spoilt[habit]
