"""Dead letters over HTTP."""

import base64
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.collector.endpoints import EventOut
from api.dependencies import ADMIN, Admin, LoopDep, needs
from automation import audit, dead_letters
from automation.sources.base import as_bytes
from data.domain.audit import Action
from data.domain.stage import Stage
from data.settings import Scope
from data.warehouse.dead_letters import DeadLetter, DeadLetterState

router = APIRouter(prefix="/dead-letters", tags=["dead letters"])
LetterId = Annotated[int, Path(ge=0, lt=2**63)]


class DeadLetterOut(BaseModel):
    """`content` is the item's own bytes as text (bytes that are no text are shown as \\xNN)."""

    id: int
    source: str
    stage: Stage
    reason: str
    state: DeadLetterState
    payload_id: int | None
    position: int | None
    event_id: int | None
    delivery_id: str | None
    content: str
    created_at: datetime
    replayed_at: datetime | None


class PayloadOut(BaseModel):
    """The payload that it came in, to the byte."""

    received_at: datetime
    state: str
    body_base64: str


class DetailOut(DeadLetterOut):
    content_base64: str
    payload: PayloadOut | None
    can_be_corrected: bool


class ReplayIn(BaseModel):
    """`content`: the item as it should have been, as JSON; without it the stored bytes."""

    content: Any = Field(default=None, description="One corrected item, in the source's own form")
    dry_run: bool = Field(default=False, description="Say what would come of it, change nothing")


class ReplayOut(BaseModel):
    """`events`: those that are new by it, or would be."""

    id: int
    replayed: bool
    detail: str
    events: list[EventOut]


@router.get("", dependencies=[needs(Scope.READ)])
def get_dead_letters(
    loop: LoopDep,
    state: DeadLetterState | None = None,
    stage: Stage | None = None,
    source: Annotated[str | None, Query(pattern=r"^[a-z0-9_]{1,64}$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=0, lt=2**63, description="An id to page from")] = None,
) -> list[DeadLetterOut]:
    """The newest first."""
    found = dead_letters.listed(loop, state=state, stage=stage, source=source, limit=limit, before=before)
    return [DeadLetterOut.model_validate(_shown(letter)) for letter in found]


@router.get("/{letter_id}", dependencies=[needs(Scope.READ)])
def get_dead_letter(letter_id: LetterId, loop: LoopDep) -> DetailOut:
    """One, with the bytes as they came."""
    found = dead_letters.get(loop, letter_id)
    letter, payload = found.letter, found.payload
    whole = None
    if payload is not None:
        body = base64.b64encode(payload.body).decode()
        whole = PayloadOut(received_at=payload.received_at, state=payload.state, body_base64=body)
    return DetailOut.model_validate({
        **_shown(letter), "content_base64": base64.b64encode(letter.content).decode(), "payload": whole,
        "can_be_corrected": letter.stage in dead_letters.CORRECTABLE,
    })  # fmt: skip


@router.post("/{letter_id}/replay", dependencies=[ADMIN])
def post_replay(letter_id: LetterId, loop: LoopDep, caller: Admin, body: ReplayIn | None = None) -> ReplayOut:
    """Sends it through today's code once more, corrected if you say how. It stays open if it still does not fit."""
    wanted = body or ReplayIn()
    content = None if wanted.content is None else as_bytes(wanted.content)
    if wanted.dry_run:
        return _out(dead_letters.replay_letter(loop, letter_id, content=content, dry_run=True))
    target = f"dead letter {letter_id}"
    with audit.recorded(loop.database, loop.clock, caller.name, Action.REPLAY, target, corrected=content is not None) as details:
        replayed = dead_letters.replay_letter(loop, letter_id, content=content)
        details["replayed"] = replayed.done
    return _out(replayed)


@router.post("/{letter_id}/discard", dependencies=[ADMIN], status_code=204)
def post_discard(letter_id: LetterId, loop: LoopDep, caller: Admin) -> None:
    """It is worth no more work; it is still there to be seen."""
    with audit.recorded(loop.database, loop.clock, caller.name, Action.DISCARD, f"dead letter {letter_id}"):
        dead_letters.discard(loop, letter_id)


def _shown(letter: DeadLetter) -> dict[str, Any]:
    return {**letter.model_dump(exclude={"content"}), "content": letter.content.decode("utf-8", "backslashreplace")}


def _out(replayed: dead_letters.Replayed) -> ReplayOut:
    return ReplayOut.model_validate({
        "id": replayed.letter_id, "replayed": replayed.done, "detail": replayed.detail,
        "events": [EventOut.model_validate(vars(event)) for event in replayed.events],
    })  # fmt: skip
