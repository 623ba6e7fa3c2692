"""create_app(settings): the one place where the edge is put together."""

from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import errors
from api.guard import Guard
from api.middleware import BodyLimit, Correlation
from api.router import ROUTERS
from automation.jobs.champions import refresh
from automation.jobs.scheduler import build_scheduler
from automation.loop import build_loop, freeze
from automation.pipeline.context import Loop
from data import log, redaction
from data.migrations import upgrade
from data.settings import Settings, load_settings

# On PostgreSQL the worker is a process of its own; serving still has to hear of new champions,
# and only it knows whose tokens were used.
SERVING_JOBS = frozenset({"champions.pull", "champions.refresh", "tokens.note_use"})


def create_app(settings: Settings, *, loop: Loop | None = None, jobs: Container[str] | None = None) -> FastAPI:
    """The service. `jobs` names the timed jobs of this process; by default all on SQLite, SERVING_JOBS on PostgreSQL."""
    redaction.hide(settings.secrets())
    only = jobs if jobs is not None or settings.is_sqlite else SERVING_JOBS

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts = loop or build_loop(settings)
        app.state.loop = parts
        await run_in_threadpool(upgrade, parts.database)
        await run_in_threadpool(refresh, parts)
        freeze()
        scheduler = build_scheduler(parts, only=only)
        scheduler.start()
        yield
        await run_in_threadpool(scheduler.shutdown)
        if loop is None:
            parts.database.dispose()

    app = FastAPI(
        title="Leadloop", version="0.1.0", summary="CRM event in, hot lead in Slack and score on the CRM record.", lifespan=lifespan
    )
    errors.install(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(Guard)
    app.add_middleware(Correlation)
    for router in ROUTERS:
        app.include_router(router)
    return app


def from_environment() -> FastAPI:
    """For uvicorn's worker processes, which build their own."""
    settings = load_settings()
    log.configure(json=settings.log_json, level=settings.log_level)
    return create_app(settings)
