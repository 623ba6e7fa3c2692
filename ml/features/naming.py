"""Which records belong to each example at its moment: notes, e-mails, deals. They name it by a property or are linked to it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from data.domain.entity import EntityKind
from data.domain.relation import ROLES, Role
from ml.features.facts import NONE, Examples, Facts
from ml.features.timeline import Ints, Timeline


@dataclass(frozen=True)
class Belonging:
    """One row for each record of each example: the example's place, and the record's entity."""

    example: Ints
    record: Ints


def belonging(examples: Examples, facts: Facts, kinds: Iterable[EntityKind]) -> Belonging:
    """The records of these kinds that belong to each example at its moment, each once."""
    of_kind = facts.of_kind(*kinds)
    if not of_kind.any():
        return Belonging(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    naming = facts.rows([*_roles(examples), *facts.links(examples.kind)])
    naming = naming[of_kind[naming]]
    told = facts.latest(naming, by=facts.property_of(naming))
    example, pair = _pairs(examples, facts, naming)
    still = told.at(facts.property_of(pair), examples.at[example])  # the pair was named once, so that there is such a row
    here = facts.target[still] == examples.entity[example]
    pairs = pl.DataFrame({"example": example[here], "record": facts.entity[still[here]]}).unique(maintain_order=True)
    return Belonging(pairs["example"].to_numpy(), pairs["record"].to_numpy())


def _pairs(examples: Examples, facts: Facts, naming: Ints) -> tuple[Ints, Ints]:
    """Each example with every record that has named its entity by then: the example's place, and the first row that did."""
    naming = naming[facts.target[naming] != NONE]
    frame = pl.DataFrame({"row": naming, "entity": facts.target[naming], "property": facts.property_of(naming)})
    first = frame.unique(["entity", "property"], keep="first", maintain_order=True)["row"].to_numpy()
    line = Timeline(facts.target[first], facts.visible[first])
    last, start = line.find(examples.entity, examples.at)
    counts = last - start + 1
    example = np.repeat(np.arange(len(examples)), counts)
    places = np.arange(len(example)) - np.repeat(np.cumsum(counts) - counts, counts) + start[example]
    return example, first[line.order[places]]


def _roles(examples: Examples) -> list[str]:
    if examples.kind.value not in set(Role):
        return []
    return [name for name, role in ROLES.items() if role is Role(examples.kind.value)]
