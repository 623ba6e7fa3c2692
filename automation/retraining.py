"""Trainings that are remembered: one at a time over all processes, each with its reason and what became of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from automation import notices, training
from automation.pipeline.context import Loop
from data.clock import Clock
from data.db import Database
from data.domain.training import TrainingState
from data.errors import LeadloopError
from data.log import get_logger
from data.redaction import redacted
from data.warehouse import trainings
from data.warehouse.trainings import TrainingRow
from ml.model_registry import Registered
from ml.models.registry import MODELS
from ml.monitoring.when import Reason
from ml.training.gate import Decision

log = get_logger("training")

LOCK = "training"
ACTOR = "job:models.watch"  # a name that nobody can give a token
DIED = "its process ended without a word"


@contextmanager
def alone(database: Database, *, patience_seconds: float = 0.0) -> Iterator[None]:
    """Nobody else trains meanwhile, on any machine.

    Raises:
        NotReady: somebody does.
    """
    with database.exclusive(LOCK, timeout_seconds=patience_seconds):
        yield


@dataclass
class Diary:
    """One training on its way; whoever trains says here how it ended."""

    training_id: int
    registered: Registered | None = None


@contextmanager
def remembered(
    database: Database, clock: Clock, model: str, reason: Reason, examples: int, keep: Sequence[str] = ()
) -> Iterator[Diary]:
    """Notes a training before it begins and what became of it after; its error goes on. The caller is alone."""
    row = TrainingRow(
        model=model, why=reason.why.value, said=reason.said, examples=examples, keep=list(keep), started_at=clock.now()
    )
    with database.write() as session:
        diary = Diary(trainings.start(session, row))
    log.info("training.started", model=model, why=reason.why.value, said=reason.said)
    try:
        yield diary
    except KeyboardInterrupt:
        with database.write() as session:
            trainings.end(session, diary.training_id, TrainingState.INTERRUPTED, clock.now(), error="it was interrupted by hand")
        raise
    except Exception as error:
        said = error.detail if isinstance(error, LeadloopError) else redacted(f"{type(error).__name__}: {error}")
        with database.write() as session:
            trainings.end(session, diary.training_id, TrainingState.FAILED, clock.now(), error=said)
        log.error("training.failed", model=model, reason=said)
        raise
    assert diary.registered is not None, "whoever trains says what became of it"
    decision = diary.registered.decision
    state = TrainingState.PROMOTED if decision.promote else TrainingState.CHALLENGER
    found = {"version": diary.registered.card.version, "champion": decision.champion, "figures": figures_of(decision)}
    with database.write() as session:
        trainings.end(session, diary.training_id, state, clock.now(), **found)
    log.info("training.ended", model=model, version=diary.registered.card.version, state=state.value, reason=decision.summary)


def retrain(loop: Loop, model: str, reason: Reason, examples: int) -> TrainingRow:
    """Trains a model of the catalogue from the warehouse, and tells what became of it, the failure too. The caller is alone.

    Columns that a person kept in the last training are kept.
    """
    settings, now = loop.settings, loop.clock.now()
    with loop.database.read() as session:
        last = trainings.newest(session, model, done=True)
    keep = tuple(last.keep) if last else ()
    summary = ""
    try:
        with remembered(loop.database, loop.clock, model, reason, examples, keep) as diary:
            mlflow = training.registry(settings)
            found = training.read_examples(loop.database, model, now, keep=keep)
            trained = training.train_on(model, found, now=now, budget_seconds=settings.retrain_budget_seconds)
            diary.registered, _ = training.register(
                settings, mlflow, loop.database, MODELS[model], trained, loop.clock, actor=ACTOR
            )
            summary = diary.registered.decision.summary
    except Exception as error:  # it is stored and told; the next look comes as planned
        log.exception("training.failed", model=model, kind=type(error).__name__)
    with loop.database.write() as session:
        row = trainings.newest(session, model)
        assert row is not None
        notices.tell_training(loop, session, row, summary)
    return row


def bury(loop: Loop, why: str = DIED, *, state: TrainingState = TrainingState.FAILED) -> list[TrainingRow]:
    """Ends the trainings whose process is no more, and tells of those that failed. The caller is alone, so none is running."""
    with loop.database.write() as session:
        dead = trainings.running(session)
        for row in dead:
            assert row.id is not None
            trainings.end(session, row.id, state, loop.clock.now(), error=why)
            if state is TrainingState.FAILED:
                notices.tell_training(loop, session, row, "")
    for row in dead:
        log.error("training.died", model=row.model, reason=why)
    return dead


def figures_of(decision: Decision) -> dict[str, tuple[float, float]]:
    """Old against new, both on the rows by which the gate compared them."""
    checks = {"auc": decision.auc, "log_loss": decision.log_loss}
    found = {name: (check.found.champion, check.found.candidate) for name, check in checks.items() if check is not None}
    if decision.calibration is not None:
        found["ece"] = (decision.calibration.champion, decision.calibration.candidate)
    return found
