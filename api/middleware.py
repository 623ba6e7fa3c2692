"""What every request passes: a correlation id, the body limit, the access log."""

import time
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from data.errors import TooLarge
from data.log import get_logger

log = get_logger("api")
HEADER = b"x-correlation-id"
LONGEST_ID = 64


class Correlation:
    """Gives each request an id (the caller's own, if it has a plain one), says it back, and logs the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation_id = _given(scope) or uuid4().hex
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).append((HEADER, correlation_id.encode()))
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            milliseconds = round((time.perf_counter() - started) * 1000, 1)
            log.info("api.request.done", method=scope["method"], path=scope["path"], status=status, ms=milliseconds)
            structlog.contextvars.clear_contextvars()


class BodyLimit:
    """Refuses bodies over the limit with 413, by their announced length or as soon as they exceed it."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app, self._max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        size, chunks, more = 0, [], True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._max_bytes:
                await self._refuse(scope, receive, send)
                return
            more = message.get("more_body", False)
        pending: list[Message] = [{"type": "http.request", "body": b"".join(chunks), "more_body": False}]

        async def replaying() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replaying, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = TooLarge(f"the body may have {self._max_bytes:,} bytes at most; send fewer events at a time")
        await problem(error.status, error.title, error.detail, kind="urn:leadloop:too-large")(scope, receive, send)


def _given(scope: Scope) -> str | None:
    value = dict(scope["headers"]).get(HEADER, b"").decode("ascii", "ignore")
    return value if value and len(value) <= LONGEST_ID and value.replace("-", "").isalnum() else None
