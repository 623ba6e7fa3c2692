"""Leadloop's own training, as one more peer."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.features.date_text import days_of_temporal
from ml.features.inputs import typed_frame
from ml.learners.base import probability
from ml.tables.table import Choice, Table, infer_inputs
from ml.training.fit import fit_table
from ml.training.ladder import TypedTable
from tests.bench.models.job import Job

MOMENT = "%Y-%m-%dT%H:%M:%S%.6f"


def predict(job: Job) -> Any:
    """The peers' protocol: the same two files, read with Polars."""
    train, test = pl.read_parquet(job.train), pl.read_parquet(job.test)
    return ours(train, test, job.target, job.time, job.budget_seconds, job.seed)


def ours(
    train: pl.DataFrame, test: pl.DataFrame, target: str, time: str | None, budget_seconds: float, seed: int
) -> NDArray[np.float64]:
    """Fits on `train` (rows in time order, `target` 0/1) and returns the probability of 1 for each row of `test`."""
    labels = train[target].to_numpy()
    columns = tuple(name for name in train.columns if name not in {target, time})
    table = Table(as_text(train), labels, Choice(target), columns, notes=(), data_hash="")
    inputs, _ = infer_inputs(table, upto=len(train))
    taught, asked = (typed_frame(inputs, as_text(frame)) for frame in (train, test))
    times = None if time is None else days_of_temporal(train[time]).to_numpy()
    rows = TypedTable(inputs, taught, labels, times)
    fitted = fit_table(rows, budget_seconds=budget_seconds, seed=seed)
    return probability(fitted.scorer.margins(asked))


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column as the text that a CSV would hold."""
    moments = [name for name, kind in frame.schema.items() if kind.is_temporal()]
    return frame.with_columns(pl.col(moments).dt.strftime(MOMENT)).cast(pl.String)
