"""An ASGI application called without a socket."""

import asyncio
from typing import Any


def called(
    app: Any, *, method: str = "GET", path: str = "/", client: str = "127.0.0.1", headers: Any = (), body: bytes | None = b""
) -> tuple[int, bytes]:
    """Status and body of the answer; 0 where there was none. A body of None never comes."""
    scope = {
        "type": "http", "method": method, "path": path, "query_string": b"", "headers": list(headers), "client": (client, 1),
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if body is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    status = next((message["status"] for message in sent if message["type"] == "http.response.start"), 0)
    return status, b"".join(message.get("body", b"") for message in sent)
