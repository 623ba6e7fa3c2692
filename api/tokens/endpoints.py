"""Tokens over HTTP, for those whose token has the scope `admin`."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.dependencies import ADMIN, Admin, LoopDep
from api.tokens.schemas import CreateIn, NewTokenOut, RevokedOut, RevokeIn, RotateIn, TokenOut
from automation import tokens
from automation.tokens import NAME

router = APIRouter(prefix="/tokens", tags=["tokens"], dependencies=[ADMIN])
Name = Annotated[str, Path(pattern=f"^{NAME.pattern}$")]
ONCE = {"Cache-Control": "no-store"}


@router.get("")
def get_tokens(loop: LoopDep) -> list[TokenOut]:
    """All that there are and were, without the tokens themselves. Those of LEADLOOP_API_TOKENS are not among them."""
    now = loop.clock.now()
    return [TokenOut.of(row, now) for row in tokens.listed(loop.database)]


@router.post("", status_code=201)
def post_token(body: CreateIn, loop: LoopDep, caller: Admin, response: Response) -> NewTokenOut:
    """Makes a token, and tells it this once. 409 if there is one by this name."""
    lasts = None if body.lasts_hours is None else timedelta(hours=body.lasts_hours)
    response.headers.update(ONCE)
    return NewTokenOut.of(tokens.create(loop.database, loop.clock, caller.name, body.name, body.scopes, lasts=lasts))


@router.post("/{name}/rotate")
def post_rotate(name: Name, loop: LoopDep, caller: Admin, response: Response, body: RotateIn | None = None) -> NewTokenOut:
    """Makes a new token by this name; the one before stays good for the grace, 24 hours unless told otherwise."""
    response.headers.update(ONCE)
    return NewTokenOut.of(tokens.rotate(loop.database, loop.clock, caller.name, name, grace=(body or RotateIn()).grace))


@router.post("/{name}/revoke")
def post_revoke(name: Name, loop: LoopDep, caller: Admin, body: RevokeIn | None = None) -> RevokedOut:
    """Ends all tokens by this name at once: within five seconds no process lets them pass."""
    wanted = body or RevokeIn()
    ended = tokens.revoke(loop.database, loop.clock, caller.name, name, replaced_only=wanted.replaced_only)
    return RevokedOut(name=name, ended=ended)
