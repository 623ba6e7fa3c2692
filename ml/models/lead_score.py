"""The probability that a lead is won, from what it did on the web site."""

from data.domain.entity import EntityKind
from ml.models.base import Model

MODEL = Model(
    name="lead_score",
    title="Lead score",
    entity=EntityKind.CONTACT,
    target="is_won",
    experiment="Lead Scoring Optimization",
)
