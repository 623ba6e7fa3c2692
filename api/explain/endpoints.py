"""What changed between two predictions."""

from typing import Any

from fastapi import APIRouter

from api.dependencies import LoopDep, needs
from api.explain.schemas import CompareIn
from automation.explanations import Given, compared
from data.column_types import unstorable
from data.errors import BadInput
from data.settings import Scope
from ml.serving.compare import Comparison

router = APIRouter(prefix="/explain", tags=["explain"], dependencies=[needs(Scope.SCORE)])


@router.post("/compare")
def post_compare(body: CompareIn, loop: LoopDep) -> Comparison:
    """Says what changed between two sets of features, or two stored predictions: in log-odds, in points and in words."""
    before = _given("before", body.before, body.before_event_id)
    return compared(loop, body.model, before, _given("after", body.after, body.after_event_id))


def _given(name: str, features: dict[str, Any] | None, event_id: int | None) -> Given:
    if (reason := unstorable(features)) is not None:
        raise BadInput(f"{name}: it has {reason}", field=name)
    given = features if features is not None else event_id
    assert given is not None  # the schema asks for one of them
    return given
