"""A person in the files beside the database: copies of model versions, their reports, what MLflow keeps on this machine."""

from collections.abc import Iterable
from pathlib import Path

from data import file_search
from data.domain.redaction import Redaction
from data.settings import Settings
from ml.version import REPORT, write_atomically

# n8n's folder is its own: its database keeps executions for as long as its own settings say.
NOT_OURS = frozenset({"n8n"})
OF_A_VERSION = "a version's own file: it can't be changed without being another version; retire the version"
OF_MLFLOW = "MLflow's own file: delete the run there, then `mlflow gc`"
UNKNOWN = "no file that Leadloop writes an address into: look at it yourself"


def ours(settings: Settings, database_files: Iterable[Path]) -> list[Path]:
    """The files under VAR_DIR but for the database's, in the order of their names."""
    folder, others = settings.var_dir, {path.resolve() for path in database_files}
    found = (path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0] not in NOT_OURS)
    return sorted(path for path in found if path.resolve() not in others)


def clean(settings: Settings, paths: Iterable[Path], redaction: Redaction) -> tuple[list[str], dict[str, str]]:
    """Takes the addresses out of reports, which are for people; says which those were, and why any other file still has one."""
    found = file_search.search(paths, redaction.mentions.addresses)
    reports = [path for path in found if path.name == REPORT]
    for path in reports:
        write_atomically(path, redaction.mentions.out_of(path.read_text("utf-8")))
    others = {_shown(settings, path): _why(settings, path) for path in found if path.name != REPORT}
    return [_shown(settings, path) for path in reports], others


def _shown(settings: Settings, path: Path) -> str:
    return str(path.relative_to(settings.var_dir))


def _why(settings: Settings, path: Path) -> str:
    if path.is_relative_to(settings.models_dir):
        return OF_A_VERSION
    is_store = settings.mlflow_tracking_uri.endswith(path.name)
    return OF_MLFLOW if is_store or path.is_relative_to(settings.mlflow_artifacts_dir) else UNKNOWN
