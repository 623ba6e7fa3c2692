"""An alert's message once it is known how it ended: the same message, with another title and a line more."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from automation.destinations import digest
from automation.destinations.mrkdwn import LONGEST_HEADER, escape
from data.domain.outcome import Result

HOT = "Hot lead: "  # how the title of an alert begins
WORDS = {Result.WON: "Won", Result.LOST: "Lost"}

Known = Mapping[str, tuple[Result, datetime]]


def message_of(alerts: Sequence[dict[str, Any]], known: Known) -> tuple[str, list[dict[str, Any]]]:
    """Text and blocks of a message out of the contents of its alerts. `known`: block id -> how it ended, and when."""
    shown = [_ended(alert, known.get(alert["block_id"])) for alert in alerts]
    return (shown[0]["text"], shown[0]["blocks"]) if len(shown) == 1 else digest.digest(shown)


def _ended(alert: dict[str, Any], end: tuple[Result, datetime] | None) -> dict[str, Any]:
    if end is None:
        return alert
    result, at = end
    blocks = [_block(block, alert["block_id"], WORDS[result], f"{at:%-d %B %Y}") for block in alert["blocks"]]
    title = next(block["text"]["text"] for block in blocks if block["type"] == "header")
    return {**alert, "text": escape(title), "blocks": blocks}


def _block(block: dict[str, Any], block_id: str, word: str, day: str) -> dict[str, Any]:
    if block["type"] == "header":
        who = block["text"]["text"].removeprefix(HOT)
        return {**block, "text": {**block["text"], "text": f"{word}: {who}"[:LONGEST_HEADER]}}
    if block.get("block_id") == block_id:
        return {**block, "text": {**block["text"], "text": f"*{word}* on {day}. What was said before:\n{block['text']['text']}"}}
    return block
