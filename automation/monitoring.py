"""A look at a served model: drift of what it is asked, how its answers came true, and whether to train it again."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from automation import notices, variants
from automation.history import recalled
from automation.pipeline.context import Loop
from automation.settled import one_each, settled
from data.domain.traffic import Traffic
from data.log import get_logger
from data.redaction import shortened
from data.settings import Settings
from data.warehouse import model_checks, model_traffic, predictions, trainings
from data.warehouse.model_checks import ModelCheckRow
from data.warehouse.predictions import Answer
from data.warehouse.trainings import TrainingRow
from ml import copies
from ml.features.date_text import days_of_datetime
from ml.features.inputs import TYPES, Input, InputKind, typed_value
from ml.features.sets import SETS
from ml.models.registry import MODELS
from ml.monitoring import drift, live
from ml.monitoring.drift import Drift
from ml.monitoring.live import Live
from ml.monitoring.reference import of_quantiles, read_reference
from ml.monitoring.when import Decided, Found, Limits, decide
from ml.preparation.base import AS_OF
from ml.training.labels import HORIZON, label_contacts
from ml.training.rows import read_rows
from ml.training.verdict import Verdict
from ml.version import Card

log = get_logger("monitoring")

# A month: long enough for the rows of a small team, short enough to be of today.
DRIFT_WINDOW = timedelta(days=30)
# A quarter: of few leads the end is known soon.
LIVE_WINDOW = timedelta(days=90)
# The newest of each window. More would not make a finding any surer; as JSON they take some 2 s to read.
MOST_ANSWERS, MOST_SETTLED = 20_000, 100_000
OWN_TABLE = Decided(reason=None, said="it was trained on a table of your own: train it again with leadloop train --csv")


class Checked(BaseModel):
    """What a look has found. `live` is None where no version that answered has kept the rows that judged it."""

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    at: datetime
    drift: Drift
    live: Live | None
    examples: int
    decided: Decided
    traffic: Traffic | None = None
    verdict: Verdict | None = None
    """What the outcomes say of the two versions between which the traffic was divided."""


def check(loop: Loop, model: str, *, trains: bool = False) -> Checked:
    """Looks at a served model, stores what it found, and tells people what is new. `trains`: the caller trains if it must.

    Raises:
        NotReady: the model has no champion.
    """
    card, now = loop.predictor.champion(model).card, loop.clock.now()
    with loop.database.read() as session:
        recent = predictions.answers(
            session, model, now - DRIFT_WINDOW, now, limit=MOST_ANSWERS, version=card.version, features=True
        )
        last, tried = trainings.newest(session, model, done=True), trainings.newest(session, model)
        settled = predictions.answers(session, model, _live_since(now, last), now - HORIZON, limit=MOST_SETTLED)
        young = predictions.count_since(session, model, now - HORIZON)
        facts = recalled(session).filter("own")  # what was told of another record says nothing of this one's end
        traffic = model_traffic.get(session, model)
        compared = None if traffic is None else variants.judge(session, traffic, facts, now)
    drifted = _drift(loop.settings.models_dir, card, recent)
    came_true = _live(loop.settings.models_dir, model, settled, facts, now, young)
    examples = len(label_contacts(facts, now).examples)
    known = Found(
        now=now,
        examples=examples,
        examples_then=last.examples if last else 0,
        trained_at=last.started_at if last else None,
        tried_at=tried.started_at if tried else None,
        drifted=tuple(shift.name for shift in drifted.drifted),
        dropped=came_true.reasons if came_true else (),
    )
    decided = decide(known, limits(loop.settings)) if can_be_retrained(model) else OWN_TABLE
    found = Checked(
        model=model, version=card.version, at=now, drift=drifted, live=came_true, examples=examples, decided=decided,
        traffic=traffic, verdict=compared,
    )  # fmt: skip
    _keep(loop, found, trains=trains)
    return found


def newest(loop: Loop, model: str) -> Checked | None:
    """What the last look has found."""
    with loop.database.read() as session:
        row = model_checks.newest(session, model)
    return None if row is None else Checked.model_validate(row.found)


def is_due(loop: Loop, model: str) -> bool:
    """Whether the last look at it is long ago, whoever took it, or asked for a training that was not begun."""
    with loop.database.read() as session:
        row, tried = model_checks.newest(session, model), trainings.newest(session, model)
    if row is None or loop.clock.now() >= row.checked_at + timedelta(hours=loop.settings.watch_hours):
        return True
    asked = loop.settings.retrain and Checked.model_validate(row.found).decided.reason is not None
    return asked and (tried is None or tried.started_at < row.checked_at)


def can_be_retrained(model: str) -> bool:
    """Whether the warehouse has what it learns from; a user's own table has not been kept."""
    return model in MODELS and model in SETS


