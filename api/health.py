"""Probes: alive means the process answers; ready means that the database does too and its schema is there."""

from fastapi import APIRouter
from pydantic import BaseModel

from api.dependencies import LoopDep

router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    status: str
    models: dict[str, str] = {}


@router.get("/live")
def get_live() -> Health:
    return Health(status="ok")


@router.get("/ready")
def get_ready(loop: LoopDep) -> Health:
    """503 while the database does not answer. A model without a champion is shown, but keeps no event out."""
    loop.database.check()
    return Health(status="ok", models={name: served.card.version for name, served in loop.predictor.served().items()})
