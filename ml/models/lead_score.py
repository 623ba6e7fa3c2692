"""The probability that a lead is won, from what it did on the web site."""

from data.domain.entity import EntityKind
from ml.learners import logistic, naive_bayes, xgb
from ml.models.base import Model

MODEL = Model(
    name="lead_score",
    title="Lead score",
    entity=EntityKind.CONTACT,
    target="is_won",
    experiment="Lead Scoring Optimization",
    # XGBoost with its documented baseline; the simple ones serve where the rows are few.
    learners={
        "naive_bayes": naive_bayes.LEARNER.settings,
        "logistic": logistic.LEARNER.settings,
        "xgb": (xgb.BASELINE,),
    },
)