def _live_since(now: datetime, last: TrainingRow | None) -> datetime:
    """Only answers whose end the last training could not know: those before are in it, and asking for it again helps nobody."""
    since = now - HORIZON - LIVE_WINDOW
    return since if last is None else max(since, last.started_at - HORIZON)


def _drift(models_dir: Path, card: Card, recent: Iterable[Answer]) -> Drift:
    drawn = one_each(recent)
    scores = np.array([answer.score for answer in drawn], dtype=np.float64)
    reference = read_reference(models_dir / card.model / card.version)
    if reference is None:  # stored before there were any: the scores of its unseen rows are all that is known
        summary, rows = of_quantiles(card.holdout_quantiles, card.rows_holdout or card.rows_train)
        return drift.of_scores(summary, rows, scores)
    return drift.measure(reference, card.inputs, _frame(card, drawn), scores)


def _frame(card: Card, answers: list[Answer]) -> pl.DataFrame:
    """The features as the version was given them, as a typed frame."""
    schema = {column.name: TYPES[column.kind] for column in card.inputs}
    rows = [[_cell(column, answer.features.get(column.name)) for column in card.inputs] for answer in answers]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    if card.moment is None:
        return frame
    return frame.with_columns(pl.Series(AS_OF, [days_of_datetime(answer.as_of) for answer in answers], dtype=pl.Float64))


def _cell(column: Input, value: Any) -> float | str | None:
    """A date was stored as its days: read again as a date, a number would be taken for seconds."""
    is_days = column.kind is InputKind.DATE and isinstance(value, int | float)
    return float(value) if is_days else typed_value(column, value, strictly=False)


def _live(models_dir: Path, model: str, answers: list[Answer], facts: pl.DataFrame, now: datetime, young: int) -> Live | None:
    """The version with most settled answers, held against the rows that judged it."""
    labelled = settled(answers, facts, now)
    by_version: dict[str, list[tuple[Answer, int]]] = {}
    for answer, label in labelled:
        by_version.setdefault(answer.version, []).append((answer, label))
    for version in sorted(by_version, key=lambda name: -len(by_version[name])):
        if (rows := _rows(models_dir, model, version)) is not None:
            labels = np.array([label for _, label in by_version[version]], dtype=np.int64)
            scores = np.array([answer.score for answer, _ in by_version[version]], dtype=np.float64)
            promised = rows["label"].cast(pl.Int64).to_numpy(), rows["margin"].to_numpy()
            return live.judge(version, labels, scores, promised, young=young)
    return Live(version="", rows=0, won=0, young=young) if not labelled else None


def _rows(models_dir: Path, model: str, version: str) -> pl.DataFrame | None:
    if version not in copies.versions(models_dir, model):
        return None
    try:
        rows = read_rows(models_dir / model / version)
    except (OSError, pl.exceptions.PolarsError) as error:  # the next training fetches the copy anew
        log.warning(
            "monitoring.rows.not_read", model=model, version=version, reason=shortened(f"{type(error).__name__}: {error}", 300)
        )
        return None
    return None if rows is None else rows.holdout


def limits(settings: Settings) -> Limits:
    every = timedelta(days=settings.retrain_days) if settings.retrain_days else None
    return Limits(every, timedelta(hours=settings.retrain_pause_hours), settings.retrain_growth)


def _keep(loop: Loop, found: Checked, *, trains: bool) -> None:
    if found.decided.reason is None or not loop.settings.retrain:
        next_step = f"It is not trained again now: {found.decided.said}."
    else:
        next_step = "It is trained again now." if trains else "It is trained again at the next look."
    with loop.database.write() as session:
        row = ModelCheckRow(model=found.model, version=found.version, found=found.model_dump(mode="json"), checked_at=found.at)
        model_checks.add(session, row)
        if found.drift.drifted:
            notices.tell_drift(loop, session, found.model, found.version, found.drift, next_step)
        if found.live is not None and found.live.has_dropped:
            notices.tell_drop(loop, session, found.model, found.live, next_step)
    told = {"drift": found.drift.said, "live": found.live.said if found.live else "", "training": found.decided.said}
    log.info("monitoring.model.checked", model=found.model, version=found.version, **told)
