"""Slack's side: posting, history, channels. Errors come with status 200 and `ok: false`, as Slack's do.

https://docs.slack.dev/reference/methods/chat.postMessage and conversations.history
"""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from automation.sandbox.http import route
from automation.sandbox.state import Channel, Sandbox

MOST_BLOCKS, LONGEST_SECTION, LONGEST_BLOCK_ID = 50, 3000, 255


def routes(sandbox: Sandbox) -> list[Route]:
    table = [
        (method, f"/api/{name}", handler)
        for name, handler in (
            ("chat.postMessage", _post_message),
            ("conversations.history", _history),
            ("conversations.list", _list),
            ("auth.test", _auth_test),
        )
        for method in ("GET", "POST")
    ]
    return [route(sandbox, "slack", _guard, *row) for row in table]


def _guard(sandbox: Sandbox, request: Request) -> Response | None:
    header = request.headers.get("authorization")
    if header is None:
        return _refuse("not_authed")
    return None if header == f"Bearer {sandbox.tokens['slack']}" else _refuse("invalid_auth")


def _post_message(sandbox: Sandbox, request: Request, body: Any) -> Response:
    if not isinstance(body, dict):
        return _refuse("invalid_json")
    fields = {**dict(request.query_params), **body}
    if (channel := _channel(sandbox, str(fields.get("channel", "")), by_name=True)) is None:
        return _refuse("channel_not_found")
    blocks = fields.get("blocks") or []
    blocks = json.loads(blocks) if isinstance(blocks, str) else blocks
    if not fields.get("text") and not blocks:
        return _refuse("no_text")
    if not _valid(blocks):
        return _refuse("invalid_blocks")
    message = {"text": fields.get("text", ""), "blocks": blocks, "bot_id": "B000000001"}
    ts = sandbox.post(channel, message)
    return JSONResponse({"ok": True, "channel": channel.id, "ts": ts, "message": {**message, "ts": ts}})


def _history(sandbox: Sandbox, request: Request, body: Any) -> Response:
    fields = {**dict(request.query_params), **(body or {})}
    if (channel := _channel(sandbox, str(fields.get("channel", "")), by_name=False)) is None:
        return _refuse("channel_not_found")
    oldest, limit = float(fields.get("oldest", 0)), int(fields.get("limit", 100))
    start = int(fields.get("cursor") or 0)
    with sandbox.lock:
        found = [message for message in reversed(channel.messages) if float(message["ts"]) > oldest]
    more = len(found) > start + limit
    cursor = str(start + limit) if more else ""
    return JSONResponse(
        {"ok": True, "messages": found[start : start + limit], "has_more": more, "response_metadata": {"next_cursor": cursor}}
    )


def _list(sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    rows = [{"id": channel.id, "name": channel.name, "is_channel": True} for channel in sandbox.channels.values()]
    return JSONResponse({"ok": True, "channels": rows, "response_metadata": {"next_cursor": ""}})


def _auth_test(_sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    return JSONResponse({"ok": True, "team": "Sandbox", "user": "leadloop", "bot_id": "B000000001"})


def _channel(sandbox: Sandbox, wanted: str, *, by_name: bool) -> Channel | None:
    for channel in sandbox.channels.values():
        if wanted == channel.id or (by_name and wanted.removeprefix("#") == channel.name):
            return channel
    return None


def _valid(blocks: Any) -> bool:
    if not isinstance(blocks, list) or len(blocks) > MOST_BLOCKS:
        return False
    ids = [block["block_id"] for block in blocks if isinstance(block, dict) and "block_id" in block]
    if len(set(ids)) < len(ids) or any(len(name) > LONGEST_BLOCK_ID for name in ids):
        return False
    return all(
        isinstance(block, dict) and block.get("type") and len(str((block.get("text") or {}).get("text", ""))) <= LONGEST_SECTION
        for block in blocks
    )


def _refuse(error: str) -> Response:
    return JSONResponse({"ok": False, "error": error})
