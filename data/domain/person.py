"""TABLE of what tells who a person is, and of the records that are about one: what an erasure goes by."""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from data.domain.entity import EntityKind, EntityRef
from data.domain.mention import ADDRESS, normal

# Records in which somebody was written to, spoken with or written about. Those about one person alone go with that person.
OWN = (
    EntityKind.NOTE,
    EntityKind.CALL,
    EntityKind.MEETING,
    EntityKind.EMAIL,
    EntityKind.TASK,
    EntityKind.ACTIVITY,
    EntityKind.TICKET,
)

# Properties in which a contact's record names another person: an address there is not the contact's own.
SOMEBODY_ELSE = ("owner", "refer", "invit", "manager", "assist", "created_by", "updated_by", "assigned", "sponsor", "supervisor")
NAMES = frozenset({"firstname", "first_name", "lastname", "last_name", "name", "fullname", "full_name"})
FIRST, LAST = ("firstname", "first_name"), ("lastname", "last_name")
BETWEEN_ADDRESSES = ";, \n\t"


class Person(BaseModel):
    """Somebody who is to be erased: all that tells them, as far as it was found. It is kept until the erasure is over.

    `records`: their contacts in all sources; `own`: records that are about them alone; `linked`: row ids of other records
    that have had to do with theirs, in which their names are theirs.
    """

    model_config = ConfigDict(frozen=True)

    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    records: tuple[EntityRef, ...] = ()
    own: tuple[EntityRef, ...] = ()
    linked: tuple[int, ...] = ()

    @property
    def refs(self) -> frozenset[EntityRef]:
        return frozenset((*self.records, *self.own))


def own_addresses(properties: Mapping[str, Any]) -> set[str]:
    """The addresses that are a contact's own by these properties: what is an address or a list of them, and nothing else.

    >>> sorted(own_addresses({"email": "Ada@example.com", "more": "a@b.de; c@d.de", "referred_by": "bo@b.de", "text": "to e@f.de"}))
    ['a@b.de', 'ada@example.com', 'c@d.de']
    """
    found: set[str] = set()
    for name, value in properties.items():
        if not any(word in name.lower() for word in SOMEBODY_ELSE):
            found |= _addresses(value)
    return found


def names_of(told: Iterable[tuple[str, Any]]) -> set[str]:
    """A person's names by all that was ever told of them, (property, value): each as it is written, and as a whole.

    >>> sorted(names_of([("firstname", "Ada"), ("lastname", "Byron"), ("lastname", "King"), ("company", "Acme")]))
    ['Ada', 'Ada Byron', 'Ada King', 'Byron', 'King']
    """
    found = {(name, value.strip()) for name, value in told if name in NAMES and isinstance(value, str) and "@" not in value}
    first, last = ({value for name, value in found if name in part and value} for part in (FIRST, LAST))
    return {value for _, value in found if value} | {f"{one} {other}" for one in first for other in last}


def may_be_one(names: Collection[str], others: Collection[str]) -> bool:
    """Whether two records may be the same person by all the names that each has: who has none may be anybody.

    >>> may_be_one({"Ada", "Lovelace", "Ada Lovelace"}, {"ada"}), may_be_one({"Ada", "Ada Byron"}, {"Ada", "Ada King"})
    (True, False)
    """
    if not names or not others:
        return True
    whole, other_whole = ({name.casefold() for name in some if " " in name} for some in (names, others))
    if whole and other_whole:
        return not whole.isdisjoint(other_whole)
    return not {name.casefold() for name in names}.isdisjoint(name.casefold() for name in others)


def _addresses(value: Any) -> set[str]:
    if isinstance(value, str):
        if "@" not in value:
            return set()
        return _listed(value) if value.lstrip()[:1] in "[{" and value.lstrip() else _split(value)
    if isinstance(value, dict):  # as Pipedrive has them: {"value": ..., "primary": true}
        return _addresses(value.get("value"))
    if isinstance(value, list | tuple):
        return {address for item in value for address in _addresses(item)}
    return set()


def _listed(value: str) -> set[str]:
    """A list that was stored as the text of one."""
    try:
        return _addresses(json.loads(value))
    except (ValueError, RecursionError):
        return set()


def _split(value: str) -> set[str]:
    for mark in BETWEEN_ADDRESSES:
        value = value.replace(mark, " ")
    parts = [part.strip("<>").removeprefix("mailto:") for part in value.split()]
    return {normal(part) for part in parts} if all(ADDRESS.fullmatch(part) for part in parts) else set()
