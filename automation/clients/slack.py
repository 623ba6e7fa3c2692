"""Slack through its own SDK: post a message, look whether it was posted already, change and delete it."""

import http.client
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from automation.clients.base import TIMEOUT_SECONDS, retry_after
from automation.clients.pace import Pace, Unpaced
from data.domain.pace import Rate
from data.errors import Permanent, Retryable, VendorError

# Slack's own words for "not now", or for a token that is being changed. All other errors stay until someone acts.
PASSING = frozenset({
    "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
    "invalid_auth", "not_authed", "token_expired", "token_revoked",
})  # fmt: skip
NO_MESSAGE, NO_SCOPE = "message_not_found", "missing_scope"
# Each is listed by itself: Slack refuses a list of both to a bot that may see one of them (`channels:read`, `groups:read`).
KINDS_OF_CHANNELS = ("public_channel", "private_channel")
PAGE = 200
MOST_PAGES = 10
VENDOR = "slack"
# One message a second and channel; every other method has a limit of its own: tier 3 for the ones that are called here, but for
# the list of channels, which is in tier 2. https://docs.slack.dev/apis/web-api/rate-limits
MESSAGES = Rate(calls=1, per_seconds=1.0, burst=1)
METHODS = Rate(calls=50, per_seconds=60.0, burst=10)
LISTS = Rate(calls=20, per_seconds=60.0, burst=10)


def limit_of(channel: str) -> str:
    """The name of the limit of messages to a channel."""
    return f"slack {channel.removeprefix('#')}"


