"""The audit trail over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.dependencies import ADMIN, LoopDep
from automation import audit
from data.domain.audit import Action, Result

router = APIRouter(prefix="/audit", tags=["audit"], dependencies=[ADMIN])


class AuditOut(BaseModel):
    """`actor`: a token's name (`settings:1` is the first of LEADLOOP_API_TOKENS), or `cli:` and who ran the command."""

    id: int
    at: datetime
    actor: str
    action: Action
    target: str
    result: Result
    details: dict[str, Any]


@router.get("")
def get_audit(
    loop: LoopDep,
    action: Action | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=0, lt=2**63, description="An id to page from")] = None,
) -> list[AuditOut]:
    """Who did what, when, to what, with what result; the newest first."""
    found = audit.listed(loop.database, action=action, limit=limit, before=before)
    return [AuditOut.model_validate(row.model_dump()) for row in found]
