"""Starts the process that looks after the models, and looks after that process.

Looking reads the whole warehouse and training takes minutes: in the service's own process either would hold up its answers.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from automation import monitoring, retraining
from automation.pipeline.context import Loop
from data.domain.training import TrainingState
from data.errors import NotReady
from data.log import get_logger
from data.settings import ROOT

log = get_logger("watch")

COMMAND = (sys.executable, "-m", "automation.jobs.watch_process")
TICK_SECONDS = 10.0
# A service that has just started has better things to do.
FIRST_AFTER_SECONDS = 60.0
AFTER_FAILURE_SECONDS = 3600.0
PATIENCE_SECONDS = 5.0  # for a process to end, and for PostgreSQL to see that it did
# The libraries that take all cores if they are not told otherwise.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "NUMEXPR_NUM_THREADS")


class Watcher:
    """At most one process at a time. Called every few seconds; nothing here waits for it."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = tuple(command)
        self._child: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._not_before = 0.0
        self._loop: Loop | None = None

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def __call__(self, loop: Loop) -> None:
        """Starts the process if a look is due, notices that it ended, and ends it if it hangs."""
        if self._child is None:
            if time.monotonic() >= self._not_before and _is_due(loop):
                self._start(loop)
        elif (status := self._child.poll()) is not None:
            self._let_go()
            if status:
                self._failed(loop, f"its process ended with status {status}")
        elif time.monotonic() - self._began > loop.settings.retrain_timeout_seconds:
            self._kill()
            self._failed(loop, f"it took longer than {loop.settings.retrain_timeout_seconds:g} s and was ended")

    def stop(self) -> None:
        """Ends the process with the service. What it was training is begun again by the next look."""
        if self._child is None or self._loop is None:
            return
        self._kill()
        _bury(self._loop, "the service was stopped", TrainingState.INTERRUPTED)

    def _start(self, loop: Loop) -> None:
        cores = str(loop.settings.retrain_cores)
        env = {**os.environ, **loop.settings.environment(), **dict.fromkeys(THREADS, cores)}
        # It ends when its standard input does: also where this process is killed and can end nothing any more.
        self._child = subprocess.Popen(self._command, cwd=ROOT, env=env, stdin=subprocess.PIPE)
        self._began, self._loop = time.monotonic(), loop
        log.info("watch.process.started", pid=self._child.pid)

    def _failed(self, loop: Loop, why: str) -> None:
        log.error("watch.process.failed", reason=why)
        self._not_before = time.monotonic() + AFTER_FAILURE_SECONDS
        _bury(loop, why, TrainingState.FAILED)

    def _let_go(self) -> subprocess.Popen[bytes]:
        child, self._child = self._child, None
        assert child is not None
        assert child.stdin is not None
        child.stdin.close()
        return child

    def _kill(self) -> None:
        child = self._let_go()
        child.terminate()
        try:
            child.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _is_due(loop: Loop) -> bool:
    return any(monitoring.is_due(loop, model) for model in loop.predictor.served())


def _bury(loop: Loop, why: str, state: TrainingState) -> None:
    try:
        with retraining.alone(loop.database, patience_seconds=PATIENCE_SECONDS):
            retraining.bury(loop, why, state=state)
    except NotReady as error:  # somebody else trains by now, and has buried it
        log.info("watch.training.left", reason=error.detail)
