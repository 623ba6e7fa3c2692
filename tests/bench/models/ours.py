"""Leadloop's own training, as one more peer."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.features.inputs import encode_row
from ml.learners import xgb
from ml.training.table import Table, infer_inputs
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
    table = Table(as_text(train), labels, target, columns, notes=(), data_hash="")
    inputs, _ = infer_inputs(table, upto=len(train))
    taught, asked = (
        np.array([encode_row(inputs, row) for row in frame.to_dicts()], dtype=np.float64) for frame in (table.rows, as_text(test))
    )
    booster = xgb.fit(inputs, taught, labels, xgb.parameters(seed=seed))
    return 1 / (1 + np.exp(-xgb.contributions(booster, inputs, asked).sum(axis=1)))


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column as the text that a CSV would hold."""
    moments = [name for name, kind in frame.schema.items() if kind.is_temporal()]
    return frame.with_columns(pl.col(moments).dt.strftime(MOMENT)).cast(pl.String)
