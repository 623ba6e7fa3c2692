"""All that the stand-ins hold, as plain data without moments: two runs that came to the same end give the same."""

from typing import Any

from automation.sandbox.records import Record, Store
from automation.sandbox.state import Sandbox

# A message is told apart by what it says, not by when it was posted.
TIMED = frozenset({"ts", "edited"})


def snapshot(sandbox: Sandbox) -> dict[str, Any]:
    """Vendor -> kind -> id -> record, and Slack's messages by channel in the order of their texts."""
    with sandbox.lock:
        return {
            "hubspot": {kind: _records(store) for kind, store in sandbox.hubspot.items()},
            "pipedrive": {kind: _records(store) for kind, store in sandbox.pipedrive.items()},
            "slack": {name: sorted(map(_message, channel.messages), key=str) for name, channel in sandbox.channels.items()},
        }


def _records(store: Store) -> dict[str, Any]:
    rows = sorted((*store.live.values(), *store.archived.values()), key=lambda record: record.order)
    return {record.id: _record(record) for record in rows}


def _record(record: Record) -> dict[str, Any]:
    return {
        "properties": dict(sorted(record.properties.items())),
        "archived": record.archived_at is not None,
        "links": {kind: sorted(ids) for kind, ids in sorted(record.links.items()) if ids},
    }


def _message(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in TIMED}
