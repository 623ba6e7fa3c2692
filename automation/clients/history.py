"""What is asked of a CRM about its past: every record with its history, and what has changed lately."""

import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from data.domain.delivery import backoff
from data.domain.entity import EntityKind, EntityRef
from data.domain.past import PastRecord
from data.errors import Retryable
from data.log import get_logger

log = get_logger("history")
T = TypeVar("T")
# Kind of others -> id of a record -> ids of the others that it belongs to; only of kinds whose links were read.
Links = Mapping[EntityKind, Mapping[str, frozenset[str]]]


@dataclass(frozen=True)
class Patience:
    """How often a call is tried. A page takes many calls, and each is tried by itself: else one of them would always fail."""

    tries: int = 1
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, call: Callable[[], T]) -> T:
        """Raises Retryable after the last try; Permanent at once."""
        for done in range(1, self.tries):
            try:
                return call()
            except Retryable as error:
                log.info("history.call.again", tries=done, reason=error.detail)
                self.sleep(backoff(done, error.retry_after_seconds).total_seconds())
        return call()


@dataclass(frozen=True)
class Page:
    """Some records with their past. `after`: where the next page begins; None: this was the last."""

    records: tuple[PastRecord, ...]
    after: str | None


@dataclass(frozen=True)
class Current:
    """A record as it is, under the CRM's own names."""

    ref: EntityRef
    created_at: datetime
    changed_at: datetime
    values: Mapping[str, Any]
    merged: tuple[str, ...] = ()
    """The ids of records that have gone into this one, where the CRM says so with the record."""


@dataclass(frozen=True)
class Presence:
    """What a CRM says of records that were asked for by their ids. Of an id in none of these it has said nothing for now.

    Nor is it asked for an id that it never gave, as a file may have it: with one of those it would refuse the whole page.

    `deleted`: those in its recycle bin, and since when. `merged`: those that went into another one: that one's id, and when, where
    it says so. `vanished`: neither live nor in the recycle bin: nobody says why, or since when.
    """

    there: frozenset[str] = frozenset()
    deleted: Mapping[str, datetime] = field(default_factory=dict)
    merged: Mapping[str, tuple[str, datetime | None]] = field(default_factory=dict)
    vanished: frozenset[str] = frozenset()
    links: Links = field(default_factory=dict)
    """Of those that are there."""


@dataclass(frozen=True)
class Changes:
    """Some records that have changed, in the order in which they did; perhaps more than fit into one transaction."""

    records: tuple[Current, ...]
    after: str | None


class History(Protocol):
    """The past of one account. All calls raise Retryable or Permanent."""

    @property
    def kinds(self) -> tuple[EntityKind, ...]:
        """What can be read, in the order in which it is: whom others name comes before those."""

    @property
    def watched(self) -> tuple[EntityKind, ...]:
        """Those of which changes are looked for."""

    def count(self, kind: EntityKind) -> int | None:
        """How many records there are, where the CRM says so."""

    def past(self, kind: EntityKind, after: str | None) -> Page: ...

    def changed(self, kind: EntityKind, since: datetime, until: datetime, after: str | None) -> Changes:
        """The records whose last change lies from `since` on and before `until`."""

    def links(self, kind: EntityKind, ids: Sequence[str]) -> Links:
        """Whom some records belong to, where none of their properties says it."""

    def asked_at_once(self, kind: EntityKind) -> int:
        """How many records `present` should be asked about at a time."""

    def present(self, kind: EntityKind, ids: Sequence[str], *, known_gone: Container[str] = ()) -> Presence:
        """Whether these records are still there. `known_gone`: of these it only matters whether they are back."""
