"""The sign of life of a worker: a file that it touches every few seconds."""

import time

from data.settings import Settings

NAME = "worker.heartbeat"
BEAT_SECONDS = 10
STALE_SECONDS = 60


def beat(settings: Settings) -> None:
    path = settings.var_dir / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def age(settings: Settings) -> float | None:
    """Seconds since the last beat of a worker with the same `VAR_DIR`; None if there was none within `STALE_SECONDS`."""
    path = settings.var_dir / NAME
    seconds = time.time() - path.stat().st_mtime if path.is_file() else STALE_SECONDS + 1.0
    return seconds if seconds <= STALE_SECONDS else None
