"""Leads that come in, are scored and end, for those who watch a model; and the trainings that are remembered."""

from typing import Any

import polars as pl

from automation.jobs import worker
from automation.pipeline.context import Loop
from data.domain.training import TrainingState
from data.samples import leads
from data.warehouse import trainings
from data.warehouse.trainings import TrainingRow
from ml.monitoring.when import Reason, Why
from tests.integration.test_pipeline import post
from tests.support import generic

MODEL = "lead_score"
BY_HAND = Reason(why=Why.BY_HAND, said="by hand")
FEW = 200


def sample(rows: int, seed: int = 5) -> pl.DataFrame:
    """Leads of the world that the model has learned from, each with what became of it."""
    return leads.table(rows, seed)


def scored(loop: Loop, rows: pl.DataFrame, name: str = "lead", **changed: Any) -> None:
    """These leads come in now, and are scored."""
    items = [
        generic(f"{name}{number}", at=loop.clock.now(), **{**row, **changed})
        for number, row in enumerate(rows.select(leads.COLUMNS).to_dicts())
    ]
    post(loop, "generic", items)
    worker.sweep_inbox(loop)


def won(loop: Loop, places: list[int], name: str = "lead") -> None:
    post(loop, "generic", [generic(f"{name}{n}", at=loop.clock.now(), lifecyclestage="customer") for n in places])


def places_won(rows: pl.DataFrame) -> list[int]:
    return [number for number, one in enumerate(rows["is_won"].to_list()) if one]


def remember(loop: Loop, state: TrainingState, *, examples: int = 0) -> None:
    with loop.database.write() as session:
        row = TrainingRow(model=MODEL, why="time", said="time has come", examples=examples, started_at=loop.clock.now())
        trainings.end(session, trainings.start(session, row), state, loop.clock.now())


def states(loop: Loop) -> list[tuple[str, str | None]]:
    from sqlmodel import select

    with loop.database.read() as session:
        return [(row.state, row.error) for row in session.exec(select(TrainingRow).order_by(TrainingRow.id))]  # type: ignore[arg-type]
