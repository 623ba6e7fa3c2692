"""What must be true of deals: outcomes are what the CRM's own history of each says, and alerts tell how they ended, once."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

from automation.destinations.digest import BLOCK_PREFIX
from automation.sandbox.records import Record
from automation.sandbox.state import Sandbox
from data.warehouse.entities import EntityRow
from data.warehouse.outcomes import OutcomeRow
from tests.chaos.load import Load

# How each CRM says it. What else it says is that the deal is open.
SAYS = {"hubspot": "dealstage", "pipedrive": "status"}
MEANS = {"closedwon": "won", "closedlost": "lost", "won": "won", "lost": "lost"}
WORDS = ("*Won* on ", "*Lost* on ")
UPDATE = "chat.update"


def wrong_outcomes(session: Session, sandbox: Sandbox, load: Load, lost: Mapping[str, set[str]]) -> list[str]:
    """Every time that a deal was won or lost is there once, in the CRM's order.

    Where a message of a deal was lost, reconciliation sees how it stands in the end, and not what was between.
    """
    found = []
    for source, stories in load.stories.items():
        stored = _stored(session, source)
        for number in (number for story in stories for number in story.deals):
            record = sandbox.get(source, "deals", number)
            assert record is not None
            wanted, here = _endings(record, SAYS[source]), stored.get(number, [])
            if f"deal {number}" in lost[source]:
                stands = MEANS.get(str(record.properties[SAYS[source]]))
                wanted, here = [each for each in (stands,) if each], here[-1:] if stands else []
            if here != wanted:
                found.append(f"{source} deal {number}: {here} instead of {wanted}")
    return found


def wrong_endings(sandbox: Sandbox, load: Load) -> list[str]:
    """An alert tells how it ended only of who had a deal that ended; and nobody is told more often than deals have ended.

    It may tell it of whom n8n's node has made: of an address whose contact was deleted at that moment it makes a new contact. An
    update whose answer got lost is made again, which changes nothing.
    """
    of_ended = load.whose_deals_ended()
    found = [
        f"{who}: told of an end that there was not"
        for message in sandbox.messages()
        for who in _told_of_ends(message)
        if who[1] in load.people[who[0]] and f"{who[0]} {load.now(*who)}" not in of_ended
    ]
    updates = [request.status for request in list(sandbox.requests) if request.path.endswith(UPDATE)]
    unheard = sum(status != 200 for status in updates)
    ends = sum(len(_endings(record, name)) for source, name in SAYS.items() for record in sandbox.records(source, "deals"))
    if len(updates) > ends + 2 * unheard:
        found.append(f"{len(updates)} updates, {unheard} of them unheard, of {ends} endings")
    return found


def _stored(session: Session, source: str) -> dict[str, list[str]]:
    query = (
        select(EntityRow.vendor_id, OutcomeRow.result)
        .join(EntityRow, col(EntityRow.id) == OutcomeRow.entity_id)
        .where(EntityRow.source == source, EntityRow.kind == "deal")
        .order_by(col(OutcomeRow.occurred_at))
    )
    found: dict[str, list[str]] = {}
    for number, result in session.exec(query):
        found.setdefault(number, []).append(result)
    return found


def _endings(record: Record, name: str) -> list[str]:
    """How a deal ended, each time that it did, in the order in which it changed in the CRM."""
    found, before = [], None
    for value, _ in reversed(record.history(name)):
        after = MEANS.get(str(value))
        if after is not None and after != before:
            found.append(after)
        before = after
    return found


def _told_of_ends(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Whose alerts in a message tell how it ended: the footer after each names them."""
    found, ended = [], False
    for block in message["blocks"]:
        if str(block.get("block_id", "")).startswith(BLOCK_PREFIX):
            ended = any(word in block["text"]["text"] for word in WORDS)
        elif block["type"] == "context" and ended:
            words = str(block["elements"][0]["text"]).split()
            found.append((words[-3], words[-1]))
    return found
