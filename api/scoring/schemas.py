"""What door 2 takes and gives."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from automation.ask import Answered
from data.domain.entity import EntityRef
from data.domain.prediction import Factor, Grade, Label, Observed, Prediction, Probability

MOST_EVENTS = 1000


class ScoreIn(BaseModel):
    """The inputs of the model that scores leads. Missing ones count as missing, unknown ones are ignored."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [
        {"sessions": 5, "engaged_sessions": 4, "page_views": 15, "channel": "referral", "is_first_visit": False}
    ]})  # fmt: skip


class ScoreOut(BaseModel):
    """`score` is the probability of being won; `base_value` and all `contribution`s add up to its log-odds.

    `learner` made it (`prior`: the base rate alone). `observed`: how unseen rows of its grade turned out.
    """

    model_config = ConfigDict(protected_namespaces=())

    score: Probability
    label: Label
    model_version: str
    model: str
    grade: Grade
    threshold: Probability
    confidence: Probability
    cached: bool
    base_value: float
    factors: tuple[Factor, ...]
    factors_in_words: list[str]
    learner: str
    observed: Observed | None
    observed_in_words: str


class PredictIn(BaseModel):
    """`entity` alone: by what is known of it; with `features`: by these, and the entity only says which version answers."""

    entity: EntityRef | None = None
    features: dict[str, Any] | None = None
    explain: bool = True

    @model_validator(mode="after")
    def _either(self) -> "PredictIn":
        if self.entity is None and self.features is None:
            raise ValueError("give the features, or an entity that is known here")
        return self


class PredictOut(Answered):
    """`prediction` is the probability; with `explain`, `base_value` and all `contribution`s add up to its log-odds."""

    processing_ms: float
    cached: bool = False


class PredictEventsIn(BaseModel):
    event_ids: Annotated[list[Annotated[int, Field(ge=0, lt=2**63)]], Field(max_length=MOST_EVENTS)]


class EventRefOut(BaseModel):
    """The event that a prediction travels with, named so that the next door can check it.

    `derived`: what enrichments made of what was known when it was scored: deal momentum, sentiment, earlier events.
    """

    event_id: int
    source: str | None = None
    type: str | None = None
    entity: EntityRef | None = None
    occurred_at: str | None = None
    derived: dict[str, Any] = {}


class EventPredictions(BaseModel):
    """An event's predictions, or why there are none (yet)."""

    event: EventRefOut
    predictions: list[Prediction]
    error: str | None = None


class PredictEventsOut(BaseModel):
    """`scored` can be handed to `POST /collect/predictions` as it is."""

    scored: list[EventPredictions]
    unscored: list[EventPredictions]
