"""The sample tables that `leadloop train MODEL --sample` learns from, with the best that is reachable on them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from data.samples import leads
from ml.features.inputs import Input, InputKind, typed_frame
from ml.learners import logistic, naive_bayes, xgb
from ml.learners.base import Params
from ml.models.base import Model
from ml.models.lead_score import MODEL
from ml.training import evaluate
from ml.training.ladder import TypedTable
from ml.training.split import cut_of

INPUTS: tuple[Input, ...] = (
    Input(name="sessions", kind=InputKind.NUMBER),
    Input(name="engaged_sessions", kind=InputKind.NUMBER),
    Input(name="page_views", kind=InputKind.NUMBER),
    Input(name="channel", kind=InputKind.CATEGORY),
    Input(name="is_first_visit", kind=InputKind.BOOLEAN),
)
# XGBoost with its documented baseline, and the simple ones: a demo does not wait for the others, which are no better here.
QUICK: dict[str, Sequence[Params]] = {
    "naive_bayes": naive_bayes.LEARNER.settings,
    "logistic": logistic.LEARNER.settings,
    "xgb": (xgb.BASELINE,),
}


@dataclass(frozen=True)
class Sample:
    """Rows in time order, the model that learns from them, and the true probability's own figures on the newest fifth."""

    model: Model
    table: TypedTable
    data_hash: str
    ceiling_auc: float
    ceiling_log_loss: float


def lead_score(seed: int = 0, rows: int = leads.CLASSIC_ROWS) -> Sample:
    """The classic table of 93,000 leads."""
    frame = leads.table(rows, seed)
    labels = frame["is_won"].to_numpy()
    cut = cut_of(len(frame))
    truth = frame["true_probability"].to_numpy()[cut:]
    return Sample(
        model=replace(MODEL, learners=QUICK),
        table=TypedTable(INPUTS, typed_frame(INPUTS, frame.select(leads.COLUMNS)), labels),
        data_hash=hashlib.sha256(frame.write_csv().encode()).hexdigest(),
        ceiling_auc=evaluate.auc(labels[cut:], truth),
        ceiling_log_loss=evaluate.log_loss(labels[cut:], truth),
    )
