"""What a stage of HubSpot's pipelines says of its deals: whether they are won, lost, or go on.

A stage of any but the first pipeline has an id that says nothing by itself. The CRM is asked what each means, once an hour and
whenever a deal names one that is not known (`jobs.deal_stages`). From then on a deal that moves to it is told with what HubSpot
calculates of such a deal.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlmodel import Session

from data.domain.entity import EntityKind, EntityRef
from data.domain.fact import text_of
from data.domain.outcome import flags_of
from data.warehouse import deal_stages

SOURCE, STAGE = "hubspot", "dealstage"
LONGEST = 255  # no id is as long; PostgreSQL indexes nothing much longer

Flags = Mapping[str | None, Mapping[str, str]]


def flags(session: Session, told: Iterable[tuple[EntityRef, Mapping[str, Any]]]) -> Flags:
    """Stage -> what a deal in it is told besides, of the stages that these deals name. Unknown ones are asked about soon."""
    named = {stage for entity, properties in told if (stage := stage_of(entity, properties)) is not None}
    known = deal_stages.remember(session, SOURCE, named) if named else {}
    return {stage: flags_of(standing) for stage, standing in known.items()}


def stage_of(entity: EntityRef, properties: Mapping[str, Any]) -> str | None:
    """The stage that a deal's properties name, where its source is the one whose stages need explaining."""
    if entity.source != SOURCE or entity.kind is not EntityKind.DEAL:
        return None
    stage = text_of(properties.get(STAGE))
    return stage if stage is not None and len(stage) <= LONGEST else None
