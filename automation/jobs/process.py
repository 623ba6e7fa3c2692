"""The worker as a process of its own."""

import signal
import threading
from typing import Any

from automation.jobs.champions import refresh
from automation.jobs.scheduler import build_scheduler
from automation.loop import build_loop
from data.log import get_logger
from data.migrations import upgrade
from data.settings import Settings

log = get_logger("worker")


def run_worker(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT; running jobs end first."""
    loop = build_loop(settings)
    upgrade(loop.database)
    refresh(loop)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    scheduler: Any = build_scheduler(loop)
    scheduler.start()
    log.info("worker.process.started")
    stop.wait()
    scheduler.shutdown()
    loop.database.dispose()
