"""The models as people see them: what serves and why, what could, and the few things that change it."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from automation import monitoring, variants
from automation.jobs import champions
from automation.monitoring import Checked
from automation.pipeline.context import Loop
from automation.training import REGISTRY_LOCK
from data.domain.traffic import Mode, Traffic, changed
from data.errors import LeadloopError, NotFound, Refused
from data.log import get_logger
from data.redaction import shortened
from data.warehouse import model_traffic, trainings
from ml import copies, model_registry, tracking
from ml.model_registry import Lock, Standing
from ml.pull import ensure_copy, fault_of
from ml.training.compare import Comparison
from ml.training.compare import compare as compare_copies
from ml.training.gate import Decision
from ml.training.verdict import Verdict
from ml.version import CHALLENGER, CHAMPION, is_plain, read_card

log = get_logger("models")


class VersionState(BaseModel):
    """A version that this machine has a copy of."""

    model_config = ConfigDict(frozen=True)

    version: str
    aliases: tuple[str, ...]
    learner: str
    trained_at: datetime
    rows_train: int
    rows_holdout: int
    metrics: dict[str, float]
    decision: Decision | None


class ModelState(BaseModel):
    """A model: who serves, who could, the traffic between them, and what went wrong at the last swap."""

    model_config = ConfigDict(frozen=True)

    model: str
    champion: str | None
    serving: str | None
    challenger: str | None
    traffic: Traffic | None
    load_error: str | None


class TrainingShown(BaseModel):
    """The last training from the warehouse: why, and what became of it. `figures`: the champion's, then the new version's."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    why: str
    said: str
    state: str
    version: str | None
    champion: str | None
    figures: dict[str, tuple[float, float]]
    error: str | None
    started_at: datetime
    ended_at: datetime | None


class Monitored(BaseModel):
    """What the last look at a model found, and its last training; None where there was none."""

    model_config = ConfigDict(frozen=True)

    check: Checked | None
    training: TrainingShown | None


def states(loop: Loop) -> list[ModelState]:
    """Every model that this machine has a copy of, or serves."""
    with loop.database.read() as session:
        traffic = model_traffic.everything(session)
    names = {*copies.models(loop.settings.models_dir), *loop.predictor.served()}
    return [_state(loop, name, traffic.get(name)) for name in sorted(names)]


def state(loop: Loop, model: str) -> ModelState:
    """One model.

    Raises:
        NotFound: there is none of this name.
    """
    found = {one.model: one for one in states(loop)}
    if model not in found:
        names = ", ".join(found) or "none yet"
        raise NotFound(f"no model {model[:80]!r} is served here; the served ones are {names}")
    return found[model]


def versions(loop: Loop, model: str) -> list[VersionState]:
    """The versions that there are copies of, the newest first. One whose card is damaged is told in the log."""
    folder = loop.settings.models_dir
    named = {alias: copies.pointed(folder, model, alias) for alias in (CHAMPION, CHALLENGER)}
    found = (_version(folder / model / name, name, named) for name in copies.versions(folder, model))
    return [version for version in found if version is not None]


def compared(loop: Loop, model: str) -> Verdict | None:
    """What the outcomes said of the two versions that have traffic at the last look; None where none have any."""
    with loop.database.read() as session:
        traffic = model_traffic.get(session, model)
    if traffic is None:
        return None
    last = monitoring.newest(loop, model)
    begun = None if last is None or last.traffic is None else last.traffic.model_copy(update={"share": traffic.share})
    return last.verdict if last is not None and begun == traffic else variants.nothing_yet(traffic)


def monitored(loop: Loop, model: str) -> Monitored:
    """The last look and the last training."""
    with loop.database.read() as session:
        row = trainings.newest(session, model)
    training = None if row is None else TrainingShown.model_validate(row)
    return Monitored(check=monitoring.newest(loop, model), training=training)


def promote(loop: Loop, model: str, version: str, *, force: bool = False) -> Standing:
    """Makes a version champion, here at once and elsewhere within a poll. Raises as `model_registry.promote` does."""
    found = model_registry.promote(
        _mlflow(loop), model, version, loop.settings.models_dir, now=loop.clock.now(), force=force, lock=lock(loop)
    )
    log.info("models.version.promoted", model=model, version=version, forced=force)
    champions.refresh(loop)
    return found


