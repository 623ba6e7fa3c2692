"""What Leadloop finds out by itself: a change that no webhook told, a record that is to be scored anew. No door takes it.

The items are those of the generic source, and each says in whose CRM its record is:

    {"id": "...", "source": "hubspot", "type": "contact.changed", "occurred_at": "2026-01-31T12:00:00Z",
     "entity": {"kind": "contact", "id": "42"}, "properties": {"sessions": 4}, "previous": {}, "targets": []}
"""

from typing import Any, Literal

from automation.sources import generic
from automation.sources.base import Parsed, parse_items
from data.domain.event import Event

NAME = "leadloop"


class Item(generic.Item):
    source: Literal["hubspot", "pipedrive", "generic"]


def parse(body: bytes, *, app_id: str = "") -> Parsed:
    """A payload -> events.

    Raises:
        Rejected: the body is not JSON.
    """
    return parse_items(body, _event, one_allowed=True)


def _event(item: Any) -> Event:
    found = Item.model_validate(item)
    return generic.event_of(found, found.source)
