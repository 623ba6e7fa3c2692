"""Slack's side: posting, updating, deleting, history, channels. Errors come with status 200 and `ok: false`, as Slack's do.

https://docs.slack.dev/reference/methods/chat.postMessage, chat.update, chat.delete, conversations.history, conversations.info
https://docs.slack.dev/apis/web-api/rate-limits: one message a second and channel, short bursts allowed, then 429 with Retry-After;
other methods so many calls a minute, by their tier.
https://docs.slack.dev/apis/web-api/using-the-conversations-api: public channels want another scope than private ones.
"""

import json
import math
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from automation.sandbox.http import Handler, Vendor, route
from automation.sandbox.messages import Channel
from automation.sandbox.state import Sandbox

MOST_BLOCKS, LONGEST_SECTION, LONGEST_BLOCK_ID = 50, 3000, 255
BOT = {"bot_id": "B000000001", "user": "U000000001", "app_id": "A000000001", "team": "T000000001"}
# The scopes of a method: of a public channel, and of a private one.
WRITING, READING, PAST = ("chat:write", "chat:write"), ("channels:read", "groups:read"), ("channels:history", "groups:history")
PUBLIC, PRIVATE = "public_channel", "private_channel"
SAID = {401: "token_expired", 429: "ratelimited"}
FAR = 1e12  # seconds: after every message


def routes(sandbox: Sandbox) -> list[Route]:
    table = (
        ("chat.postMessage", _scoped(WRITING, _post_message)),
        ("chat.update", _scoped(WRITING, _update)),
        ("chat.delete", _scoped(WRITING, _delete)),
        ("conversations.history", _scoped(PAST, _history)),
        ("conversations.info", _scoped(READING, _info)),
        ("conversations.list", _list),
        ("auth.test", _auth_test),
    )
    vendor = Vendor("slack", _guard, _refuse_status, count)
    return [route(sandbox, vendor, method, f"/api/{name}", handler) for name, handler in table for method in ("GET", "POST")]


def _scoped(scopes: tuple[str, str], handler: Handler) -> Handler:
    """A method of one channel, which the bot must have the scope for."""

    def checked(sandbox: Sandbox, request: Request, body: Any) -> Response:
        channel = sandbox.slack.find(str(_fields(request, body).get("channel", "")), by_name=True)
        return _lacking(sandbox, scopes[channel is not None and channel.private]) or handler(sandbox, request, body)

    return checked


def count(sandbox: Sandbox, request: Request, body: Any) -> tuple[Response | None, dict[str, str]]:
    """Where the limits are on, the refusal of what is over them. Slack says nothing of what is left."""
    if not sandbox.habits.slack_limits:
        return None, {}
    wait = _wait(sandbox, request.url.path.rsplit("/", 1)[-1], str(_fields(request, body).get("channel", "")))
    return (_refuse_status(429), {"Retry-After": str(math.ceil(wait))}) if wait else (None, {})


def _wait(sandbox: Sandbox, method: str, channel: str) -> float:
    """The seconds until a method may be called; 0 where it may be now, and then it is counted."""
    account, now = sandbox.slack_account, sandbox.now()
    if method == "chat.postMessage":
        found = sandbox.slack.find(channel, by_name=True)
        return 0.0 if found is None else account.bucket(found.id).seconds_until_free(now)
    if (window := account.methods.get(method)) is None:
        return 0.0
    wait = window.seconds_until_free(now)
    if not wait:
        window.take(now)
    return wait


def _guard(sandbox: Sandbox, request: Request) -> Response | None:
    header = request.headers.get("authorization")
    if header is None:
        return _refuse("not_authed")
    return None if header == f"Bearer {sandbox.tokens['slack']}" else _refuse("invalid_auth")


def _post_message(sandbox: Sandbox, request: Request, body: Any) -> Response:
    if not isinstance(body, dict):
        return _refuse("invalid_json")
    fields = _fields(request, body)
    if (channel := sandbox.slack.find(str(fields.get("channel", "")), by_name=True)) is None:
        return _refuse("channel_not_found")
    blocks = _blocks(fields)
    if (problem := _problem(fields, blocks)) is not None:
        return _refuse(problem)
    message = {"text": fields.get("text", ""), "blocks": blocks, **BOT}
    if fields.get("thread_ts"):
        message["thread_ts"] = str(fields["thread_ts"])
    ts = sandbox.slack.post(channel, message)
    return JSONResponse({"ok": True, "channel": channel.id, "ts": ts, "message": {"type": "message", **message, "ts": ts}})


