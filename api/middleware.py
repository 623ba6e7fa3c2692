"""What every request passes: a correlation id, the limits of its body, the access log. `guard` has those of its head."""

import asyncio
import time
from uuid import uuid4

import structlog
from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.callers import asked_by
from api.errors import problem, problem_of
from data.errors import BadInput, LeadloopError, TooLarge
from data.log import get_logger
from data.nesting import DEEPEST, is_nested_beyond

log = get_logger("api")
HEADER = b"x-correlation-id"
LONGEST_ID = 64
# No answer is anything but what it says it is, and none is shown inside another site's page.
STANDING = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"))
# From its first byte to its last. A sender that takes longer holds a connection for nothing.
BODY_SECONDS = 60.0
# Smaller ones are looked through in less time than a thread takes to be asked.
SMALL = 64 * 1024


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
                message.setdefault("headers", []).extend([(HEADER, correlation_id.encode()), *STANDING])
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            milliseconds = round((time.perf_counter() - started) * 1000, 1)
            caller = asked_by(scope).identity.caller
            log.info("api.request.done", method=scope["method"], path=scope["path"], status=status, ms=milliseconds,
                     caller=caller.name if caller else None)  # fmt: skip
            structlog.contextvars.clear_contextvars()


class BodyLimit:
    """Refuses bodies over the limit with 413, by their announced length or as soon as they exceed it; slow ones with 408;
    and for the doors that take typed JSON, with 422, JSON that is nested too deeply or is not UTF-8.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, seconds: float = BODY_SECONDS) -> None:
        self._app, self._max_bytes, self._seconds = app, max_bytes, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(scope, receive)
        except TimeoutError:
            slow = problem(408, "Request Timeout", f"the body has not come within {self._seconds:g} s")
            await slow(scope, receive, send)
            return
        except LeadloopError as error:
            await problem_of(error)(scope, receive, send)
            return
        if body is None:  # nobody is there any more
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replaying() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replaying, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body, or None if its sender has gone.

        Raises:
            TooLarge, TimeoutError, BadInput: it does not fit.
        """
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"0")
        # Longer figures than any limit's are not made a number of: Python refuses to read thousands of digits.
        if announced.isdigit() and (len(announced) > 19 or int(announced) > self._max_bytes):
            raise self._too_large()
        async with asyncio.timeout(self._seconds):
            body = await self._whole(receive)
        if body and b"json" in headers.get(b"content-type", b"").lower() and not _is_collector(scope["path"]):
            await _check_json(body)
        return body

    async def _whole(self, receive: Receive) -> bytes | None:
        body, more = bytearray(), True  # not a list: byte by byte, it would take forty times the room
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                raise self._too_large()
            more = message.get("more_body", False)
        return bytes(body)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body may have {self._max_bytes:,} bytes at most; send fewer events at a time")


def _is_collector(path: str) -> bool:
    """Whether a sender's payload comes in here, of which nothing may be refused that it has authenticated."""
    return path.startswith("/collect/") and path != "/collect/predictions"


async def _check_json(body: bytes) -> None:
    if b"\x00" in body:  # UTF-16 and UTF-32, which Python would read, and which hide what is counted
        raise BadInput("the body is not JSON in UTF-8: it has a NUL byte", field="body")
    if is_nested_beyond(body) if len(body) <= SMALL else await to_thread.run_sync(is_nested_beyond, body):
        raise BadInput(f"the JSON is nested more than {DEEPEST} levels deep", field="body")


def _given(scope: Scope) -> str | None:
    value = dict(scope["headers"]).get(HEADER, b"").decode("ascii", "ignore")
    return value if value and len(value) <= LONGEST_ID and value.replace("-", "").isalnum() else None