class SlackClient:
    """One workspace. A channel is named as people name it (`#sales`) or by its id."""

    def __init__(self, token: str, base_url: str, *, pace: Pace | None = None) -> None:
        self._pace = pace or Unpaced()
        self._sdk = WebClient(token=token, base_url=base_url, timeout=int(TIMEOUT_SECONDS), retry_handlers=[])
        self._channel_ids: dict[str, str] = {}

    def post(self, channel: str, text: str, blocks: list[dict[str, Any]]) -> str:
        """Posts; returns the message's `ts`. Raises Retryable or Permanent."""
        body = {"channel": channel, "text": text, "blocks": blocks, "unfurl_links": False}
        answer = self._call("chat.postMessage", limit=limit_of(channel), rate=MESSAGES, json=body)
        self._channel_ids.setdefault(channel, str(answer["channel"]))
        return str(answer["ts"])

    def update(self, channel: str, ts: str, text: str, blocks: list[dict[str, Any]]) -> str:
        """Puts another text into a message; returns its `ts`. Raises Retryable or Permanent."""
        body = {"channel": self._channel_id(channel), "ts": ts, "text": text, "blocks": blocks}
        return str(self._call("chat.update", json=body)["ts"])

    def find(self, channel: str, block_ids: Collection[str], since: datetime) -> dict[str, str]:
        """The `ts` of the message of each of these blocks, if it was posted since. Raises Retryable or Permanent."""
        found: dict[str, str] = {}
        for message in self._messages(channel, {"oldest": f"{since.timestamp():.6f}"}, since):
            named = {block.get("block_id") for block in message.get("blocks", [])}
            found |= {block_id: str(message["ts"]) for block_id in block_ids if block_id in named}
            if len(found) == len(block_ids):
                break
        return found

    def message(self, channel: str, block_id: str, since: datetime, *, ts: str | None = None) -> dict[str, Any] | None:
        """The message that has this block, if it was posted since, or is the one of this `ts`. Raises Retryable or Permanent."""
        where = {"oldest": f"{since.timestamp():.6f}"} if ts is None else {"oldest": ts, "latest": ts, "inclusive": "true"}
        for message in self._messages(channel, where, since):
            if any(block.get("block_id") == block_id for block in message.get("blocks", [])):
                return dict(message)
        return None

    def about(self) -> tuple[str, frozenset[str]]:
        """The workspace's name and the bot's scopes, as far as Slack says them. Raises Retryable or Permanent."""
        with self._pace.call("slack auth.test", METHODS, vendor=VENDOR):
            answer = self._answer("auth.test")
        headers: Any = {name.lower(): value for name, value in answer.headers.items()}
        scopes = str(headers.get("x-oauth-scopes") or "").split(",")
        return str(answer.get("team")), frozenset(name.strip() for name in scopes) - {""}

    def membership(self, channel: str) -> tuple[bool, bool]:
        """Whether the bot is in a channel, and whether that is private; one that it does not see is neither. Raises Retryable."""
        try:
            found = self._call("conversations.info", params={"channel": self._channel_id(channel)}).get("channel", {})
        except Permanent:
            return False, False
        return bool(found.get("is_member")), bool(found.get("is_private"))

    def delete(self, channel: str, ts: str) -> None:
        """Deletes a message that this bot posted; one that is not there any more is deleted. Raises Retryable or Permanent."""
        try:
            self._call("chat.delete", json={"channel": self._channel_id(channel), "ts": ts})
        except Permanent as error:
            if NO_MESSAGE not in error.detail:
                raise

    def _messages(self, channel: str, where: dict[str, str], since: datetime) -> Iterator[dict[str, Any]]:
        """Newest first, page by page."""
        asked: dict[str, Any] = {"channel": self._channel_id(channel), "limit": PAGE, **where}
        for _ in range(MOST_PAGES):
            answer = self._call("conversations.history", params=asked)
            yield from answer.get("messages", [])
            if not (cursor := answer.get("response_metadata", {}).get("next_cursor")):
                return
            asked["cursor"] = cursor
        raise Permanent(f"more than {PAGE * MOST_PAGES} messages since {since:%H:%M:%S}: stopped looking")

    def _channel_id(self, channel: str) -> str:
        """`conversations.history` takes ids only."""
        name = channel.removeprefix("#")
        if name == channel and channel[:1] in "CG" and channel.isupper():
            return channel
        unseen = [said for kind in KINDS_OF_CHANNELS if (said := self._look_for(channel, kind)) is not None]
        if channel not in self._channel_ids:
            raise Permanent("; ".join((f"Slack has no channel {channel} that this bot can see", *unseen)))
        return self._channel_ids[channel]

    def _look_for(self, channel: str, kind: str) -> str | None:
        """Remembers the ids of a kind of channels until this one is among them; why the bot may not see that kind."""
        where: dict[str, Any] = {"limit": PAGE, "types": kind, "exclude_archived": "true"}
        while channel not in self._channel_ids:
            try:
                answer = self._call("conversations.list", rate=LISTS, params=where)
            except Permanent as error:
                if NO_SCOPE not in error.detail:
                    raise
                return error.detail
            self._channel_ids |= {f"#{row['name']}": row["id"] for row in answer.get("channels", [])}
            self._channel_ids |= {row["name"]: row["id"] for row in answer.get("channels", [])}
            where["cursor"] = answer.get("response_metadata", {}).get("next_cursor")
            if not where["cursor"]:
                break
        return None

    def _call(self, method: str, *, limit: str | None = None, rate: Rate | None = None, **options: Any) -> dict[str, Any]:
        with self._pace.call(limit or f"slack {method}", rate or METHODS, vendor=VENDOR):
            return dict(self._answer(method, **options).data)  # type: ignore[arg-type]

    def _answer(self, method: str, **options: Any) -> SlackResponse:
        try:
            return self._sdk.api_call(method, **options)
        except SlackApiError as error:
            raise _vendor_error(method, error) from None
        except (SlackClientError, OSError, http.client.HTTPException) as error:
            raise Retryable(f"Slack cannot be reached: {type(error).__name__}", unsure=True) from None


def _vendor_error(method: str, error: SlackApiError) -> VendorError:
    response: Any = error.response
    word = response.get("error") if isinstance(response.data, dict) else None
    needed = f", {response.get('needed')} is needed" if word == NO_SCOPE else ""
    detail = f"Slack answered {response.status_code} to {method}: {word or 'no reason given'}{needed}"
    if response.status_code in (401, 429) or response.status_code >= 500 or word in PASSING:
        wait = retry_after(response.headers.get("Retry-After"))
        unsure = response.status_code >= 500  # an error after the work was done looks the same
        limited = response.status_code == 429 or word in {"ratelimited", "rate_limited"}
        return Retryable(detail, retry_after_seconds=wait, unsure=unsure, limited=limited)
    return Permanent(detail)
