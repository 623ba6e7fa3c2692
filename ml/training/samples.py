"""The sample tables that `leadloop train MODEL --sample` learns from, with the best that is reachable on them."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.samples import leads
from ml.features.inputs import Input, InputKind
from ml.training import evaluate
from ml.training.train import TRAIN_SHARE

INPUTS: tuple[Input, ...] = (
    Input(name="sessions", kind=InputKind.NUMBER),
    Input(name="engaged_sessions", kind=InputKind.NUMBER),
    Input(name="page_views", kind=InputKind.NUMBER),
    Input(name="channel", kind=InputKind.CATEGORY, categories=tuple(sorted(leads.NAMES))),
    Input(name="is_first_visit", kind=InputKind.BOOLEAN),
)


@dataclass(frozen=True)
class Sample:
    """Rows in time order, and the true probability's own figures on the newest fifth."""

    inputs: tuple[Input, ...]
    rows: list[dict[str, Any]]
    labels: NDArray[np.int64]
    data_hash: str
    ceiling_auc: float
    ceiling_log_loss: float


def lead_score(seed: int = 0, rows: int = leads.CLASSIC_ROWS) -> Sample:
    """The classic table of 93,000 leads."""
    frame = leads.table(rows, seed)
    labels = frame["is_won"].to_numpy()
    cut = int(len(frame) * TRAIN_SHARE)
    truth = frame["true_probability"].to_numpy()[cut:]
    return Sample(
        inputs=INPUTS,
        rows=frame.select(leads.COLUMNS).to_dicts(),
        labels=labels,
        data_hash=hashlib.sha256(frame.write_csv().encode()).hexdigest(),
        ceiling_auc=evaluate.auc(labels[cut:], truth),
        ceiling_log_loss=evaluate.log_loss(labels[cut:], truth),
    )
