"""The sandbox by HTTP, for whoever runs it as a process of its own: `/_sandbox/...`, on loopback only and without a token.

GET  habits, snapshot, ledger         what is on, what the stand-ins hold, what was sent and how it was answered
PUT  habits {name: rate, ...}         switches habits on and off; what is not named is off
POST records [{vendor, kind, id, properties}]   as the vendor's own users would write them
POST clear                            forgets records, messages, requests and what was sent
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from automation.sandbox.habits import Habits
from automation.sandbox.snapshot import snapshot
from automation.sandbox.state import Sandbox


def routes(sandbox: Sandbox) -> list[Route]:
    def get(path: str, build: Callable[[Sandbox], Any]) -> Route:
        return Route(f"/_sandbox/{path}", lambda _request: JSONResponse(build(sandbox)))

    def send(path: str, method: str, take: Callable[[Sandbox, Any], None]) -> Route:
        async def endpoint(request: Request) -> Response:
            return _taken(sandbox, take, await request.json() if await request.body() else None)

        wrapped: Callable[[Request], Awaitable[Response]] = endpoint
        return Route(f"/_sandbox/{path}", wrapped, methods=[method])

    return [
        get("habits", lambda box: asdict(box.habits)),
        get("snapshot", snapshot),
        get("ledger", lambda box: {vendor: ledger.as_data() for vendor, ledger in box.ledgers.items()}),
        send("habits", "PUT", _switch),
        send("records", "POST", _put),
        send("clear", "POST", lambda box, _body: box.clear()),
    ]


def _taken(sandbox: Sandbox, take: Callable[[Sandbox, Any], None], body: Any) -> Response:
    try:
        take(sandbox, body)
    except (TypeError, ValueError, KeyError) as error:
        return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 422)
    return JSONResponse({"ok": True})


def _switch(sandbox: Sandbox, body: Any) -> None:
    sandbox.set_habits(Habits(**body))


def _put(sandbox: Sandbox, body: Any) -> None:
    for row in body:
        sandbox.put(row["vendor"], row["kind"], str(row["id"]), row["properties"])
