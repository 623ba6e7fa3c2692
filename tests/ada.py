"""Ada, who is to be erased: what four sources tell of her and of those around her, and where anything is still told of her."""

import json
import re
from collections import Counter
from typing import Any
from urllib.parse import unquote

from sqlalchemy import MetaData, select

from automation.pipeline.collect import Collected, collect
from automation.pipeline.context import Loop
from automation.pipeline.run import drive
from data.db import Database
from data.domain.event import Driver
from tests.support import COLD, HOT, NOON, generic

ADA = "ada@example.com"
EARLIER = "ada.byron@old.example"
NEIGHBOURS = ("jada@example.com", "ada@example.com.au", "ada+news@example.com", "x-ada@example.com", "ada@example.co")
# Two ids that are hers, one that is another's and begins like hers.
CONTACT, MERGED, BOB = 901_001, 901_002, 901_0011
DEAL, MOMENT = 77_001, int(NOON.timestamp() * 1000)
NOTE = f'{NEIGHBOURS[0]} wrote: "ADA@example.com (ada%40example.com, \\u0061da\\u0040example.com) and {NEIGHBOURS[1]}"'

# However it is written, and as a whole: what may not stand around an address that is hers.
WHOLE = re.compile(r"(?<![\w+~-])(?:ada@example\.com|ada\.byron@old\.example)(?![\w-]|\.\w)", re.IGNORECASE)


def hubspot(kind: str, number: int, *, second: int = 0, **more: Any) -> dict[str, Any]:
    """One item of HubSpot's."""
    common = {"eventId": number + second, "subscriptionId": 1, "portalId": 33, "appId": 1, "attemptNumber": 0}
    return {**common, "occurredAt": MOMENT + second * 1000, "subscriptionType": kind, "objectId": number, **more}


def changed(number: int, name: str, value: str, *, kind: str = "contact", second: int = 0) -> dict[str, Any]:
    return hubspot(f"{kind}.propertyChange", number, second=second, propertyName=name, propertyValue=value)


def pipedrive(number: int, data: dict[str, Any], *, entity: str = "person", second: int = 0) -> dict[str, Any]:
    """A payload of Pipedrive's: one item that stands alone."""
    meta = {
        "version": "2.0", "action": "create", "entity": entity, "entity_id": number, "company_id": 1, "id": f"{number}-{second}",
        "timestamp": NOON.replace(second=second).isoformat(), "attempt": 1,
    }  # fmt: skip
    return {"meta": meta, "data": data}


OF_ADA = [
    hubspot("contact.creation", CONTACT),
    changed(CONTACT, "email", "Ada.Byron@old.example", second=1),
    changed(CONTACT, "email", "Ada@Example.COM", second=2),
    changed(CONTACT, "firstname", "Ada", second=3),
    changed(CONTACT, "lastname", "Lovelace", second=4),
    changed(CONTACT, "sessions", "5", second=5),
]
OF_BOB = [
    hubspot("contact.creation", BOB),
    changed(BOB, "email", "jada@example.com", second=1),
    changed(BOB, "firstname", "Bob", second=2),
    changed(BOB, "introduced_by", f"Ada Lovelace <{ADA}>", second=3),
]
OF_THE_DEAL = [
    hubspot("deal.creation", DEAL),
    changed(DEAL, "dealname", "Ada Lovelace, engines for Acme", kind="deal", second=1),
    changed(DEAL, "amount", "5000", kind="deal", second=2),
    {**hubspot("deal.associationChange", DEAL, second=3), "associationType": "DEAL_TO_CONTACT", "fromObjectId": DEAL,
     "toObjectId": CONTACT, "associationRemoved": False},
]  # fmt: skip
MERGE = hubspot("contact.merge", CONTACT, second=9, primaryObjectId=CONTACT, mergedObjectIds=[MERGED], newObjectId=CONTACT)
MIXED = [OF_ADA[0], OF_BOB[0], OF_ADA[1], *OF_ADA[2:], *OF_BOB[1:], *OF_THE_DEAL]
UNKNOWN = hubspot("contact.waved", CONTACT, second=8)
UNREADABLE = b'[{"objectId": 5, "propertyValue": "ada%40example.com"'


def note(number: str, text: str, **properties: Any) -> dict[str, Any]:
    return {**generic(key=f"note {number}"), "type": "note.created", "entity": {"kind": "note", "id": number},
            "properties": {"body": text, **properties}}  # fmt: skip


def tell(loop: Loop, source: str, *items: dict[str, Any], body: bytes | None = None) -> Collected:
    made = json.dumps(items[0] if source == "pipedrive" else items).encode()
    return collect(loop, source, made if body is None else body, Driver.WORKER)


def tell_all(loop: Loop) -> None:
    """Everything about her and those around her, scored."""
    tell(loop, "hubspot", *MIXED)
    tell(loop, "hubspot", OF_ADA[3], OF_BOB[2])  # again: no event of its own tells of this payload
    tell(loop, "hubspot", changed(MERGED, "firstname", "Ada", second=7), MERGE, UNKNOWN)
    tell(loop, "hubspot", body=UNREADABLE)
    tell(loop, "pipedrive", pipedrive(41, {"name": "Ada Lovelace", "emails": [{"value": ADA, "primary": True}], **COLD}))
    tell(loop, "pipedrive", pipedrive(42, {"name": "Jada", "emails": [{"value": "jada@example.com", "primary": True}]}))
    tell(loop, "generic", generic("ADA@example.com", key="form", **HOT), generic("ada+news@example.com", key="other", **HOT))
    tell(loop, "generic", note("own", "Called Ada.", contact_id="ADA@example.com"))
    tell(loop, "generic", note("shared", NOTE, contact_id="ada+news@example.com"), note("of a deal", "ada said no", deal_id="d1"))
    drive(loop)


def still_told(database: Database, pattern: re.Pattern[str] = WHOLE) -> dict[str, int]:
    """Column -> cells in which she is, by the database's own list of tables; by nothing that an erasure goes by."""
    told = (
        f"{table}.{name}" for table, found in rows(database).items() for row in found for name in row if _has(pattern, row[name])
    )
    return dict(Counter(told))


def rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    metadata = MetaData()
    metadata.reflect(database.engine)
    with database.engine.connect() as connection:
        return {table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in metadata.sorted_tables}


def _has(pattern: re.Pattern[str], value: Any) -> bool:
    return pattern.search(read(value)) is not None


def read(value: Any) -> str:
    """A cell as a careful reader reads it: escapes of JSON and of URLs undone, as often as there are any."""
    text = bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)
    for _ in range(3):
        text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found.group(1), 16)), unquote(text))
    return text
