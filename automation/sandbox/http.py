"""What the stand-ins share: one wrapper around each vendor's handlers, where bad habits get their turn."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from automation.sandbox.faults import AFTER_THE_WORK, HANG_SECONDS, SLOW_SECONDS, Fault
from automation.sandbox.state import Sandbox

Handler = Callable[[Sandbox, Request, Any], Response]
Guard = Callable[[Sandbox, Request], Response | None]
Refusal = Callable[[int], Response]
Count = Callable[[Sandbox, Request, Any], tuple[Response | None, dict[str, str]]]

TRANSPORT = "sandbox.transport"
LOOK_SECONDS = 0.05  # how often a request that is left hanging looks whether its client has gone
PROXY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"


@dataclass(frozen=True)
class Vendor:
    """How one vendor lets requests in and refuses them."""

    name: str
    guard: Guard
    """Checks the credentials."""
    refuse: Refusal
    """An error of a status, in the vendor's own shape."""
    count: Count
    """Counts a request against the limits: a refusal if it is one too many, and the headers that say what is left."""


class AsciiJson(JSONResponse):
    """JSON with every character escaped, as HubSpot sends it: half an emoji goes over the wire too."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode("ascii")


class WithTransport:
    """Puts the connection of each request within reach, so that a handler may break it off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's `send` is a method of the request's cycle, which has the connection.
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await self._app(scope, receive, send)


def route(sandbox: Sandbox, vendor: Vendor, method: str, path: str, handler: Handler) -> Route:
    """A route that checks the credentials, reads the body, records the request, and gives faults their turn."""

    async def endpoint(request: Request) -> Response:
        body = await _body(request)
        answer, headers, drawn = await _admit(sandbox, vendor, path, request, body)
        if answer is None and drawn is not None:
            answer = await _before(vendor, drawn, request)
        if answer is None:
            with sandbox.lock:
                answer = handler(sandbox, request, body)
        broken = drawn in AFTER_THE_WORK or drawn is Fault.DROP_BEFORE
        sandbox.received(vendor.name, request.method, request.url.path, 0 if broken else answer.status_code)
        if sandbox.after is not None:
            await run_in_threadpool(sandbox.after, vendor.name, path)
        if broken:
            await _break_off(request, wait_seconds=HANG_SECONDS if drawn is Fault.TIME_OUT_AFTER else 0)
        answer.headers.update(headers)
        return answer

    wrapped: Callable[[Request], Awaitable[Response]] = endpoint
    return Route(path, wrapped, methods=[method])


async def _admit(
    sandbox: Sandbox, vendor: Vendor, path: str, request: Request, body: Any
) -> tuple[Response | None, dict[str, str], Fault | None]:
    """A refusal if the request does not get in, the headers for its answer, and otherwise what is to befall it."""
    refused = vendor.guard(sandbox, request)
    if refused is None and (vendor.name, request.path_params.get("kind")) in sandbox.unscoped:
        refused = vendor.refuse(403)
    if refused is None and sandbox.fault is not None:
        refused = await run_in_threadpool(_hook, sandbox, vendor.name, path)  # a fault may be slowness
    if refused is not None:
        return refused, {}, None
    with sandbox.lock:
        now, faults = sandbox.now(), sandbox.faults[vendor.name]
        if faults.token_is_expired(now):
            return vendor.refuse(401), {}, None
        drawn = faults.draw(now)
        refused, headers = vendor.count(sandbox, request, body)
        return refused, headers, None if refused else drawn


async def _before(vendor: Vendor, drawn: Fault, request: Request) -> Response | None:
    """What befalls a request before its work is done; None where the work is done after all."""
    if drawn is Fault.SLOW:
        await asyncio.sleep(SLOW_SECONDS)
    if drawn is Fault.DROP_BEFORE:
        return Response(status_code=500)  # never sent
    if drawn is Fault.BAD_GATEWAY:
        return HTMLResponse(PROXY_PAGE, 502)
    if drawn in {Fault.TOO_MANY, Fault.TOO_MANY_UNSAID}:
        answer = vendor.refuse(429)
        answer.headers.update({"Retry-After": "1"} if drawn is Fault.TOO_MANY else {})
        return answer
    status = {Fault.SERVER_ERROR: 500, Fault.EXPIRED_TOKEN: 401}.get(drawn)
    return None if status is None else vendor.refuse(status)


async def _break_off(request: Request, *, wait_seconds: float) -> None:
    """Ends a connection without an answer, at once or when its client has waited long enough."""
    waited = 0.0
    while waited < wait_seconds and not await request.is_disconnected():
        await asyncio.sleep(LOOK_SECONDS)
        waited += LOOK_SECONDS
    if (transport := request.scope.get(TRANSPORT)) is not None:
        transport.abort()
    while transport is not None and not await request.is_disconnected():
        await asyncio.sleep(0)


async def _body(request: Request) -> Any:
    raw = await request.body()
    kind = request.headers.get("content-type", "")
    if "form" in kind:
        return dict(parse_qsl(raw.decode()))
    try:
        return json.loads(raw) if raw else {}
    except ValueError:
        return None


def _hook(sandbox: Sandbox, vendor: str, path: str) -> Response | None:
    status = sandbox.fault(vendor, path) if sandbox.fault is not None else None
    if status is None:
        return None
    headers = {"Retry-After": "1"} if status == 429 else {}
    return JSONResponse({"status": "error", "message": "injected", "ok": False, "error": "injected"}, status, headers)
