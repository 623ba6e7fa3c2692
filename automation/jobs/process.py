"""The worker as a process of its own."""

import os
import signal
import threading
from typing import Any

from automation.jobs import heartbeat
from automation.jobs.champions import refresh
from automation.jobs.scheduler import build_scheduler
from automation.loop import build_loop, freeze
from data.errors import NotReady
from data.log import get_logger
from data.migrations import upgrade
from data.settings import Settings

log = get_logger("worker")
# Whoever waits for an answer comes before what nobody waits for.
GIVES_WAY_BY = 5


def check(settings: Settings) -> None:
    """Passes if a worker with the same `VAR_DIR` has shown signs of life.

    Raises:
        NotReady: it has not.
    """
    if heartbeat.age(settings) is None:
        path = settings.var_dir / heartbeat.NAME
        raise NotReady(f"no worker has shown signs of life at {path} within {heartbeat.STALE_SECONDS} s")


def run_worker(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT; running jobs end first. Where the machine is busy, the service has its share first."""
    os.nice(GIVES_WAY_BY)
    loop = build_loop(settings)
    upgrade(loop.database)
    refresh(loop)
    freeze()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    scheduler: Any = build_scheduler(loop)
    scheduler.start()
    log.info("worker.process.started")
    heartbeat.beat(settings)
    while not stop.wait(heartbeat.BEAT_SECONDS):
        heartbeat.beat(settings)
    scheduler.shutdown()
    loop.database.dispose()