def _update(sandbox: Sandbox, request: Request, body: Any) -> Response:
    """Changes a message of ours where it stands; what is not given stays as it was."""
    fields = _fields(request, body)
    if (channel := sandbox.slack.find(str(fields.get("channel", "")), by_name=False)) is None:
        return _refuse("channel_not_found")
    blocks = _blocks(fields)
    if (problem := _problem(fields, blocks)) is not None:
        return _refuse(problem)
    given = {"text": fields.get("text"), "blocks": blocks if "blocks" in fields else None}
    changes = {name: value for name, value in given.items() if value is not None}
    ts = str(fields.get("ts", ""))
    if (message := sandbox.slack.edit(channel, ts, changes, BOT["user"])) is None:
        return _refuse("message_not_found")
    return JSONResponse({"ok": True, "channel": channel.id, "ts": ts, "text": message["text"], "message": message})


def _delete(sandbox: Sandbox, request: Request, body: Any) -> Response:
    fields = _fields(request, body)
    if (channel := sandbox.slack.find(str(fields.get("channel", "")), by_name=False)) is None:
        return _refuse("channel_not_found")
    ts = str(fields.get("ts", ""))
    if not sandbox.slack.delete(channel, ts):
        return _refuse("message_not_found")
    return JSONResponse({"ok": True, "channel": channel.id, "ts": ts})


def _history(sandbox: Sandbox, request: Request, body: Any) -> Response:
    fields = _fields(request, body)
    if (channel := sandbox.slack.find(str(fields.get("channel", "")), by_name=False)) is None:
        return _refuse("channel_not_found")
    start, size = int(fields.get("cursor") or 0), int(fields.get("limit", 100))
    after, before = float(fields.get("oldest") or 0), float(fields.get("latest") or FAR)
    inclusive = str(fields.get("inclusive", "")).lower() in {"1", "true"}
    messages, more = sandbox.slack.newest_first(channel, after=after, before=before, start=start, size=size, inclusive=inclusive)
    cursor = str(start + size) if more else ""
    pins = {"pin_count": 0, "channel_actions_ts": None, "channel_actions_count": 0}
    return JSONResponse({"ok": True, "messages": messages, "has_more": more, **pins, "response_metadata": {"next_cursor": cursor}})


def _info(sandbox: Sandbox, request: Request, body: Any) -> Response:
    channel = sandbox.slack.find(str(_fields(request, body).get("channel", "")), by_name=False)
    return _refuse("channel_not_found") if channel is None else JSONResponse({"ok": True, "channel": _shown(channel)})


def _list(sandbox: Sandbox, request: Request, body: Any) -> Response:
    """One scope that lacks for one of the types, and nothing is shown of the others either."""
    wanted = str(_fields(request, body).get("types") or PUBLIC).split(",")
    for kind, scope in zip((PUBLIC, PRIVATE), READING, strict=True):
        if kind in wanted and (refused := _lacking(sandbox, scope)) is not None:
            return refused
    found = (channel for channel in sandbox.channels.values() if (PRIVATE if channel.private else PUBLIC) in wanted)
    rows = [_shown(channel) for channel in found]
    return JSONResponse({"ok": True, "channels": rows, "response_metadata": {"next_cursor": ""}})


def _auth_test(sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    names = {"url": "https://sandbox.slack.com/", "team": "Sandbox", "user": "leadloop"}
    ids = {"team_id": BOT["team"], "user_id": BOT["user"], "bot_id": BOT["bot_id"]}
    return JSONResponse({"ok": True, **names, **ids}, headers={"x-oauth-scopes": ",".join(sandbox.slack_account.scopes)})


def _shown(channel: Channel) -> dict[str, Any]:
    flags = {"is_channel": True, "is_private": channel.private, "is_archived": False, "is_member": True}
    return {"id": channel.id, "name": channel.name, **flags}


def _fields(request: Request, body: Any) -> dict[str, Any]:
    """A call's arguments: in the query, in a form, or as JSON."""
    return {**dict(request.query_params), **(body if isinstance(body, dict) else {})}


def _blocks(fields: dict[str, Any]) -> Any:
    blocks = fields.get("blocks") or []
    return json.loads(blocks) if isinstance(blocks, str) else blocks


def _problem(fields: dict[str, Any], blocks: Any) -> str | None:
    if not fields.get("text") and not blocks:
        return "no_text"
    return None if _valid(blocks) else "invalid_blocks"


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


def _refuse_status(status: int) -> Response:
    """What is wrong with a token comes with 200; all else with its status."""
    return JSONResponse({"ok": False, "error": SAID.get(status, "internal_error")}, 200 if status == 401 else status)


def _lacking(sandbox: Sandbox, scope: str) -> Response | None:
    scopes = sandbox.slack_account.scopes
    return None if scope in scopes else _refuse("missing_scope", needed=scope, provided=",".join(scopes))


def _refuse(error: str, **more: str) -> Response:
    return JSONResponse({"ok": False, "error": error, **more})
