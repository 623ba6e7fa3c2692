"""HubSpot's past: every object with the history of its properties and its associations, and what has changed lately.

https://developers.hubspot.com/docs/api-reference/latest/crm/objects/objects/guide: histories come for 50 records a call.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from hubspot.crm import objects
from hubspot.crm.associations import v4 as associations

from automation.clients.base import TIMEOUT_SECONDS
from automation.clients.history import Changes, Current, Links, Page, Patience, Presence
from automation.clients.hubspot import OBJECTS, HubSpotClient, row_errors, utc
from automation.clients.hubspot_presence import AT_ONCE, merged_into, present
from automation.sources.properties import HOME_AMOUNT, HOUSEKEEPING, MERGED, MONEY, READ
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import OUR_PREFIX
from data.domain.fact import text_of
from data.domain.pace import Rate
from data.domain.past import Change, PastRecord
from data.errors import Permanent, Retryable

NAME = "hubspot"
PAGE = 50
FOUND_PAGE = 200
MOST_FOUND = 10_000  # a search gives out no more, however far one pages
# https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines: five searches a second, over all apps together.
SEARCHES = Rate(calls=4, per_seconds=1.0, burst=2)

K = EntityKind
BELONGS_TO: dict[EntityKind, tuple[EntityKind, ...]] = {
    K.CONTACT: (K.COMPANY,),
    K.DEAL: (K.CONTACT, K.COMPANY),
    K.LEAD: (K.CONTACT, K.COMPANY),
    K.TICKET: (K.CONTACT, K.COMPANY, K.DEAL),
    **dict.fromkeys((K.NOTE, K.CALL, K.MEETING, K.EMAIL, K.TASK), (K.CONTACT, K.COMPANY, K.DEAL, K.LEAD, K.TICKET)),
}
# Whose links a round reads, too. Those of notes, calls and the like, which hardly ever change once they are made, would be most of
# its calls.
LINKED = (K.CONTACT, K.DEAL, K.LEAD, K.TICKET)


class HubSpotHistory:
    """Implements `automation.clients.history.History`."""

    kinds = tuple(READ[NAME])
    watched = kinds

    def __init__(self, client: HubSpotClient, app_id: str, patience: Patience) -> None:
        self._client, self._app_id, self._patience = client, app_id, patience
        self._objects: Any = client.sdk.crm.objects

    def count(self, kind: EntityKind) -> int | None:
        body = objects.PublicObjectSearchRequest(limit=1, filter_groups=[], sorts=[], properties=[], after="0")
        return int(self._search(kind, body).total)

    def past(self, kind: EntityKind, after: str | None) -> Page:
        options = {"after": after} if after else {}
        api = self._objects.basic_api
        listed = self._called(
            lambda: api.get_page(OBJECTS[kind], limit=PAGE, archived=False, _request_timeout=TIMEOUT_SECONDS, **options)
        )
        ids = [row.id for row in listed.results]
        links = self._links(kind, ids)
        records = tuple(self._record(kind, row, links.get(row.id, ())) for row in self._with_history(kind, ids))
        return Page(records, listed.paging.next.after if listed.paging and listed.paging.next else None)

    def changed(self, kind: EntityKind, since: datetime, until: datetime, after: str | None) -> Changes:
        """In the order of the changes. Behind the last one that a search gives out, the next search begins at its moment."""
        name = "lastmodifieddate" if kind is K.CONTACT else "hs_lastmodifieddate"
        begins, _, offset = after.partition(":") if after else (_millis(since), "", "0")
        moments = (("GTE", begins), ("LT", _millis(until)))
        body = objects.PublicObjectSearchRequest(
            filter_groups=[
                objects.FilterGroup(
                    filters=[objects.Filter(property_name=name, operator=word, value=moment) for word, moment in moments]
                )
            ],
            sorts=[{"propertyName": name, "direction": "ASCENDING"}],
            properties=[*self._names(kind), *MERGED[NAME]],
            limit=FOUND_PAGE,
            after=offset,
        )
        found = self._search(kind, body)
        records = tuple(_current(kind, row) for row in found.results)
        if not (found.paging and found.paging.next):
            return Changes(records, None)
        if int(found.paging.next.after) + FOUND_PAGE <= MOST_FOUND:
            return Changes(records, f"{begins}:{found.paging.next.after}")
        last = _millis(records[-1].changed_at)
        # So many changes at one moment are one bulk edit; what of it no search shows is found when it changes again.
        return Changes(records, f"{last if last != begins else int(last) + 1}:0")

    def asked_at_once(self, kind: EntityKind) -> int:
        return AT_ONCE

    def present(self, kind: EntityKind, ids: Sequence[str], *, known_gone: Container[str] = ()) -> Presence:
        found = present(self._client, self._patience, kind, ids, known_gone)
        live = [number for number in ids if number in found.there]
        return replace(found, links=self.links(kind, live)) if kind in LINKED and live else found

    def links(self, kind: EntityKind, ids: Sequence[str]) -> Links:
        return dict(self._ends(kind, ids))

    def _ends(self, kind: EntityKind, ids: Sequence[str]) -> Iterator[tuple[EntityKind, dict[str, frozenset[str]]]]:
        for other in BELONGS_TO.get(kind, ()):
            try:
                rows = self._linked(kind, other, ids)
            except Permanent:  # what the token may not read is not gone
                continue
            found: dict[str, frozenset[str]] = dict.fromkeys(ids, frozenset())
            for number, targets in rows:
                found[number] = found[number].union(targets)
            yield other, found

    def _search(self, kind: EntityKind, body: Any) -> Any:
        api = self._objects.search_api
        return self._patience(lambda: self._searched(partial(api.do_search, OBJECTS[kind], body, _request_timeout=TIMEOUT_SECONDS)))

    def _searched(self, call: Callable[[], Any]) -> Any:
        with self._client.pace.call("hubspot search", SEARCHES, vendor=NAME):
            return self._client.called(call)

    def _called(self, call: Callable[[], Any]) -> Any:
        return self._patience(lambda: self._client.called(call))

    def _names(self, kind: EntityKind) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*READ[NAME][kind], *self._patience(lambda: self._client.own_properties(kind))]))

    def _with_history(self, kind: EntityKind, ids: Sequence[str]) -> Iterable[Any]:
        """The records in full. Rows that are refused for now are asked for again: a page without them would lose them for good."""
        found: list[Any] = []
        left = list(ids)

        def read_the_rest() -> None:
            answer = self._read_with_history(kind, left)
            found.extend(answer.results)
            refused = {number: error for number, error in row_errors(answer).items() if isinstance(error, Retryable)}
            left[:] = [number for number in left if number in refused]
            if left:
                raise refused[left[0]]

        if left:
            self._patience(read_the_rest)
        return found

    def _read_with_history(self, kind: EntityKind, ids: Sequence[str]) -> Any:
        body = objects.BatchReadInputSimplePublicObjectId(
            inputs=[{"id": number} for number in ids], properties=[], properties_with_history=list(self._names(kind))
        )
        api = self._objects.batch_api
        return self._client.called(lambda: api.read(OBJECTS[kind], body, _request_timeout=TIMEOUT_SECONDS))

    def _links(self, kind: EntityKind, ids: Sequence[str]) -> dict[str, tuple[EntityRef, ...]]:
        """Record -> those that it belongs to. A kind that the token may not read is nobody's."""
        found: dict[str, tuple[EntityRef, ...]] = {}
        for other in BELONGS_TO.get(kind, ()) if ids else ():
            try:
                rows = self._linked(kind, other, ids)
            except Permanent:  # the kind itself says so, if it may not be read
                continue
            for number, targets in rows:
                found[number] = (*found.get(number, ()), *(_ref(other, target) for target in targets))
        return found

    def _linked(self, kind: EntityKind, other: EntityKind, ids: Sequence[str]) -> list[tuple[str, list[str]]]:
        api: Any = self._client.sdk.crm.associations.v4.batch_api
        found: list[tuple[str, list[str]]] = []
        inputs = [associations.PublicFetchAssociationsBatchRequest(id=number) for number in ids]
        while inputs:
            body = associations.BatchInputPublicFetchAssociationsBatchRequest(inputs=inputs)
            ask = partial(api.get_page, OBJECTS[kind], OBJECTS[other], body, _request_timeout=TIMEOUT_SECONDS)
            answer = self._called(ask)
            if (
                passing := next((error for error in row_errors(answer).values() if isinstance(error, Retryable)), None)
            ) is not None:
                raise passing
            rows = [(_from(row), row) for row in answer.results]
            found += [(number, [str(target.to_object_id) for target in row.to]) for number, row in rows]
            inputs = [
                associations.PublicFetchAssociationsBatchRequest(id=number, after=row.paging.next.after)
                for number, row in rows
                if row.paging and row.paging.next
            ]
        return found

    def _record(self, kind: EntityKind, row: Any, links: tuple[EntityRef, ...]) -> PastRecord:
        changes = tuple(
            Change(name, text_of(version.value), utc(version.timestamp), by_us=self._is_ours(name, version))
            for name, versions in (row.properties_with_history or {}).items()
            if name not in HOUSEKEEPING[NAME]
            for version in versions
        )
        return PastRecord(_ref(kind, row.id), utc(row.created_at), changes, links)

    def _is_ours(self, name: str, version: Any) -> bool:
        ours = bool(self._app_id) and version.source_type == "INTEGRATION" and version.source_id == self._app_id
        return name.startswith(OUR_PREFIX) or ours


def _from(row: Any) -> str:
    return str(row._from.id)  # noqa: SLF001 so the SDK calls a field that is a word of Python


def _current(kind: EntityKind, row: Any) -> Current:
    silent = {*HOUSEKEEPING[NAME], "createdate"}
    if _same(row.properties.get(HOME_AMOUNT[NAME]), row.properties.get(MONEY[NAME][0])):
        silent.add(HOME_AMOUNT[NAME])  # the deal is in the account's own currency
    values = {name: value for name, value in row.properties.items() if name not in silent}
    return Current(_ref(kind, row.id), utc(row.created_at), utc(row.updated_at), values, tuple(merged_into(row.properties)))


def _same(one: str | None, other: str | None) -> bool:
    """Whether two numbers are the same, however they are written."""
    try:
        return one == other or float(one or "") == float(other or "")
    except ValueError:
        return False


def _ref(kind: EntityKind, number: str) -> EntityRef:
    return EntityRef(source=NAME, kind=kind, id=str(number))


def _millis(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))
