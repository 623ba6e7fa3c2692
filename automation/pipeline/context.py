"""What the stages share: the loop's parts, and the case of one event on its way through them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from automation.access import Access
from automation.clients.registry import Clients
from automation.intake import Intake
from automation.memory import LookedUp
from automation.patience import Patience
from automation.sources.properties import canonical
from automation.turns import Turns
from data.clock import Clock
from data.db import Database
from data.domain.enrichment import Problem
from data.domain.entity import EntityKind, EntityRef
from data.domain.prediction import Prediction
from data.settings import Settings
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from ml.features.build import needs_related, properties_behind
from ml.serving.predictor import Choice, Predictor, Served


@dataclass(frozen=True)
class Loop:
    """One per process; every stage is handed it."""

    settings: Settings
    database: Database
    clock: Clock
    predictor: Predictor
    clients: Clients
    patience: Patience = field(default_factory=Patience)
    turns: Turns = field(default_factory=Turns)

    @cached_property
    def access(self) -> Access:
        """Who the callers' tokens belong to, as far as this process remembers."""
        return Access(self.settings, self.database, self.clock)

    @cached_property
    def intake(self) -> Intake:
        """Where payloads are stored."""
        return Intake(self.database)

    def inputs(self) -> tuple[str, ...]:
        """The properties that the inputs of the lead model's champion are made of, and of the challenger that has traffic; none
        while there is no champion.
        """
        model = self.settings.lead_model
        found = (self.predictor.served().get(model), self.predictor.challengers().get(model))
        return properties_of([served for served in found if served is not None])

    @property
    def reads_related(self) -> bool:
        """Whether any version that answers is given facts of other records, as of a contact's company and deals."""
        found = (*self.predictor.served().values(), *self.predictor.challengers().values())
        return any(needs_related(served.card.model, served.card.input_names) for served in found)


def properties_of(versions: Iterable[Served]) -> tuple[str, ...]:
    """The properties that the inputs of any of these versions are made of."""
    found = (properties_behind(served.card.model, served.card.input_names) for served in versions)
    return tuple(dict.fromkeys(name for names in found for name in names))


@dataclass
class Case:
    """One event in the hands of one driver. Stages fill it in; nothing here is shared between threads."""

    event: EventRow
    entity: EntityRow
    known: frozenset[str]
    """The properties that anything is known of, under our names."""
    names: dict[str, str] = field(default_factory=dict)
    """Key -> name of the account's custom fields, where their keys do not speak for themselves."""
    labels: dict[tuple[EntityKind, str], str] = field(default_factory=dict)
    """What people call the account's users, pipelines and stages."""
    look_ups: list[LookedUp] = field(default_factory=list)
    """What was read of it, and is not stored yet."""
    problems: dict[str, Problem] = field(default_factory=dict)
    """Enrichment -> why it did not answer: it is tried again."""
    notes: dict[str, str] = field(default_factory=dict)
    """The same for people to read, and what else is worth a word."""
    derived: dict[str, Any] = field(default_factory=dict)
    """Enrichment -> what it made of what was known."""
    models: tuple[str, ...] = ()
    choices: dict[str, Choice] = field(default_factory=dict)
    """Model -> who answers, and who is asked besides: chosen before the facts are read, which are read for these."""
    as_of: datetime | None = None
    """The moment whose visible facts the predictions are made of."""
    predictions: list[Prediction] = field(default_factory=list)
    shadows: list[Prediction] = field(default_factory=list)
    """What challengers would have said: stored for the comparison, and in no answer."""
    error: Exception | None = None

    def anew(self) -> "Case":
        """The same event, before any stage."""
        return Case(self.event, self.entity, self.known)

    @property
    def event_id(self) -> int:
        assert self.event.id is not None
        return self.event.id

    @property
    def ref(self) -> EntityRef:
        return self.entity.ref

    def changes(self, inputs: tuple[str, ...]) -> dict[str, Any]:
        """The event's own properties under our names."""
        named = {self.names.get(key, key): value for key, value in self.event.properties.items()}
        return canonical(self.event.source, named, inputs)
