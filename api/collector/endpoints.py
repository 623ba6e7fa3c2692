"""Door 1. Authenticated over the raw body, stored before the answer; what does not fit is 202 and a dead letter."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.callers import asked_by
from api.dependencies import LoopDep
from api.sources.base import Inbound
from api.sources.registry import AUTHENTICATORS
from automation.pipeline.collect import Collected, collect, put_off
from data.domain.entity import EntityRef
from data.domain.event import Driver
from data.errors import NotFound

router = APIRouter(tags=["collect"])


class EventOut(BaseModel):
    event_id: int
    type: str
    entity: EntityRef
    models: list[str]


class CollectOut(BaseModel):
    """How many events were new, repeats, or set aside; and the new ones with the models that each asks.

    `deferred`: more came at once than could be looked at. The bytes are stored, the worker sees to them, nothing is counted yet.
    """

    accepted: int
    duplicates: int
    rejected: int
    events: list[EventOut]
    deferred: bool


# The body is read as bytes: what is not JSON is no 422 here but a dead letter, so FastAPI must not parse it.
ANY_JSON = {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}


@router.post("/collect/{source}", status_code=202, response_model=CollectOut, openapi_extra=ANY_JSON)
async def post_collect(
    source: str,
    request: Request,
    loop: LoopDep,
    driver: Annotated[Driver, Query(description="Who walks the events through the other doors first")] = Driver.WORKER,
) -> Collected:
    """Takes a payload from a sender (`hubspot`, `pipedrive`, `generic`)."""
    inbound = Inbound(request.method, dict(request.headers), await request.body(), asked_by(request.scope).identity)
    if (authenticate := AUTHENTICATORS.get(source)) is None:
        raise NotFound(f"there is no source {source!r}; the sources are {', '.join(AUTHENTICATORS)}", field="source")
    authenticate(inbound, loop.settings, loop.clock.now())
    if loop.turns.are_over:
        return await put_off(loop, source, inbound.body)
    return await run_in_threadpool(collect, loop, source, inbound.body, driver)
