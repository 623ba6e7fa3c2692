"""What the stages share: the loop's parts, and the case of one event on its way through them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from automation.clients.registry import Clients
from automation.sources.properties import canonical
from data.clock import Clock
from data.db import Database
from data.domain.entity import EntityRef, Known
from data.domain.prediction import Prediction
from data.settings import Settings
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from ml.serving.predictor import Predictor


@dataclass(frozen=True)
class Loop:
    """One per process; every stage is handed it."""

    settings: Settings
    database: Database
    clock: Clock
    predictor: Predictor
    clients: Clients

    def inputs(self) -> tuple[str, ...]:
        """The input columns of the model that scores leads; none while it has no champion."""
        served = self.predictor.served().get(self.settings.lead_model)
        return tuple(column.name for column in served.card.inputs) if served else ()


@dataclass
class Case:
    """One event in the hands of one driver. Stages fill it in; nothing here is shared between threads."""

    event: EventRow
    entity: EntityRow
    known: Known
    facts: list[tuple[dict[str, Any], datetime]] = field(default_factory=list)
    """What was learned on the way, to be stored with the entity: properties and since when."""
    notes: dict[str, str] = field(default_factory=dict)
    looked_up_at: datetime | None = None
    models: tuple[str, ...] = ()
    predictions: list[Prediction] = field(default_factory=list)
    shadows: list[Prediction] = field(default_factory=list)
    """What challengers would have said: stored for the comparison, and in no answer."""
    error: Exception | None = None

    @property
    def ref(self) -> EntityRef:
        return self.entity.ref

    def learn(self, properties: dict[str, Any], at: datetime) -> None:
        """Adds facts to what is known from here on."""
        self.facts.append((properties, at))
        self.known = self.known.merged(properties, at)

    def changes(self, inputs: tuple[str, ...]) -> dict[str, Any]:
        """The event's own properties under our names."""
        return canonical(self.event.source, self.event.properties, inputs)
