"""Whether HubSpot still has records that are known here, a hundred a call.

https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide: a batch read names the ids that it does not
find under OBJECT_NOT_FOUND, and with `archived` it looks into the recycle bin, which keeps a record for 90 days. An id that was
merged away is in neither: it is answered with the record that it went into, under that one's id
(https://developers.hubspot.com/changelog/updated-merge-functionality-for-contacts-and-companies).
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from hubspot.crm import objects

from automation.clients.base import TIMEOUT_SECONDS
from automation.clients.history import Patience, Presence
from automation.clients.hubspot import OBJECTS, HubSpotClient, utc
from automation.sources.properties import MERGED
from data.domain.entity import EntityKind

AT_ONCE = 100
NOT_FOUND = "OBJECT_NOT_FOUND"


def present(
    client: HubSpotClient, patience: Patience, kind: EntityKind, ids: Sequence[str], known_gone: Container[str]
) -> Presence:
    """Raises Retryable or Permanent."""

    def read(some: Sequence[str], *, archived: bool) -> Any:
        return patience(lambda: client.called(_read(client, kind, some, archived=archived)))

    if not (ids := [number for number in ids if number.isdigit()]):
        return Presence()
    answer = read(ids, archived=False)
    there = frozenset(row.id for row in answer.results).intersection(ids)
    into = {gone: (row.id, at) for row in answer.results for gone, at in merged_into(row.properties).items()}
    merged = {number: into[number] for number in ids if number in into and number not in there}
    missing = [number for number in _not_found(answer) if number in ids and number not in merged and number not in known_gone]
    if not missing:
        return Presence(there, {}, merged)
    answer = read(missing, archived=True)
    deleted = {
        number: utc(row.archived_at)
        for row in answer.results
        if row.archived_at is not None
        for number in (row.id, *merged_into(row.properties))  # what went into it is gone with it
    }
    return Presence(there, deleted, merged, frozenset(_not_found(answer)).intersection(missing))


def merged_into(properties: Mapping[str, Any]) -> dict[str, datetime | None]:
    """Which records went into the one that has these properties, and when, where it says so.

    >>> merged_into({"hs_merged_object_ids": "7;8", "hs_calculated_merged_vids": "8:1000"})
    {'7': None, '8': datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.timezone.utc)}
    """
    found: dict[str, datetime | None] = {}
    for name in MERGED["hubspot"]:
        for part in str(properties.get(name) or "").split(";"):
            number, _, moment = part.strip().partition(":")
            if number.isdigit():
                found[number] = datetime.fromtimestamp(int(moment) / 1000, UTC) if moment.isdigit() else found.get(number)
    return found


def _read(client: HubSpotClient, kind: EntityKind, ids: Sequence[str], *, archived: bool) -> Callable[[], Any]:
    body = objects.BatchReadInputSimplePublicObjectId(
        inputs=[{"id": number} for number in ids], properties=list(MERGED["hubspot"]), properties_with_history=[]
    )
    api: Any = client.sdk.crm.objects.batch_api
    return partial(api.read, OBJECTS[kind], body, archived=archived, _request_timeout=TIMEOUT_SECONDS)


def _not_found(answer: Any) -> Iterator[str]:
    for error in getattr(answer, "errors", None) or []:
        if error.category == NOT_FOUND:
            yield from map(str, (error.context or {}).get("ids", ()))
