"""From MLflow to this machine: fetches versions, and makes the local pointers agree with MLflow's aliases."""

import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from data.errors import LeadloopError, NotFound, NotReady
from ml import copies
from ml.tracking import CARD_FOLDER, answering, in_short
from ml.training.rows import read_rows
from ml.version import CARD, CHALLENGER, CHAMPION, is_plain, load, read_card


def pull_champions(mlflow: Any, models_dir: Path, *, anew: Collection[tuple[str, str]] = ()) -> list[str]:
    """Makes the local copies and pointers agree with MLflow; returns the models whose champion moved.

    `anew`: (model, version) copies that are missing or broken here. What cannot be fetched does not hold up the others.

    Raises:
        NotReady: MLflow is away, or something could not be fetched.
    """
    moved: list[str] = []
    failed: LeadloopError | None = None
    with answering():
        client = mlflow.MlflowClient()
        for registered in registered_models(client):
            lacking = [version for model, version in anew if model == registered.name]
            if not is_plain(registered.name) or not (lacking or _differs(registered, models_dir)):
                continue
            with copies.locked(models_dir):
                try:
                    if _pull_one(mlflow, client, registered.name, lacking, models_dir):
                        moved.append(registered.name)
                except LeadloopError as error:
                    failed = failed or error
    if failed is not None:
        raise failed
    return moved


def ensure_copy(mlflow: Any, model: str, version: str, models_dir: Path, *, with_rows: bool = False) -> Path:
    """The folder of a copy that can be loaded; it is fetched (anew) where there is none.

    Parameters:
        with_rows: the rows that taught and judged it must be readable too. Comparing needs them, serving does not.

    Raises:
        NotFound: MLflow has no such version of ours. NotReady: MLflow is away, or what it has cannot be loaded either.
    """
    folder = models_dir / model / version
    if (folder / CARD).is_file() and fault_of(folder, with_rows=with_rows) is None:
        return folder
    with answering():
        if not _fetch(mlflow, mlflow.MlflowClient(), model, version, models_dir):
            raise NotFound(f"version {version} of {model} in MLflow was not made by Leadloop")
    if (fault := fault_of(folder, with_rows=with_rows)) is not None:
        raise NotReady(f"version {version} of {model} cannot be loaded, neither from here nor from MLflow: {fault}")
    return folder


def fault_of(folder: Path, *, with_rows: bool = False) -> str | None:
    """Why a copy cannot be loaded, or compared with others."""
    try:
        load(folder)
        if with_rows:
            read_rows(folder)
    except Exception as error:  # each learner's reader has errors of its own
        return in_short(error)
    return None


def registered_models(client: Any) -> Iterator[Any]:
    """All models of the registry, which gives them page by page."""
    token = None
    while True:
        page = client.search_registered_models(page_token=token)
        yield from page
        if not (token := page.token):
            return


def _pull_one(mlflow: Any, client: Any, model: str, lacking: Collection[str], models_dir: Path) -> bool:
    with answering():
        for version in lacking:
            _fetch(mlflow, client, model, version, models_dir)
        # Asked once more, under the lock: a promotion may have come between.
        return _agree(mlflow, client, client.get_registered_model(model), models_dir)


def _differs(registered: Any, models_dir: Path) -> bool:
    return any(copies.pointed(models_dir, registered.name, alias) != _named(registered, alias) for alias in (CHAMPION, CHALLENGER))


def _named(registered: Any, alias: str) -> str | None:
    version = registered.aliases.get(alias)
    return None if version is None else str(version)


def _agree(mlflow: Any, client: Any, registered: Any, models_dir: Path) -> bool:
    """Points the aliases where MLflow does, as far as its versions are ours; whether the champion moved."""
    moved = False
    for alias in (CHAMPION, CHALLENGER):
        version, here = _named(registered, alias), copies.pointed(models_dir, registered.name, alias)
        if version == here:
            continue
        if version is None:
            if alias == CHALLENGER:  # a champion that is taken away goes on until there is another
                copies.point(models_dir, registered.name, alias, None)
        elif (models_dir / registered.name / version / CARD).is_file() or _fetch(
            mlflow, client, registered.name, version, models_dir
        ):
            copies.point(models_dir, registered.name, alias, version)
            moved = moved or alias == CHAMPION
    return moved


def _fetch(mlflow: Any, client: Any, model: str, version: str, models_dir: Path) -> bool:
    """Copies a version here; False for one that is not ours (somebody else's model in the same registry)."""
    run_id = client.get_model_version(model, version).run_id
    if not run_id or not any(item.path == CARD_FOLDER for item in client.list_artifacts(run_id)):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=CARD_FOLDER, dst_path=scratch))
        card = read_card(source).model_copy(update={"version": version})
        files = [path for path in source.iterdir() if path.name != CARD]
        copies.keep(models_dir, card, lambda folder: [shutil.copy(path, folder) for path in files])
    return True
