"""What sources tell a loop, and the facts and features that come of it."""

import json
from datetime import timedelta
from typing import Any

import polars as pl
from sqlmodel import select

from automation import knowledge
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from data.domain.event import Driver
from data.warehouse.facts import FactRow
from ml.features.build import build
from ml.features.facts import EXAMPLES
from tests.support import NOON

SECOND = timedelta(seconds=1)


def post(loop: Loop, source: str, *items: Any) -> None:
    collect(loop, source, json.dumps(items if source != "pipedrive" else items[0]).encode(), Driver.WORKER)


def hubspot(kind: str, number: int, *, at: int = 0, **change: Any) -> dict[str, Any]:
    """A webhook's item: a creation, or one changed property, so many seconds after NOON."""
    moment = int(NOON.timestamp() * 1000) + at * 1000
    item = {"eventId": 1, "portalId": 1, "objectId": number, "occurredAt": moment, "subscriptionType": f"{kind}.creation"}
    for name, value in change.items():
        item |= {"subscriptionType": f"{kind}.propertyChange", "propertyName": name, "propertyValue": value}
    return item


def rows(loop: Loop) -> list[FactRow]:
    with loop.database.read() as session:
        return list(session.exec(select(FactRow).order_by(FactRow.id)))  # type: ignore[arg-type]


def frame(loop: Loop) -> pl.DataFrame:
    with loop.database.read() as session:
        return knowledge.recall_all(session, loop.inputs())


def features(loop: Loop, *wanted: str, entity: int = 1, model: str = "lead_score") -> tuple[Any, ...]:
    example = pl.DataFrame([(entity, loop.clock.now())], schema=EXAMPLES, orient="row")
    return build(model, example, frame(loop), wanted=wanted).row(0)
