"""The schema of events, for whoever writes a sender. As open as the interactive docs: it says nothing of the account."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse

from automation.event_schema import schema_of, schema_of_all
from data.domain.event_type import EventType

router = APIRouter(prefix="/events", tags=["collect"])


class SchemaJson(JSONResponse):
    media_type = "application/schema+json"


@router.get("/schema", response_class=SchemaJson, response_model=dict[str, Any])
def get_schema(
    name: Annotated[EventType | None, Query(alias="type", description="One type alone, as `deal.changed`")] = None,
) -> SchemaJson:
    """A JSON Schema (draft 2020-12) of what `POST /collect/generic` takes: of all types, or of one."""
    return SchemaJson(schema_of_all() if name is None else schema_of(name))
