"""Several alerts as one Slack message: a channel takes about one a second, and nobody reads thirty that come at once."""

from collections.abc import Sequence
from typing import Any

from automation.destinations.mrkdwn import escape

BLOCK_PREFIX = "leadloop-"  # of the id that the block of an alert carries; Slack gives every other block one of its own
# Fewer are posted one by one: each can be seen, opened and answered by itself.
FEWEST = 4
LONGEST_TITLE = 100  # beside the lines of an alert, all of them escaped, within a section's 3,000 characters


def digest(alerts: Sequence[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The text and the blocks of one message out of the contents of several alerts (`data.domain.delivery.Alert`).

    Each alert keeps the block that carries its id, by which it is found again, and its footer, which names the record.
    """
    return _message(len(alerts), [block for alert in alerts for block in _lead(alert)])


def without(blocks: Sequence[dict[str, Any]], block_id: str) -> tuple[str, list[dict[str, Any]]] | None:
    """The text and the blocks of a message without one of its alerts; None where there is no other in it.

    An alert reaches from the block that carries its id to the next one that carries another's.
    """
    starts = [place for place, block in enumerate(blocks) if str(block.get("block_id", "")).startswith(BLOCK_PREFIX)]
    parts = [list(blocks[start:end]) for start, end in zip(starts, [*starts[1:], len(blocks)], strict=True)]
    others = [part for part in parts if part[0]["block_id"] != block_id]
    return _message(len(others), [block for part in others for block in part]) if others else None


def _message(count: int, blocks: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    title = "1 hot lead" if count == 1 else f"{count} hot leads"
    return title, [{"type": "header", "text": {"type": "plain_text", "text": title}}, *blocks]


def _lead(alert: dict[str, Any]) -> list[dict[str, Any]]:
    section = next(block for block in alert["blocks"] if block.get("block_id") == alert["block_id"])
    title = next(block["text"]["text"] for block in alert["blocks"] if block["type"] == "header")
    text = f"*{escape(title[:LONGEST_TITLE])}*\n{section['text']['text']}"
    shown = {**section, "text": {"type": "mrkdwn", "text": text}}
    buttons = [block["elements"][0] for block in alert["blocks"] if block["type"] == "actions"]
    if buttons:
        shown["accessory"] = buttons[0]
    return [shown, *(block for block in alert["blocks"] if block["type"] == "context")]
