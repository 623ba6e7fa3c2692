"""APScheduler with the jobs of schedule.py. Each job runs once at a time; a run that is late is not made up for."""

from collections.abc import Callable, Container, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from automation.jobs.schedule import Job, jobs
from automation.pipeline.context import Loop
from data.log import get_logger
from data.warehouse import job_runs

log = get_logger("scheduler")


def build_scheduler(loop: Loop, *, only: Container[str] | None = None) -> BackgroundScheduler:
    """A scheduler that is ready to start, with all jobs or `only` some; its `shutdown` lets the running jobs end."""
    table = [job for job in jobs(loop.settings) if only is None or job.name in only]
    scheduler = _Scheduler(
        [job.stop for job in table],
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(max(1, len(table)))},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 60},
    )
    for job in table:
        first = datetime.now(UTC) + timedelta(seconds=job.first_after_seconds)
        scheduler.add_job(_guarded, IntervalTrigger(seconds=job.every_seconds), args=(job, loop), id=job.name, next_run_time=first)
    return scheduler


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]
    """Its end is also that of the processes that its jobs have started."""

    def __init__(self, stops: Sequence[Callable[[], None]], **options: Any) -> None:
        super().__init__(**options)
        self._stops = tuple(stops)

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002 as APScheduler has it
        super().shutdown(wait)
        for stop in self._stops:
            stop()


def _guarded(job: Job, loop: Loop) -> Any:
    """A job's failure is logged and the next run comes as planned."""
    try:
        if not job.once or _is_ours(job, loop):
            job.run(loop)
    except Exception:
        log.exception("scheduler.job.failed", job=job.name)


def _is_ours(job: Job, loop: Loop) -> bool:
    """Whether this process is the first to take this turn: turns are counted from 1970 on, in every process alike."""
    now = loop.clock.now()
    turn = now.timestamp() // job.every_seconds
    with loop.database.write() as session:
        return job_runs.is_first(session, job.name, datetime.fromtimestamp(turn * job.every_seconds, UTC), now)
