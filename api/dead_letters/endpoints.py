"""Dead letters over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from api.dependencies import ADMIN, Admin, LoopDep, needs
from automation import audit, replay
from data.domain.audit import Action
from data.settings import Scope
from data.warehouse.dead_letters import DeadLetter, DeadLetterState

router = APIRouter(prefix="/dead-letters", tags=["dead letters"])


class DeadLetterOut(BaseModel):
    """`content` is the item's own bytes as text (bytes that are no text are shown as \\xNN)."""

    id: int
    source: str
    stage: str
    reason: str
    state: DeadLetterState
    payload_id: int | None
    position: int | None
    event_id: int | None
    delivery_id: str | None
    content: str
    created_at: datetime
    replayed_at: datetime | None


class ReplayOut(BaseModel):
    id: int
    replayed: bool
    detail: str


@router.get("", dependencies=[needs(Scope.READ)])
def get_dead_letters(
    loop: LoopDep,
    state: DeadLetterState | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=0, lt=2**63, description="An id to page from")] = None,
) -> list[DeadLetterOut]:
    """The newest first."""
    return [_out(letter) for letter in replay.listed(loop, state=state, limit=limit, before=before)]


@router.post("/{letter_id}/replay", dependencies=[ADMIN])
def post_replay(letter_id: Annotated[int, Path(ge=0, lt=2**63)], loop: LoopDep, caller: Admin) -> ReplayOut:
    """Sends it through today's code once more. It stays open if it still does not fit."""
    target = f"dead letter {letter_id}"
    with audit.recorded(loop.database, loop.clock, caller.name, Action.REPLAY, target) as details:
        replayed = replay.replay_letter(loop, letter_id)
        details["replayed"] = replayed.done
    return ReplayOut(id=letter_id, replayed=replayed.done, detail=replayed.detail)


def _out(letter: DeadLetter) -> DeadLetterOut:
    text = letter.content.decode("utf-8", "backslashreplace")
    return DeadLetterOut.model_validate({**letter.model_dump(exclude={"content"}), "content": text})
