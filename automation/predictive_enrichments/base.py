"""What a predictive enrichment is handed, and what it makes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from data.domain.entity import EntityRef
from data.domain.money import Account, Money
from data.domain.prediction import Prediction


@dataclass(frozen=True)
class Scored:
    """A prediction that was taken, and all that its fields are made of; nothing more is read for them.

    `entity`: whom its event is about. `scores`: the newest score of the entity by each model, this prediction's among them.
    `weights`: what each model counts for in the combined score. `deals`: what each open deal is worth that is the entity, or
    names it, as far as amount and currency are known.
    """

    prediction: Prediction
    entity: EntityRef
    scored_at: datetime
    scores: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    deals: tuple[Money, ...] = ()
    account: Account = field(default_factory=Account)


PredictiveEnrichment = Callable[[Scored], dict[str, Any]]
