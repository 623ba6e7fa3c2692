"""Whether Pipedrive still has records that are known here: a hundred a call where its lists take ids, otherwise one by one.

https://developers.pipedrive.com/docs/api/v1/Persons (v2: `ids`, a hundred at most). What is deleted can be had for 30 days, marked
as such: https://developers.pipedrive.com/changelog/post/permanent-deletion-logic-for-6-core-entities. Whom a record went into by a
merge Pipedrive tells by webhook only.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from automation.clients.history import Patience, Presence
from automation.clients.pipedrive import PipedriveClient
from data.errors import Gone, Permanent

AT_ONCE = 100
ONE_BY_ONE = 1  # leads and notes: more would use up a day's tokens, which the loop needs
ACTIVE = "active_flag"  # API v1, of notes, and of users, who are switched off and never deleted
CHANGED = ("update_time", "modified")  # the second of users


def present(
    client: PipedriveClient, patience: Patience, path: str, lists: Sequence[str], ids: Sequence[str], known_gone: Container[str],
    listed: Mapping[str, dict[str, Any]] | None = None,
) -> Presence:  # fmt: skip
    """`lists`: those that take ids. Whoever is in none of them, and is not known as gone, is asked for at the path itself.

    `listed`: the rows of a list that was read whole, by their ids. Raises Retryable or Permanent.
    """
    ids = [number for number in ids if number.isdigit()] if lists or listed else ids
    rows: dict[str, dict[str, Any]] = {number: listed[number] for number in ids if number in listed} if listed else {}
    for place in lists:
        if left := [number for number in ids if number not in rows]:
            found, _ = patience(partial(client.page, place, ids=",".join(left), limit=str(len(left))))
            rows |= {str(row["id"]): row for row in found}
    vanished: set[str] = set()
    for number in ids:
        if number in rows or number in known_gone:
            continue
        try:
            row = patience(partial(client.one, f"{path}/{number}"))
            rows |= {number: row} if row else {}
        except Gone:
            vanished.add(number)
        except Permanent:  # hidden from this user: whether it is there, nobody knows
            continue
    deleted = {number: _when(row) for number, row in rows.items() if is_gone(row)}
    return Presence(frozenset(rows.keys() - deleted.keys()), deleted, {}, frozenset(vanished))


def is_gone(row: Mapping[str, Any]) -> bool:
    """Whether a row says that it was deleted, or switched off."""
    return bool(row.get("is_deleted")) or row.get(ACTIVE) is False


def _when(row: dict[str, Any]) -> datetime:
    """The deletion was the last that happened to it. API v2 writes RFC 3339, API v1 `2026-01-31 12:00:00` in UTC."""
    moment = datetime.fromisoformat(str(next(row[name] for name in CHANGED if row.get(name))))
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
