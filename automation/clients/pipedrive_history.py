"""Pipedrive's past: every record, what became of deals, persons and organizations, and what has changed lately.

https://developers.pipedrive.com/docs/api/v1/Deals (v2 lists with cursors; leads, notes and users are of v1 still; so is the
changelog, which exists for deals, persons and organizations). Archived deals and leads have lists of their own:
https://developers.pipedrive.com/changelog/post/breaking-change-archived-deals-and-leads-will-not-be-returned-in-existing-endpoints-and-will-not-be-editable
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from automation.clients.history import Changes, Current, Links, Page, Patience, Presence
from automation.clients.pipedrive import PipedriveClient
from automation.clients.pipedrive_participants import COUNT, participants
from automation.clients.pipedrive_presence import AT_ONCE, ONE_BY_ONE, is_gone, present
from automation.clients.pipedrive_schema import Schema, as_v2
from automation.sources.pipedrive import flat
from automation.sources.properties import KEYED
from data.domain.entity import EntityKind, EntityRef
from data.domain.fact import text_of
from data.domain.past import Change, PastRecord
from data.errors import Gone
from data.log import get_logger

log = get_logger("history")

NAME = "pipedrive"
PAGE = 100
OVERLAP = 10  # so many rows may be deleted between two pages of v1 before another call is needed
LOG_PAGE = 500

K = EntityKind


@dataclass(frozen=True)
class Listed:
    """Where the records of a kind are listed. `logged`: where their changes are, for each record.

    `archived`: whether those that were put aside are in a list of their own.
    """

    path: str
    newer: bool = True
    logged: str | None = None
    archived: bool = False


# Whom others name comes before those.
LISTS: dict[EntityKind, Listed] = {
    K.USER: Listed("/v1/users", newer=False),
    K.PIPELINE: Listed("/api/v2/pipelines"),
    K.STAGE: Listed("/api/v2/stages"),
    K.COMPANY: Listed("/api/v2/organizations", logged="/v1/organizations"),
    K.CONTACT: Listed("/api/v2/persons", logged="/v1/persons"),
    K.PRODUCT: Listed("/api/v2/products"),
    K.DEAL: Listed("/api/v2/deals", logged="/v1/deals", archived=True),
    K.LEAD: Listed("/v1/leads", newer=False, archived=True),
    K.ACTIVITY: Listed("/api/v2/activities"),
    K.NOTE: Listed("/v1/notes", newer=False),
}
# Before a place in the list of those that are archived, which is read behind the other.
ARCHIVED = "archived:"
NEWEST_FIRST = "update_time DESC"
NO_SCHEMA = Schema({}, {}, frozenset())
# The kinds whose rows say how many take part, and how they are asked for it.
COUNTED: dict[EntityKind, dict[str, str]] = {K.DEAL: {"include_fields": COUNT}}
# What is no property: a note's row repeats the records whose ids it has, whose own rows say it. Webhooks say nothing of either.
BESIDE = {K.NOTE: frozenset({"deal", "organization", "person", "project", "task", "user"}), K.DEAL: frozenset({COUNT})}
CREATED, CHANGED = ("add_time", "created"), ("update_time", "modified")
# Their lists take neither dates nor ids, and are read whole: no account has many of these.
SHORT = frozenset({K.USER, K.PIPELINE, K.STAGE})
# What moves as a user comes and goes, and what `present` tells as a deletion.
OF_USERS = frozenset({"last_login", "created", "modified", "is_you", "timezone_offset", "active_flag", "is_deleted"})


class PipedriveHistory:
    """Implements `automation.clients.history.History`."""

    kinds = tuple(LISTS)
    watched = kinds

    def __init__(self, client: PipedriveClient, patience: Patience) -> None:
        self._client, self._patience = client, patience

    def count(self, kind: EntityKind) -> int | None:
        """Pipedrive does not say."""
        return None

    def past(self, kind: EntityKind, after: str | None) -> Page:
        rows, following = self._listed(kind, after, **COUNTED.get(kind, {}))
        rows, schema = [row for row in rows if row.get("id") is not None], self._schema(kind)
        links = participants(self._client, self._patience, rows) if kind in COUNTED else {}
        return Page(tuple(self._record(kind, row, schema, links.get(str(row["id"]), ())) for row in rows), following)

    def changed(self, kind: EntityKind, since: datetime, until: datetime, after: str | None) -> Changes:
        following: str | None = None
        if kind in SHORT:
            rows = [row for row in self._whole(kind) if since <= _moment(row, CHANGED) < until and not is_gone(row)]
        elif LISTS[kind].newer:
            moments = {"updated_since": _stamp(since), "updated_until": _stamp(until), "sort_by": "update_time"}
            rows, following = self._listed(kind, after, **moments)
        else:
            rows = self._lately(kind, since, until)
        schema = self._schema(kind)
        return Changes(tuple(_current(kind, row, schema) for row in rows), following)

    def links(self, kind: EntityKind, ids: Sequence[str]) -> Links:
        """Of deals, who takes part beside the contact person; all else a record's own properties name."""
        if kind not in COUNTED:
            return {}
        rows: dict[str, dict[str, Any]] = {}
        for path in _paths(kind):
            left = [number for number in ids if number not in rows]
            for start in range(0, len(left), PAGE):
                some, _ = self._page(path, ids=",".join(left[start : start + PAGE]), limit=str(PAGE), **COUNTED[kind])
                rows |= {str(row["id"]): row for row in some}
        return {K.CONTACT: participants(self._client, self._patience, rows.values())}

    def asked_at_once(self, kind: EntityKind) -> int:
        return AT_ONCE if LISTS[kind].newer or kind in SHORT else ONE_BY_ONE

    def present(self, kind: EntityKind, ids: Sequence[str], *, known_gone: Container[str] = ()) -> Presence:
        listed = LISTS[kind]
        if kind in SHORT:
            rows = {str(row["id"]): row for row in self._whole(kind)}
            return present(self._client, self._patience, listed.path, (), ids, known_gone, rows)
        lists = _paths(kind) if listed.newer else ()
        found = present(self._client, self._patience, listed.path, lists, ids, known_gone)
        live = [number for number in ids if number in found.there]
        return replace(found, links=self.links(kind, live)) if live else found

    def _whole(self, kind: EntityKind) -> list[dict[str, Any]]:
        rows, place = self._listed(kind, None)
        while place is not None:
            more, place = self._listed(kind, place)
            rows = [*rows, *more]
        return rows

    def _lately(self, kind: EntityKind, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """All of a list of v1 that has changed, the oldest change first: the pages come newest first, up to `since`."""
        found: dict[str, dict[str, Any]] = {}
        for path in _paths(kind):
            place: str | None = ""
            while place is not None:
                rows, place = self._older(path, place, sort=NEWEST_FIRST)
                found |= {str(row["id"]): row for row in rows if since <= _moment(row, CHANGED) < until}
                if rows and _moment(rows[-1], CHANGED) < since:
                    break
        return sorted(found.values(), key=lambda row: _moment(row, CHANGED))

    def _schema(self, kind: EntityKind) -> Schema:
        """Of the account's own fields: what a key means is known, and so its history is of use from its beginning."""
        return self._patience(lambda: self._client.schema(kind)) if kind in KEYED[NAME] else NO_SCHEMA

    def _listed(self, kind: EntityKind, after: str | None, **query: str) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the list, and of that of the archived behind it; with where the next one begins."""
        listed, place = LISTS[kind], after or ""
        in_archive, place = place.startswith(ARCHIVED), place.removeprefix(ARCHIVED)
        read = self._newer if listed.newer else self._older
        rows, following = read(f"{listed.path}/archived" if in_archive else listed.path, place, **query)
        if following is not None:
            return rows, f"{ARCHIVED}{following}" if in_archive else following
        return rows, ARCHIVED if listed.archived and not in_archive else None

    def _newer(self, path: str, place: str, **query: str) -> tuple[list[dict[str, Any]], str | None]:
        query |= {"limit": str(PAGE), **({"cursor": place} if place else {})}
        rows, more = self._page(path, **query)
        return rows, more.get("next_cursor")

    def _older(self, path: str, place: str, **query: str) -> tuple[list[dict[str, Any]], str | None]:
        """A page of v1, whose places are positions (`100,ID`: behind the row of this id, which is the hundredth).

        Rows that are deleted meanwhile move up those behind them. So a page begins a little before its place; where the row that
        was read last is not found there, it is looked for page by page before that: at worst all is read once more.
        """
        position, _, last = place.partition(",")
        begin = max(int(position or 0) - OVERLAP, 0)
        rows, more = self._page(path, limit=str(PAGE), start=str(begin), **query)
        while begin and last and not _behind(rows, last):
            begin = max(begin - PAGE + OVERLAP, 0)
            rows, more = self._page(path, limit=str(PAGE), start=str(begin), **query)
        pages = more.get("pagination") or more  # leads say it without that level
        there_are_more = rows and pages.get("more_items_in_collection")
        return rows[_behind(rows, last) :], f"{begin + len(rows)},{rows[-1]['id']}" if there_are_more else None

    def _page(self, path: str, **query: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return self._patience(lambda: self._client.page(path, **query))

    def _record(self, kind: EntityKind, row: dict[str, Any], schema: Schema, persons: Iterable[str]) -> PastRecord:
        values = _named(kind, row, schema)
        created_at, changed_at = _moment(row, CREATED), _moment(row, CHANGED)
        ref = EntityRef(source=NAME, kind=kind, id=str(row["id"]))
        entries = None if LISTS[kind].logged is None else self._whole_log(ref)
        if entries is None:
            changes = tuple(Change(name, text_of(value), changed_at) for name, value in values.items())
        else:
            changes = tuple(_with_beginnings(values, [_logged(entry, schema) for entry in entries], created_at))
        links = tuple(EntityRef(source=NAME, kind=K.CONTACT, id=number) for number in sorted(persons))
        return PastRecord(ref, created_at, changes, links)

    def _whole_log(self, ref: EntityRef) -> list[dict[str, Any]] | None:
        """None where the record was deleted or hidden since it was listed: the others are read all the same."""
        try:
            return list(self._log(ref.kind, ref.id))
        except Gone as error:
            log.warning("history.record.gone", source=NAME, kind=ref.kind, id=ref.id, reason=error.detail)
            return None

    def _log(self, kind: EntityKind, number: str) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            query = {"limit": str(LOG_PAGE), **({"cursor": cursor} if cursor else {})}
            rows, more = self._page(f"{LISTS[kind].logged}/{number}/changelog", **query)
            yield from rows
            if not (cursor := more.get("next_cursor")):
                return


def _paths(kind: EntityKind) -> tuple[str, ...]:
    listed = LISTS[kind]
    return (listed.path, f"{listed.path}/archived") if listed.archived else (listed.path,)


def _behind(rows: list[dict[str, Any]], number: str) -> int:
    """Where the rows behind the one of this id begin; 0 where it is not among them."""
    return next((place for place, row in enumerate(rows, 1) if str(row.get("id")) == number), 0)


@dataclass(frozen=True)
class _Logged:
    name: str
    before: str | None
    after: str | None
    at: datetime


def _logged(entry: dict[str, Any], schema: Schema) -> _Logged:
    key = str(entry["field_key"])
    before, after = (text_of(as_v2(key, entry.get(name), schema.sets)) for name in ("old_value", "new_value"))
    return _Logged(schema.names.get(key, key), before, after, _utc(entry["time"]))


def _with_beginnings(values: dict[str, Any], log: Iterable[_Logged], created_at: datetime) -> Iterator[Change]:
    """Each field's changes, and what it was when the record was made: what the first change replaced, or what it still is."""
    by_name: dict[str, list[_Logged]] = {}
    for entry in sorted(log, key=lambda one: one.at):
        by_name.setdefault(entry.name, []).append(entry)
    for name in dict.fromkeys([*values, *by_name]):
        changes = by_name.get(name, [])
        yield Change(name, changes[0].before if changes else text_of(values[name]), created_at)
        yield from (Change(name, change.after, change.at) for change in changes)


def _current(kind: EntityKind, row: dict[str, Any], schema: Schema) -> Current:
    ref = EntityRef(source=NAME, kind=kind, id=str(row["id"]))
    values = {name: value for name, value in _named(kind, row, schema).items() if kind is not K.USER or name not in OF_USERS}
    return Current(ref, _moment(row, CREATED), _moment(row, CHANGED), values)


def _named(kind: EntityKind, row: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """A record's values under the names of its fields."""
    beside = BESIDE.get(kind, frozenset())
    return {schema.names.get(key, key): as_v2(key, value, schema.sets) for key, value in flat(row).items() if key not in beside}


def _moment(row: dict[str, Any], names: tuple[str, ...]) -> datetime:
    """When a record was made or changed; one that says neither, as a user or a stage, has been there for ever."""
    found = next((row[name] for name in (*names, *CREATED) if row.get(name)), None)
    return _utc(found) if found else LONG_AGO


LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def _utc(text: str) -> datetime:
    """API v2 writes RFC 3339, API v1 `2026-01-31 12:00:00` in UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
