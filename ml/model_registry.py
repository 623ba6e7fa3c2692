"""The MLflow Model Registry: numbers versions, moves aliases, and keeps local copies for serving.

MLflow's alias `champion` is the only truth on who serves. A local copy of each champion, and a pointer file beside
the copies, let serving start and go on when MLflow is away.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from ml.tracking import CARD_FOLDER, Logged
from ml.training.report import numbered
from ml.training.train import Trained
from ml.version import CHAMPION, REPORT, Card, is_plain, read_card, save, write_atomically, write_card


def register(mlflow: Any, trained: Trained, logged: Logged, models_dir: Path) -> Card:
    """Registers the run's model, keeps a local copy, makes it champion; returns its card with its version."""
    client = mlflow.MlflowClient()
    if not client.search_registered_models(f"name = '{trained.card.model}'"):
        client.create_registered_model(trained.card.model)
    found = client.create_model_version(trained.card.model, source=logged.model_uri, run_id=logged.run_id)
    version = str(found.version)
    card = trained.card.model_copy(update={"version": version})
    _keep(models_dir, card, lambda folder: _write(trained, logged, version, folder))
    promote(mlflow, card.model, version, models_dir)
    return card


def promote(mlflow: Any, model: str, version: str, models_dir: Path) -> None:
    """Moves the alias, then the local pointer: MLflow first, since it is the truth."""
    mlflow.MlflowClient().set_registered_model_alias(model, CHAMPION, version)
    write_atomically(models_dir / model / CHAMPION, version)


def pull_champions(mlflow: Any, models_dir: Path) -> list[str]:
    """Makes the local copies and pointers agree with MLflow; returns the models whose champion moved."""
    client = mlflow.MlflowClient()
    moved = []
    for registered in client.search_registered_models():
        version = registered.aliases.get(CHAMPION)
        pointer = models_dir / registered.name / CHAMPION
        if version is None or not is_plain(registered.name) or (pointer.is_file() and pointer.read_text().strip() == str(version)):
            continue
        if not _fetch(mlflow, client, registered.name, str(version), models_dir):
            continue
        write_atomically(pointer, str(version))
        moved.append(registered.name)
    return moved


def _write(trained: Trained, logged: Logged, version: str, folder: Path) -> None:
    save(trained.version, folder)
    (folder / REPORT).write_text(numbered(logged.report, version), "utf-8")


def _fetch(mlflow: Any, client: Any, model: str, version: str, models_dir: Path) -> bool:
    """Copies a version here; False for one that is not ours (somebody else's model in the same registry)."""
    if (models_dir / model / version / "card.json").is_file():
        return True
    run_id = client.get_model_version(model, version).run_id
    if not run_id or not any(item.path == CARD_FOLDER for item in client.list_artifacts(run_id)):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=CARD_FOLDER, dst_path=scratch))
        card = read_card(source).model_copy(update={"version": version})
        native = [path for path in source.iterdir() if path.name != "card.json"]
        _keep(models_dir, card, lambda folder: [shutil.copy(path, folder) for path in native])
    return True


def _keep(models_dir: Path, card: Card, write: Any) -> None:
    """Fills a folder beside the others, then renames it into place: a copy is whole or not there."""
    home = models_dir / card.model
    home.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=home, prefix=".new-"))
    write(scratch)
    write_card(card, scratch)
    target = home / card.version
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)
