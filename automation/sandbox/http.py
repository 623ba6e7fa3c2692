"""What the stand-ins share: one wrapper around each vendor's handlers."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from automation.sandbox.state import Sandbox

Handler = Callable[[Sandbox, Request, Any], Response]
Guard = Callable[[Sandbox, Request], Response | None]


class AsciiJson(JSONResponse):
    """JSON with every character escaped, as HubSpot sends it: half an emoji goes over the wire too."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode("ascii")


def route(sandbox: Sandbox, vendor: str, guard: Guard, method: str, path: str, handler: Handler) -> Route:
    """A route that checks the credentials, reads the body, records the request, and gives faults their turn."""

    async def endpoint(request: Request) -> Response:
        body = await _body(request)
        refused = guard(sandbox, request)
        if refused is None and sandbox.fault is not None:
            refused = await run_in_threadpool(_fault, sandbox, vendor, path)  # a fault may be slowness
        answer = refused or handler(sandbox, request, body)
        sandbox.received(vendor, request.method, request.url.path, answer.status_code)
        if sandbox.after is not None:
            await run_in_threadpool(sandbox.after, vendor, path)
        return answer

    wrapped: Callable[[Request], Awaitable[Response]] = endpoint
    return Route(path, wrapped, methods=[method])


async def _body(request: Request) -> Any:
    raw = await request.body()
    kind = request.headers.get("content-type", "")
    if "form" in kind:
        return dict(parse_qsl(raw.decode()))
    try:
        return json.loads(raw) if raw else {}
    except ValueError:
        return None


def _fault(sandbox: Sandbox, vendor: str, path: str) -> Response | None:
    status = sandbox.fault(vendor, path) if sandbox.fault is not None else None
    if status is None:
        return None
    headers = {"Retry-After": "1"} if status == 429 else {}
    return JSONResponse({"status": "error", "message": "injected", "ok": False, "error": "injected"}, status, headers)
