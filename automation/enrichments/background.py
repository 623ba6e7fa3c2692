"""What the deriving enrichments of one batch are made of: read once, when the first of them asks for it."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import polars as pl

from automation.pipeline.context import Case, Loop
from data.domain.entity import EntityKind, EntityRef
from data.warehouse import entities, fact_frames
from ml.features.facts import EXAMPLES, Examples, Facts, examples_of, prepared


class Background:
    """The cases of one batch, and all that is known around their entities."""

    def __init__(self, loop: Loop, cases: Sequence[Case]) -> None:
        self.loop = loop
        self.cases = tuple(case for case in cases if case.as_of is not None)

    @cached_property
    def frame(self) -> pl.DataFrame:
        with self.loop.database.read() as session:
            return fact_frames.around(session, {case.event.entity_id for case in self.cases})

    @cached_property
    def facts(self) -> Facts:
        return prepared(self.frame)

    @cached_property
    def refs(self) -> dict[int, EntityRef]:
        """Who each entity of the facts is."""
        with self.loop.database.read() as session:
            found = entities.by_ids(session, self.frame["entity"].unique().to_list())
        return {number: row.ref for number, row in found.items()}

    def of_kind(self, kind: EntityKind) -> tuple[list[Case], Examples]:
        """The cases of a kind, in the order of the examples: who, as of when it is scored."""
        cases = sorted((case for case in self.cases if case.ref.kind is kind), key=lambda case: case.event.entity_id)
        asked = pl.DataFrame([(case.event.entity_id, case.as_of) for case in cases], schema=EXAMPLES, orient="row")
        examples, _ = examples_of(asked, kind)
        return cases, examples


# -> event id -> what is derived, as JSON; events of which there is nothing to say are not there
Derive = Callable[[Background], dict[int, Any]]
