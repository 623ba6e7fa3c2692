"""Events as both sides name them: what a sender's ledger says was told, and what is stored of it; read apart from the parsers."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from automation.sandbox.ledger import Ledger
from automation.sources import ours
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.payloads import Payload

Told = tuple[str, str, str, int]
"""Source, the record, what happened to it, and when, in milliseconds."""

HUBSPOT_VERBS = {
    "creation": "created",
    "propertyChange": "changed",
    "deletion": "deleted",
    "restore": "restored",
    "merge": "merged",
}
HUBSPOT_KINDS = {"0-1": "contact", "0-3": "deal"}
PIPEDRIVE_VERBS = {"create": "created", "change": "changed", "delete": "deleted"}
PIPEDRIVE_KINDS = {"person": "contact", "deal": "deal"}
GOING = frozenset({"deleted", "restored", "merged"})
LINKS = "associationChange"


def of_ledger(source: str, events: Iterable[Any]) -> list[Told]:
    """Without what is malformed: that is set aside."""
    told = {"hubspot": _of_hubspot, "pipedrive": _of_pipedrive}[source]
    return [each for event in events if (each := told(event)) is not None]


def stored(session: Session) -> list[Told]:
    """Without what reconciliation found, and reviews."""
    query = (
        select(EventRow.source, EntityRow.vendor_id, EventRow.type, EventRow.properties, EventRow.targets, EventRow.occurred_at)
        .join(EntityRow, col(EntityRow.id) == EventRow.entity_id)
        .join(Payload, col(Payload.id) == EventRow.payload_id)
        .where(Payload.source != ours.NAME)
    )
    found: list[Told] = []
    for source, number, type_, properties, targets, at in session.exec(query):
        others = [f"{target['kind']} {target['id']}" for target in targets]
        said = {} if source == "pipedrive" else properties  # what of a Pipedrive record is new, its parser's own tests hold
        kind, _, verb = type_.partition(".")
        found.append((source, f"{kind} {number}", _what(verb, said, others), _milliseconds(at)))
    return found


def losses(ledger: Ledger, source: str) -> set[str]:
    """The records of which a message was lost: what happened to them and how often is known by reconciliation at best."""
    return {record for _, record, _, _ in of_ledger(source, ledger.untaken().values())}


def lost_goings(ledgers: Mapping[str, Ledger]) -> list[str]:
    """The CRMs of which it was lost that a person was deleted, restored or merged. A look at what has changed finds none of it.

    Pipedrive's restoration is told as a change, and moves the record's date: that the look finds.
    """
    told = {source: of_ledger(source, ledger.untaken().values()) for source, ledger in ledgers.items()}
    return [
        source
        for source, events in told.items()
        if any(record.startswith("contact ") and what.split()[0] in GOING for _, record, what, _ in events)
    ]


def _of_hubspot(event: Any) -> Told | None:
    if not isinstance(event, dict) or "\x00" in str(event.get("propertyValue")):
        return None
    kind, _, action = event["subscriptionType"].partition(".")
    if action == LINKS:
        near, far = (f"{HUBSPOT_KINDS[event[f'{end}ObjectTypeId']]} {event[f'{end}ObjectId']}" for end in ("from", "to"))
        if event["associationRemoved"]:
            return ("hubspot", near, _what("dissociated", {}, [far]), event["occurredAt"])
        return ("hubspot", near, _what("associated", {"is_primary": event["isPrimaryAssociation"]}, [far]), event["occurredAt"])
    if (verb := HUBSPOT_VERBS.get(action, "")) == "" or not isinstance(event.get("objectId"), int):
        return None
    number, gone = event["objectId"], list[int]()
    if verb == "merged":
        first, new = event["primaryObjectId"], event["newObjectId"]
        number, gone = new or first, [*([first] if new else []), *event["mergedObjectIds"]]
    said = {event["propertyName"]: event["propertyValue"]} if "propertyName" in event else {}
    return ("hubspot", f"{kind} {number}", _what(verb, said, [f"{kind} {other}" for other in gone]), event["occurredAt"])


def _of_pipedrive(message: Any) -> Told:
    """A merge is told twice: of who went, and of who stays."""
    meta = message["meta"]
    kind, number, verb, gone = PIPEDRIVE_KINDS[meta["entity"]], meta["entity_id"], PIPEDRIVE_VERBS[meta["action"]], list[str]()
    if "merged_to_id" in meta:
        number, verb, gone = meta["merged_to_id"], "merged", [number]
    elif "merged_from_id" in meta:
        verb, gone = "merged", [meta["merged_from_id"]]
    at = _milliseconds(datetime.fromisoformat(meta["timestamp"]))
    return ("pipedrive", f"{kind} {number}", _what(verb, {}, [f"{kind} {other}" for other in gone]), at)


def _what(verb: str, properties: dict[str, Any], others: list[str]) -> str:
    return " ".join([verb, *([str(properties)] if properties else []), *others])


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
