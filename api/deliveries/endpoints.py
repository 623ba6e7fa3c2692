"""The outbox over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.deliveries.schemas import ConfirmIn, DeliveryOut, Destination, FailIn, LeaseIn, LeaseOut
from api.dependencies import LoopDep, needs
from automation import outbox
from data.domain.delivery import DeliveryState
from data.settings import Scope

router = APIRouter(prefix="/deliveries", tags=["deliveries"])
acts = [needs(Scope.ACTIVATE)]


@router.get("", dependencies=[needs(Scope.READ)])
def get_deliveries(
    loop: LoopDep,
    state: DeliveryState | None = None,
    destination: Destination | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[DeliveryOut]:
    """The newest first."""
    return [DeliveryOut.of(row) for row in outbox.listed(loop, state=state, destination=destination, limit=limit)]


@router.post("/lease", dependencies=acts)
def post_lease(body: LeaseIn, loop: LoopDep) -> LeaseOut:
    """Takes deliveries that wait for n8n. What is not confirmed before `lease_until` goes out by the worker."""
    lease_id, rows = outbox.lease(loop, body.destination, limit=body.limit, seconds=body.lease_seconds)
    until = max((row.lease_until for row in rows if row.lease_until), default=None)
    return LeaseOut(lease_id=lease_id, lease_until=until, deliveries=[DeliveryOut.of(row) for row in rows])


@router.post("/{delivery_id}/confirm", dependencies=acts)
def post_confirm(delivery_id: UUID, body: ConfirmIn, loop: LoopDep) -> DeliveryOut:
    """The destination has it. The same again is 200; a foreign or expired lease is 409."""
    return DeliveryOut.of(outbox.confirm(loop, str(delivery_id), body.lease_id, body.receipt))


@router.post("/{delivery_id}/fail", dependencies=acts)
def post_fail(delivery_id: UUID, body: FailIn, loop: LoopDep) -> DeliveryOut:
    """The destination did not take it: tried again after a pause, or given up if `permanent`."""
    return DeliveryOut.of(outbox.fail(loop, str(delivery_id), body.lease_id, error=body.error, permanent=body.permanent))