def rollback(loop: Loop, model: str) -> Standing:
    """Puts the champion before this one back. Raises as `model_registry.rollback` does."""
    found = model_registry.rollback(_mlflow(loop), model, loop.settings.models_dir, now=loop.clock.now(), lock=lock(loop))
    with loop.database.write() as session:  # whoever was rolled back gets no traffic by an older setting
        if (traffic := model_traffic.get(session, model)) is not None and traffic.mode is not Mode.OFF:
            model_traffic.put(session, changed(traffic, traffic.model_copy(update={"mode": Mode.OFF, "since": loop.clock.now()})))
    log.info("models.version.rolled_back", model=model, version=found.aliases.get(CHAMPION))
    champions.refresh(loop)
    return found


def reload(loop: Loop, model: str) -> ModelState:
    """Looks for a new champion now instead of at the next poll, and tries once more what could not be loaded."""
    champions.pull(loop)
    return state(loop, model)


def set_traffic(loop: Loop, model: str, mode: Mode, share: float) -> Traffic:
    """Gives the current challenger its share. Every process follows within a second or two.

    Raises:
        NotFound: there is no such model. Refused: it has no champion and challenger to compare.
    """
    now = state(loop, model)
    with loop.database.write() as session:
        before = model_traffic.get(session, model)
        # Switching off keeps the versions that were compared; there may be no challenger any more.
        pair = (before.champion, before.challenger) if before and mode is Mode.OFF else (now.champion, now.challenger)
        if pair[0] is None or pair[1] is None:
            raise Refused(f"model {model} has no challenger to send traffic to; a training that does not pass the gate leaves one")
        wanted = Traffic(model=model, champion=pair[0], challenger=pair[1], mode=mode, share=share, since=loop.clock.now())
        model_traffic.put(session, setting := changed(before, wanted))
    log.info("models.traffic.changed", model=model, challenger=setting.challenger, mode=mode, share=share)
    champions.refresh(loop)
    return setting


def standing(loop: Loop, model: str) -> Standing:
    """What MLflow says of a model. Raises as `model_registry.standing` does."""
    return model_registry.standing(_mlflow(loop), model)


def compare(loop: Loop, model: str, first: str, second: str) -> Comparison:
    """Two versions on the rows that judged both; copies that are not here are fetched.

    Raises:
        NotFound: there is no such version. NotReady: MLflow is away and has the only copy.
    """
    return compare_copies(_folder(loop, model, first), _folder(loop, model, second))


def lock(loop: Loop) -> Lock:
    """What keeps trainings and promotions on all machines apart."""
    return partial(loop.database.exclusive, REGISTRY_LOCK)


def _mlflow(loop: Loop) -> Any:
    return tracking.connect(loop.settings.mlflow_tracking_uri, loop.settings.mlflow_artifacts_dir)


def _folder(loop: Loop, model: str, version: str) -> Path:
    """A copy whose rows can be read; from MLflow where there is none here, or a damaged one."""
    try:
        if fault_of(folder := copies.folder_of(loop.settings.models_dir, model, version), with_rows=True) is None:
            return folder
    except NotFound:
        if not (is_plain(model) and is_plain(version)):
            raise
    mlflow = _mlflow(loop)
    if version not in (versions := model_registry.standing(mlflow, model).versions):
        raise NotFound(f"model {model} has no version {version[:80]!r}; it has {', '.join(versions) or 'none'}")
    return ensure_copy(mlflow, model, version, loop.settings.models_dir, with_rows=True)


def _state(loop: Loop, model: str, traffic: Traffic | None) -> ModelState:
    folder = loop.settings.models_dir
    served = loop.predictor.served().get(model)
    return ModelState(
        model=model,
        champion=copies.pointed(folder, model, CHAMPION),
        serving=served.card.version if served else None,
        challenger=copies.pointed(folder, model, CHALLENGER),
        traffic=traffic,
        load_error=_told([error for error in loop.predictor.load_errors() if error.model == model]),
    )


def _told(errors: Sequence[Any]) -> str | None:
    return "; ".join(f"{error.variant} {error.version} cannot be loaded: {error.reason}" for error in errors) or None


def _version(folder: Any, name: str, named: dict[str, str | None]) -> VersionState | None:
    try:
        card, decision = read_card(folder), copies.read_decision(folder)
    except (OSError, ValueError, LeadloopError) as error:
        log.error("models.copy.unreadable", folder=str(folder), reason=shortened(f"{type(error).__name__}: {error}", 300))
        return None
    aliases = tuple(alias for alias, version in named.items() if version == name)
    fields = card.model_dump(include={"version", "learner", "trained_at", "rows_train", "rows_holdout", "metrics"})
    return VersionState.model_validate({**fields, "aliases": aliases, "decision": decision})
