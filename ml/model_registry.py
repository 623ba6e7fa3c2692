"""The MLflow Model Registry: numbers versions, asks the gate, moves aliases, remembers champions, keeps local copies.

MLflow's alias `champion` is the only truth on who serves. A local copy of each version, and a pointer file per alias
beside the copies, let serving start and go on when MLflow is away. Whatever moves an alias does so under one lock.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from data.errors import NotFound, Refused
from ml import copies
from ml.champions import How, Move, Moves, previous
from ml.pull import ensure_copy, fault_of, pull_champions, registered_models
from ml.tracking import CARD_FOLDER, Logged, answering, in_short
from ml.training.contest import contest
from ml.training.gate import Check, Decision, decide, refused
from ml.training.report import decided, numbered
from ml.training.rows import read_rows
from ml.training.train import Trained, save_trained
from ml.version import CHALLENGER, CHAMPION, REPORT, Card, is_plain, load, write_atomically

__all__ = ["Registered", "Standing", "note_moves", "promote", "pull_champions", "register", "rollback", "standing"]

MOVES_TAG = "leadloop.champions"
GATE_TAG, REASONS_TAG = "leadloop.gate", "leadloop.gate.reasons"
LONGEST_TAG = 4_000  # MLflow's own limit is 5,000 characters

Lock = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Registered:
    """A numbered version, and what the gate said of it."""

    card: Card
    decision: Decision


@dataclass(frozen=True)
class Standing:
    """A model as the registry has it: all versions, the newest first, who has which alias, and who was champion before."""

    model: str
    versions: tuple[str, ...]
    aliases: dict[str, str]
    moves: tuple[Move, ...]

    @property
    def previous(self) -> str | None:
        """Whom a rollback brings back."""
        return previous(self.moves, self.aliases.get(CHAMPION))


def register(
    mlflow: Any,
    trained: Trained,
    logged: Logged,
    models_dir: Path,
    *,
    now: datetime,
    served: Collection[str] | None = None,
    lock: Lock = nullcontext,
) -> Registered:
    """Registers the run's model as challenger, keeps a copy, asks the gate; it becomes champion if that lets it.

    Parameters:
        served: the inputs that serving gives; None where any may come (a user's own table).
        lock: held besides the lock of `models_dir`, where other machines train too (`Database.exclusive`).

    Raises:
        NotReady: MLflow is away, or the copy cannot be kept. The champion and its copy are as before.
    """
    with _alone(models_dir, lock), answering():
        client = mlflow.MlflowClient()
        model = trained.card.model
        if not client.search_registered_models(f"name = '{model}'"):
            client.create_registered_model(model)
        found = client.create_model_version(model, source=logged.model_uri, run_id=logged.run_id)
        card = trained.card.model_copy(update={"version": str(found.version)})
        folder = copies.keep(models_dir, card, partial(save_trained, trained))
        strangers = [name for name in card.input_names if served is not None and name not in served]
        decision = _decided(mlflow, client, trained, models_dir, strangers)
        if decision.promote and (fault := fault_of(folder)) is not None:
            decision = refused(f"its copy cannot be loaded ({fault})", champion=decision.champion)
        copies.write_decision(folder, decision)
        write_atomically(folder / REPORT, decided(numbered(logged.report, card.version), decision))
        _tell(client, card, decision, folder, logged.run_id)
        _point(client, model, CHALLENGER, card.version, models_dir)
        if decision.promote:
            _crown(client, model, Move(version=card.version, at=now, how=How.GATE), models_dir)
    return Registered(card, decision)


def promote(
    mlflow: Any, model: str, version: str, models_dir: Path, *, now: datetime, force: bool = False, lock: Lock = nullcontext
) -> Standing:
    """Makes a version champion that was so before, or any with `force`. Nothing moves unless it can be loaded here.

    Raises:
        NotFound: no such model or version. Refused: the gate has not let it pass. NotReady: MLflow is away, or the version
        cannot be loaded.
    """
    with _alone(models_dir, lock), answering():
        client = mlflow.MlflowClient()
        found = standing(mlflow, model)
        if version not in found.versions:
            raise NotFound(f"model {model} has no version {version[:80]!r}; it has {', '.join(found.versions) or 'none'}")
        if found.aliases.get(CHAMPION) == version:
            return found
        folder = ensure_copy(mlflow, model, version, models_dir)
        if not force:
            _check_passed(found, version, copies.read_decision(folder))
        _crown(client, model, Move(version=version, at=now, how=How.FORCED if force else How.CHOSEN), models_dir)
        return standing(mlflow, model)


def rollback(mlflow: Any, model: str, models_dir: Path, *, now: datetime, lock: Lock = nullcontext) -> Standing:
    """Puts the champion before this one back in its place.

    Raises:
        NotFound: no such model. Refused: there is none before it. NotReady: MLflow is away, or it cannot be loaded.
    """
    with _alone(models_dir, lock), answering():
        found = standing(mlflow, model)
        if (version := found.previous) is None:
            raise Refused(f"model {model} had no other champion before {found.aliases.get(CHAMPION, 'now')}")
        ensure_copy(mlflow, model, version, models_dir)
        _crown(mlflow.MlflowClient(), model, Move(version=version, at=now, how=How.ROLLBACK), models_dir)
        return standing(mlflow, model)


def note_moves(mlflow: Any, models_dir: Path, *, now: datetime, lock: Lock = nullcontext) -> list[tuple[str, Standing]]:
    """Remembers champions whose alias was moved in MLflow itself, as far as they were pulled; each is found once over all machines.

    Raises:
        NotReady: MLflow is away, or somebody else holds the lock: they are found the next time.
    """
    with answering():
        client = mlflow.MlflowClient()
        names = [found.name for found in registered_models(client) if _moved_elsewhere(found, models_dir)]
        if not names:
            return []
        with _alone(models_dir, lock):  # and asked once more: a promotion may have been half done
            return [(name, noted) for name in names if (noted := _noted(mlflow, client, name, models_dir, now)) is not None]


def standing(mlflow: Any, model: str) -> Standing:
    """What the registry says of a model.

    Raises:
        NotFound: it has no such model. NotReady: MLflow is away.
    """
    with answering():
        client = mlflow.MlflowClient()
        # Asked by search: whether a name that is not there is an error depends on the store.
        found = client.search_registered_models(f"name = '{model}'") if is_plain(model) else []
        if not found:
            raise NotFound(f"there is no model {model[:80]!r} in MLflow")
        registered = client.get_registered_model(model)
        versions = sorted((int(row.version) for row in client.search_model_versions(f"name = '{model}'")), reverse=True)
        aliases = {alias: str(version) for alias, version in registered.aliases.items()}
        return Standing(model, tuple(map(str, versions)), aliases, _moves(registered).root)


def _alone(models_dir: Path, lock: Lock) -> AbstractContextManager[Any]:
    with ExitStack() as stack:
        stack.enter_context(copies.locked(models_dir))
        stack.enter_context(lock())
        return stack.pop_all()


def _decided(mlflow: Any, client: Any, trained: Trained, models_dir: Path, strangers: list[str]) -> Decision:
    model = trained.card.model
    version = client.get_registered_model(model).aliases.get(CHAMPION)
    if version is None:
        return decide(contest(trained, None), not_served=strangers, seed=trained.card.seed)
    try:
        folder = ensure_copy(mlflow, model, str(version), models_dir, with_rows=True)
        against = contest(trained, load(folder), read_rows(folder))
    except Exception as error:  # Whatever is wrong with the champion's copy, the candidate must not take its place unasked.
        return refused(f"champion {version} cannot be asked ({in_short(error)})", champion=str(version))
    return decide(against, not_served=strangers, seed=trained.card.seed)


def _tell(client: Any, card: Card, decision: Decision, folder: Path, run_id: str) -> None:
    """The decision where people look in MLflow: with the version as tags, and in full with its files and in its report."""
    tags = {GATE_TAG: "passed" if decision.promote else "refused", REASONS_TAG: decision.summary[:LONGEST_TAG]}
    for name, check in (("log_loss", decision.log_loss), ("auc", decision.auc)):
        if check is not None:
            tags[f"leadloop.gate.{name}"] = _shown(check)
    for name, value in tags.items():
        client.set_model_version_tag(card.model, card.version, name, value)
    for name in (copies.DECISION, REPORT):
        client.log_artifact(run_id, str(folder / name), CARD_FOLDER)


def _shown(check: Check) -> str:
    found = check.found
    return f"{found.candidate:.5f} against {found.champion:.5f}: {found.difference:+.5f} [{found.low:+.5f}, {found.high:+.5f}]"


def _check_passed(found: Standing, version: str, decision: Decision | None) -> None:
    if version in {move.version for move in found.moves}:
        return
    if decision is not None and decision.promote and decision.champion == found.aliases.get(CHAMPION):
        return  # whoever was to make it champion did not get to it
    if decision is None:
        why = "the gate was never asked"
    else:
        why = f"the gate compared it with {decision.champion or 'the base rate'}: {decision.summary}"
    raise Refused(f"version {version} of {found.model} was never champion; {why}. It can be forced.")


def _crown(client: Any, model: str, move: Move, models_dir: Path) -> None:
    """MLflow first, since it is the truth; what comes after is made up for by the next pull."""
    client.set_registered_model_alias(model, CHAMPION, move.version)
    registered = client.get_registered_model(model)
    client.set_registered_model_tag(model, MOVES_TAG, _moves(registered).and_then(move).model_dump_json())
    copies.point(models_dir, model, CHAMPION, move.version)
    if str(registered.aliases.get(CHALLENGER)) == move.version:
        client.delete_registered_model_alias(model, CHALLENGER)
        copies.point(models_dir, model, CHALLENGER, None)


def _point(client: Any, model: str, alias: str, version: str, models_dir: Path) -> None:
    client.set_registered_model_alias(model, alias, version)
    copies.point(models_dir, model, alias, version)


def _noted(mlflow: Any, client: Any, model: str, models_dir: Path, now: datetime) -> Standing | None:
    registered = client.get_registered_model(model)
    if not _moved_elsewhere(registered, models_dir):
        return None
    move = Move(version=str(registered.aliases[CHAMPION]), at=now, how=How.ELSEWHERE)
    client.set_registered_model_tag(model, MOVES_TAG, _moves(registered).and_then(move).model_dump_json())
    return standing(mlflow, model)


def _moved_elsewhere(registered: Any, models_dir: Path) -> bool:
    """Whether a champion of ours is another than the last that was made so here."""
    version, moves = registered.aliases.get(CHAMPION), _moves(registered).root
    if version is None or not is_plain(registered.name) or copies.pointed(models_dir, registered.name, CHAMPION) != str(version):
        return False
    return not moves or moves[-1].version != str(version)


def _moves(registered: Any) -> Moves:
    text = dict(registered.tags or {}).get(MOVES_TAG)
    return Moves.model_validate_json(text) if text else Moves(())
