"""Every property of an entity as it was last known, the account's own fields too: as text, typed by the inputs."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from data.domain.fact import NAMELESS
from data.domain.relation import LINK
from ml.features.facts import Examples, Facts


def latest_of(examples: Examples, facts: Facts, names: Iterable[str]) -> dict[str, pl.Series]:
    """The value of each property at each example's moment; null where nothing is known, or known to be empty."""
    return {name: facts.text(facts.history(name).at(examples.entity, examples.at)) for name in names}


def names_of(examples: Examples, facts: Facts) -> list[str]:
    """The properties that entities of this kind have, in the order of the alphabet; links are none."""
    codes = np.unique(facts.name[facts.of_kind(examples.kind)])
    names = (facts.names[code] for code in codes)
    return sorted(name for name in names if name != NAMELESS and not name.startswith(LINK))
