"""The process that looks after the models: `python -m automation.jobs.watch_process`, started by `watch`."""

import os
import sys
import threading

from automation import monitoring, retraining
from automation.jobs.champions import refresh
from automation.loop import build_loop
from automation.pipeline.context import Loop
from data import log as logs
from data.errors import NotReady
from data.log import get_logger
from data.settings import Settings, load_settings

log = get_logger("watch")

# Where the service wants a core, Linux gives it nine parts of ten; still, a training ends on a machine that is always busy.
NICENESS = 10
ABANDONED = 3


def watch(loop: Loop) -> bool:
    """Looks at each served model whose last look is long ago, and trains those that need it; whether all went well."""
    well = True
    try:
        with retraining.alone(loop.database):
            retraining.bury(loop)  # whatever is not ended now was left by a process that died
            for model in loop.predictor.served():
                if monitoring.is_due(loop, model):
                    well &= _watch_one(loop, model)
    except NotReady as error:
        log.info("watch.look.left", reason=error.detail)
    return well


def _watch_one(loop: Loop, model: str) -> bool:
    try:
        found = monitoring.check(loop, model, trains=True)
        if (reason := found.decided.reason) is not None and loop.settings.retrain:
            retraining.retrain(loop, model, reason, found.examples)
    except Exception:  # the other models are looked at all the same
        log.exception("watch.look.failed", model=model)
        return False
    return True


def main() -> None:
    settings = load_settings()
    logs.configure(json=settings.log_json, level=settings.log_level)
    end_with_the_service()
    stand_back(settings)
    loop = build_loop(settings)
    refresh(loop)
    well = watch(loop)
    loop.database.dispose()
    sys.exit(0 if well else 1)


def stand_back(settings: Settings) -> None:
    """Low priority, and no more cores than the settings give it."""
    os.nice(NICENESS)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-settings.retrain_cores :])


def end_with_the_service() -> None:
    """Ends this process when whoever started it is gone: its standard input ends then, however that came about."""
    threading.Thread(target=_read_to_the_end, daemon=True).start()


def _read_to_the_end() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(ABANDONED)


if __name__ == "__main__":
    main()
