"""Who a person is, in all sources: from an address or a record to their contacts, records about them, names and addresses.

Tombstones are set as soon as somebody is found, so that nothing new can come of them; what had come by then is found by the
next round. It ends when a round finds nothing new.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlmodel import Session

from automation.erasure.items import items_of, properties_in
from automation.pipeline.context import Loop
from data.domain.entity import EntityKind, EntityRef
from data.domain.mention import Mentions, normal, parts_of
from data.domain.person import OWN, Person, may_be_one, names_of, own_addresses
from data.warehouse import identities, persons, texts, tombstones
from data.warehouse.erasures import WHOM, ErasureState
from data.warehouse.facts import FactRow
from data.warehouse.texts import Hit

PAYLOADS, TRAIL = "payloads", "audit"
Table = Any
Place = tuple[str, tuple[Any, ...]]
T = TypeVar("T")


@dataclass
class Found:
    """A person, and where their addresses are: table and key, and with the column. A cell may be found once for each of them.

    `shared`: addresses that others have too, which tell nobody from another.
    """

    person: Person
    places: set[Place] = field(default_factory=set)
    cells: set[tuple[Place, str]] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)


def whole(loop: Loop, asked: Person, *, keep: Callable[[Session, Person], None] | None = None) -> Found:
    """All that belongs to whoever is asked for.

    Parameters:
        keep: stores the person as far as it is known, in the transaction that sets the tombstones; without it none are set.
    """
    found, searched = Found(asked), set[str]()
    while True:
        before = found.person
        if keep is not None:
            with loop.database.write() as session:
                _entomb(session, before, loop.clock.now())
                keep(session, before)
        with loop.database.read() as session:
            new = set(before.addresses) - searched
            holders = _holders(session, new, found) if new else set()
            found.person = _grown(session, found, holders)
        searched |= new
        if found.person == before:
            return found


def told_by(hit: Hit) -> tuple[str, ...]:
    """The columns of a row that must not tell of a person. An erasure that waits has to: it is emptied when it is over.

    The trail only grows, so it cannot be changed; it names whoever has done something, and of others only ids of rows.
    """
    if hit.table.name == TRAIL:
        return ()
    if hit.table.name == "erasures" and hit.row["state"] == ErasureState.ASKED:
        return tuple(name for name in hit.columns if name not in WHOM)
    return hit.columns


def mentions_of(addresses: Iterable[str]) -> Mentions:
    """For finding alone: what would stand in their place is of no interest."""
    return Mentions(dict.fromkeys(map(normal, addresses), ""))


def _entomb(session: Session, person: Person, now: datetime) -> None:
    rows = persons.refs_of(session, persons.ids_of(session, person.refs))
    last = persons.last_told(session, rows)
    ahead = {ref: max(now, last.get(number, now)) for number, ref in rows.items()}
    tombstones.add(session, dict.fromkeys(person.refs, now) | ahead, dict.fromkeys(person.addresses, now))


def _holders(session: Session, addresses: set[str], found: Found) -> set[int]:
    """The contacts that have, or had, one of these as their own: looked for in every table at once."""
    holders = persons.named_by_address(session, addresses)
    for table in texts.tables():
        for hit in _hits(session, table, addresses):
            holders |= _holder(session, hit, addresses)
            if columns := told_by(hit):
                found.places.add(place := (table.name, hit.key))
                found.cells.update((place, name) for name in columns)
    return persons.contacts_among(session, holders)


def _hits(session: Session, table: Table, addresses: set[str]) -> Iterator[Hit]:
    needles = [part for one in sorted(addresses) for part in parts_of(one)]
    return texts.search(session, table, needles, mentions_of(addresses).are_in)


def _holder(session: Session, hit: Hit, addresses: set[str]) -> set[int]:
    """The entities that a row says to have one of the addresses."""
    row = hit.row
    if hit.table.name == "facts":
        return {row["entity_id"]} if own_addresses({row["name"]: row["value"]}) & addresses else set()
    if hit.table.name == "events":
        theirs = own_addresses(row["properties"]) | own_addresses(row["previous"])
        return {row["entity_id"]} if theirs & addresses else set()
    if hit.table.name == PAYLOADS:  # of several addresses an event may keep one only
        return persons.ids_of(session, _owners(row["source"], bytes(row["body"]), addresses))
    return set()


def _owners(source: str, body: bytes, addresses: set[str]) -> set[EntityRef]:
    told = ((event.entity, properties_in(source, item)) for event, item in items_of(source, body))
    contacts = ((ref, found) for ref, found in told if ref.kind is EntityKind.CONTACT)
    return {ref for ref, found in contacts if any(own_addresses(properties) & addresses for properties in found)}


def _grown(session: Session, found: Found, holders: set[int]) -> Person:
    """The person with what the rows say that are known to be theirs by now."""
    before = found.person
    contacts = persons.merged_with(session, holders | persons.ids_of(session, before.records))
    told = [pair for _, properties in persons.told_of(session, contacts) for pair in properties.items()]
    names = {*before.names, *names_of(told)}
    contacts |= _the_same(session, contacts, names)
    refs = persons.refs_of(session, contacts)
    theirs = {
        address for name, value in (*told, *(("id", ref.id) for ref in refs.values())) for address in own_addresses({name: value})
    }
    new = theirs - set(before.addresses) - found.shared
    found.shared |= {one for one in new if _is_shared(session, one, contacts, names)}
    own, linked = _about(session, contacts)
    return Person(
        addresses=_sorted({*before.addresses, *theirs} - found.shared),
        names=_sorted(names),
        records=_sorted({*before.records, *refs.values()}),
        own=_sorted({*before.own, *persons.refs_of(session, own).values()}),
        linked=_sorted({*before.linked, *linked} - contacts - own),
    )


def _the_same(session: Session, contacts: set[int], names: set[str]) -> set[int]:
    """Who is known to be the same person, be it by an address that nothing tells any more."""
    same = {number for others in identities.same_as(session, contacts).values() for number in others}
    return same - _somebody_else(session, same, contacts, names)


def _is_shared(session: Session, address: str, contacts: set[int], names: set[str]) -> bool:
    """Whether others have this address too, as they have info@: then it tells nobody from another."""
    table = FactRow.__table__  # type: ignore[attr-defined]
    holders = {number for hit in _hits(session, table, {address}) for number in _holder(session, hit, {address})}
    return bool(_somebody_else(session, persons.contacts_among(session, holders), contacts, names))


def _somebody_else(session: Session, some: set[int], contacts: set[int], names: set[str]) -> set[int]:
    """Those of some contacts who are not this person: of several in one source, those by another name."""
    groups = {frozenset(persons.merged_with(session, [number])) for number in some - contacts}
    strangers = [group for group in groups if not may_be_one(names, _names(session, group))]
    source = {number: ref.source for number, ref in persons.refs_of(session, {*contacts, *some}).items()}
    here = Counter({*(source[number] for number in contacts)}) + Counter(source[min(group & some)] for group in strangers)
    return {number for group in strangers for number in group if here[source[min(group & some)]] > 1}


def _names(session: Session, contacts: Iterable[int]) -> set[str]:
    return names_of(pair for _, properties in persons.told_of(session, contacts) for pair in properties.items())


def _about(session: Session, contacts: set[int]) -> tuple[set[int], set[int]]:
    """The records that are about these contacts alone; and others that have to do with them.

    A deal or a company is nobody: a note of a call with one person is that person's, whatever deal it belongs to.
    """
    links = persons.linked_with(session, contacts)
    near = {number for found in links.values() for number in found} | persons.naming(session, contacts)
    near -= contacts
    written = persons.of_kinds(session, near, OWN)
    around = persons.linked_with(session, written)
    people = {number: persons.contacts_among(session, found) - contacts for number, found in around.items()}
    own = {number for number, others in people.items() if not others}
    shared_with = {number for others in people.values() for number in others}
    deals = persons.of_kinds(session, near, (EntityKind.DEAL, EntityKind.LEAD))
    of_deals = persons.of_kinds(session, {n for found in persons.linked_with(session, deals).values() for n in found}, OWN)
    return own, (near | shared_with | of_deals) - own - contacts


def _sorted(found: Iterable[T]) -> tuple[T, ...]:
    return tuple(sorted(found, key=str))
