"""Erasures over HTTP. An address is in the body of a request and never in its path, which is logged."""

from typing import Annotated

from fastapi import APIRouter, Path, status
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import ADMIN, Admin, LoopDep
from automation import audit
from automation.erasure import run
from automation.erasure.report import Report
from data.domain.audit import Action
from data.domain.mention import LONGEST_DOMAIN, LONGEST_LOCAL
from data.warehouse.erasures import Origin

router = APIRouter(prefix="/privacy", tags=["privacy"])
admin = [ADMIN]


class EraseIn(BaseModel):
    """`dry_run`: only says whom it would be about."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(max_length=LONGEST_LOCAL + LONGEST_DOMAIN)]
    dry_run: bool = False


class WouldEraseOut(BaseModel):
    """Source and kind -> how many records; column -> cells with an address of theirs."""

    records: dict[str, int]
    found: dict[str, int]


@router.post("/erase", dependencies=admin, status_code=status.HTTP_202_ACCEPTED)
def post_erase(body: EraseIn, loop: LoopDep, caller: Admin) -> Report | WouldEraseOut:
    """Asks for a person's erasure by their e-mail address. The worker does it within seconds; ask again by its id."""
    if body.dry_run:
        return WouldEraseOut.model_validate(run.would_erase(loop, body.email))
    with audit.recorded(loop.database, loop.clock, caller.name, Action.ERASE, "a person") as details:
        details["erasure_id"] = run.ask(loop, body.email, Origin.API)
    return run.reported(loop, details["erasure_id"])


@router.get("/erasures/{erasure_id}", dependencies=admin)
def get_erasure(erasure_id: Annotated[int, Path(ge=0, lt=2**63)], loop: LoopDep) -> Report:
    """What an erasure has found, done and left. It names nobody."""
    return run.reported(loop, erasure_id)
