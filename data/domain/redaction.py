"""What is taken out of records that stay, so that they tell nothing of a person any more."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from data.domain.entity import EntityKind, EntityRef
from data.domain.mention import Mentions, in_json, names_out_of
from data.domain.relation import target_of


class Names(StrEnum):
    """Which names in a text are the person's."""

    NONE = "none"  # the record has nothing to do with the person: a name in it may be anybody's
    FULL = "full"  # another person's record that has: one word may be that one's own name
    ALL = "all"


@dataclass(frozen=True)
class Redaction:
    """`refs`: the records that go; `mentions`: their addresses; `names`: the person's, as they are written."""

    refs: frozenset[EntityRef]
    mentions: Mentions
    names: tuple[str, ...] = ()

    def text(self, text: str, names: Names = Names.NONE) -> str:
        left = self.mentions.out_of(text)
        if names is Names.NONE and left != text:
            names = Names.FULL  # who is named beside the address is whose it is
        text = left
        if names is Names.NONE or not self.names:
            return text
        told = self.names if names is Names.ALL else [name for name in self.names if " " in name.strip()]
        return names_out_of(text, told, alone=names is Names.ALL)

    def value(self, value: Any, names: Names = Names.NONE) -> Any:
        """A JSON value without them."""
        return in_json(value, partial(self.text, names=names))

    def properties(self, entity: EntityRef, properties: Mapping[str, Any], names: Names = Names.NONE) -> dict[str, Any]:
        """A record's properties: what names the person's record by its id is empty."""
        return {
            self.text(name): None if self._names_them(entity, name, value) else self.value(value, names)
            for name, value in properties.items()
        }

    def _names_them(self, entity: EntityRef, name: str, value: Any) -> bool:
        number = value.get("value") if isinstance(value, dict) else value
        return target_of(entity, name, number) in self.refs


def names_for(entity: EntityRef, *, linked: bool) -> Names:
    """Which names in the texts of a record that stays are the person's."""
    if not linked:
        return Names.NONE
    return Names.FULL if entity.kind in {EntityKind.CONTACT, EntityKind.USER} else Names.ALL
