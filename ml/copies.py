"""The local copies of versions under `models_dir`: `<model>/<version>/`, and beside them a file per alias that names one.

Serving starts from these, whatever has become of MLflow. A copy is whole or not there.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import NotFound, NotReady
from data.lock import file_lock
from ml.training.gate import Decision
from ml.version import CARD, Card, is_plain, write_atomically, write_card

DECISION = "decision.json"
LOCK = ".lock"


@contextmanager
def locked(models_dir: Path) -> Iterator[None]:
    """One writer of the copies at a time on this machine."""
    with file_lock(models_dir / LOCK):
        yield


def keep(models_dir: Path, card: Card, write: Callable[[Path], object]) -> Path:
    """Fills a folder beside the others, then renames it into place.

    Raises:
        NotReady: the disk does not take it; what was there stays.
    """
    home = models_dir / card.model
    scratch = None
    try:
        home.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=home, prefix=".new-"))
        write(scratch)
        write_card(card, scratch)
        _put_in_place(scratch, home / card.version)
    except OSError as error:
        raise NotReady(f"version {card.version} of {card.model} cannot be kept in {home}: {error.strerror or error}") from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)  # not there any more if all went well
    return home / card.version


def folder_of(models_dir: Path, model: str, version: str) -> Path:
    """A copy's folder.

    Raises:
        NotFound: there is none, or the names are no names.
    """
    folder = models_dir / model / version if is_plain(model) and is_plain(version) else None
    if folder is None or not (folder / CARD).is_file():
        raise NotFound(f"model {model[:80]!r} has no version {version[:80]!r} here")
    return folder


def versions(models_dir: Path, model: str) -> list[str]:
    """The versions that there are copies of, the newest first."""
    found = [path.parent.name for path in (models_dir / model).glob(f"*/{CARD}")] if is_plain(model) else []
    return sorted((name for name in found if is_plain(name)), key=lambda name: (len(name), name), reverse=True)


def models(models_dir: Path) -> list[str]:
    """The models that there are copies of."""
    return sorted({path.parent.parent.name for path in models_dir.glob(f"*/*/{CARD}") if is_plain(path.parent.parent.name)})


def pointed(models_dir: Path, model: str, alias: str) -> str | None:
    """The version that an alias named when this machine last heard of it."""
    try:
        return (models_dir / model / alias).read_text().strip() or None
    except OSError:
        return None


def point(models_dir: Path, model: str, alias: str, version: str | None) -> None:
    if version is None:
        (models_dir / model / alias).unlink(missing_ok=True)
    else:
        write_atomically(models_dir / model / alias, version)


def write_decision(folder: Path, decision: Decision) -> None:
    write_atomically(folder / DECISION, decision.model_dump_json(indent=1))


def read_decision(folder: Path) -> Decision | None:
    """What the gate said of a version; None where it was never asked.

    Raises:
        NotReady: the file is damaged.
    """
    path = folder / DECISION
    if not path.is_file():
        return None
    try:
        return Decision.model_validate_json(path.read_text())
    except ValueError as error:
        raise NotReady(f"{path} is damaged: nobody knows what the gate said of version {folder.name}") from error


def _put_in_place(scratch: Path, target: Path) -> None:
    """The old copy, if there is one, goes only when the new one stands beside it."""
    scratch.chmod(0o755)  # mkdtemp's folders are for one user only; another may run the service
    if target.exists():
        aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=".old-"))
        target.rename(aside / target.name)
        scratch.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        scratch.rename(target)
