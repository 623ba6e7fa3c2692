"""The sample tables that `leadloop train MODEL --sample` learns from, with the best that is reachable on them."""

import hashlib
from dataclasses import dataclass

from data.samples import leads
from ml.features.inputs import Input, InputKind, typed_frame
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


@dataclass(frozen=True)
class Sample:
    """Rows in time order, and the true probability's own figures on the newest fifth."""

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
        table=TypedTable(INPUTS, typed_frame(INPUTS, frame.select(leads.COLUMNS)), labels),
        data_hash=hashlib.sha256(frame.write_csv().encode()).hexdigest(),
        ceiling_auc=evaluate.auc(labels[cut:], truth),
        ceiling_log_loss=evaluate.log_loss(labels[cut:], truth),
    )
