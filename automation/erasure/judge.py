"""Who of those that something is told of was erased and must not come back, and who came anew (`data.domain.tombstone`)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from data.domain.entity import EntityKind, EntityRef
from data.domain.mention import Mentions, addresses_in, texts_in
from data.domain.person import OWN, own_addresses
from data.domain.redaction import Redaction
from data.domain.tombstone import Tombstone, is_erased
from data.warehouse import tombstones
from data.warehouse.tombstones import Erased


@dataclass
class Judge:
    """Goes by the tombstones of all that is told of at once. What it has found to be new is noted until `settle`."""

    erased: Erased
    _renewed: list[tuple[EntityRef, set[str], datetime]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.erased)

    def is_gone(
        self, entity: EntityRef, told: Iterable[Mapping[str, Any]], at: datetime, created_at: datetime | None = None
    ) -> bool:
        """Whether the record that these properties are told of is somebody who was erased.

        Parameters:
            at: when it happened. created_at: when its source created the record, where that is known.
        """
        own = self.own(entity, told)
        record, addresses = self.erased.records.get(entity), [self.erased.addresses[one] for one in own]
        if is_erased(at, record, addresses, created_at=created_at):
            return True
        if record is not None or own:
            self._renewed.append((entity, own, created_at or at))
        return False

    def own(self, entity: EntityRef, told: Iterable[Mapping[str, Any]]) -> set[str]:
        """The erased addresses that are this record's own, as whoever came anew has."""
        if entity.kind is not EntityKind.CONTACT:
            return set()
        found = (address for properties in (*told, {"id": entity.id}) for address in own_addresses(properties))
        return {address for address in found if address in self.erased.addresses}

    def is_about_them(self, entity: EntityRef, named: Collection[EntityRef], at: datetime) -> bool:
        """Whether a record is a note of a call with them, or the like: of the people that it names nobody else is left."""
        people = {ref for ref in named if ref.kind is EntityKind.CONTACT}
        return entity.kind in OWN and bool(people) and people <= self.of(at).refs

    def of(self, at: datetime) -> Redaction:
        """What is to be taken out of what happened at a moment."""
        refs = frozenset(ref for ref, stone in self.erased.records.items() if is_erased(at, stone))
        return Redaction(refs, self._mentions(one for one, stone in self.erased.addresses.items() if at <= stone.erased_at))

    def undated(self, *, but: Collection[str] = ()) -> Redaction:
        """The same of what has no moment: whoever came anew is not taken out. `but`: addresses that stay."""

        def there(stone: Tombstone) -> bool:
            return stone.renewed_at is None

        refs = frozenset(ref for ref, stone in self.erased.records.items() if there(stone))
        addresses = (one for one, stone in self.erased.addresses.items() if there(stone) and one not in but)
        return Redaction(refs, self._mentions(addresses))

    def settle(self, session: Session) -> None:
        """Remembers who came anew."""
        for entity, addresses, at in self._renewed:
            tombstones.renew(session, entity, addresses, at)

    def _mentions(self, addresses: Iterable[str]) -> Mentions:
        return Mentions({one: self.erased.tokens[one] for one in addresses})


def judge(session: Session, refs: Iterable[EntityRef], texts: Iterable[str]) -> Judge:
    """For what is told of these records, in these texts. It holds until the transaction ends: no erasure begins meanwhile."""
    tombstones.watch(session)
    if not tombstones.are_there(session):
        return Judge(Erased())
    return Judge(tombstones.find(session, refs, {address for text in texts for address in addresses_in(text)}))


def mentions_in(session: Session, values: Iterable[Any]) -> Mentions:
    """The addresses, in JSON values that are to be stored, of those who were erased and have not come anew."""
    return judge(session, (), (text for value in values for text in texts_in(value))).undated().mentions
