"""Several alerts as one Slack message: a channel takes about one a second, and nobody reads thirty that come at once."""

from collections.abc import Sequence
from typing import Any

from automation.destinations.mrkdwn import escape

# Fewer are posted one by one: each can be seen, opened and answered by itself.
FEWEST = 4
LONGEST_TITLE = 100  # beside the lines of an alert, all of them escaped, within a section's 3,000 characters


def digest(alerts: Sequence[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The text and the blocks of one message out of the contents of several alerts (`data.domain.delivery.Alert`).

    Each alert keeps the block that carries its id, by which it is found again, and its footer, which names the record.
    """
    title = f"{len(alerts)} hot leads"
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": title}}]
    for alert in alerts:
        blocks += _lead(alert)
    return title, blocks


def _lead(alert: dict[str, Any]) -> list[dict[str, Any]]:
    section = next(block for block in alert["blocks"] if block.get("block_id") == alert["block_id"])
    title = next(block["text"]["text"] for block in alert["blocks"] if block["type"] == "header")
    text = f"*{escape(title[:LONGEST_TITLE])}*\n{section['text']['text']}"
    shown = {**section, "text": {"type": "mrkdwn", "text": text}}
    buttons = [block["elements"][0] for block in alert["blocks"] if block["type"] == "actions"]
    if buttons:
        shown["accessory"] = buttons[0]
    return [shown, *(block for block in alert["blocks"] if block["type"] == "context")]
