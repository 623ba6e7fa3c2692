"""What is told to a loop that looks things up, and what is there after that."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from automation import knowledge
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.state import Sandbox
from data import log
from data.domain.event import Driver
from data.warehouse.enrichment_tries import EnrichmentTry
from data.warehouse.facts import FactRow
from ml.features.build import build
from ml.features.facts import EXAMPLES
from tests.support import HOT, NOON, generic

STEEL = "steel.example"
INDUSTRY, OF_CONTACT = "profile:industry", "company_profile:industry"


def post(loop: Loop, *items: Any, source: str = "generic") -> None:
    assert not collect(loop, source, json.dumps(items).encode(), Driver.WORKER).rejected


def lead(name: str = "ada", *, domain: str = STEEL, loop: Loop | None = None, **more: Any) -> dict[str, Any]:
    at = loop.clock.now() if loop is not None else NOON
    return generic(name, at=at, email=f"{name}@{domain}", **{**HOT, **more})


def asked(sandbox: Sandbox, vendor: str = "hunter") -> list[str]:
    return [request.path.partition("domain=")[2] for request in sandbox.requests if request.vendor == vendor]


def rows(loop: Loop, table: Any) -> list[Any]:
    with loop.database.read() as session:
        return list(session.exec(select(table).order_by(*table.__table__.primary_key)))


def told(loop: Loop, name: str) -> list[tuple[int, str | None]]:
    return [(row.entity_id, row.value) for row in rows(loop, FactRow) if row.name == name]


@contextmanager
def logging() -> Iterator[None]:
    log.configure(json=True, level="WARNING")
    yield
    log.configure(json=True, level="CRITICAL")


def logged(capsys: pytest.CaptureFixture[str], event: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    return [line for line in lines if line["event"] == event]


def feature(loop: Loop, name: str, *, entity: int = 1, at: Any = None) -> Any:
    with loop.database.read() as session:
        frame = knowledge.recall(session, [entity], (), related=True)
    example = pl.DataFrame([(entity, at or loop.clock.now())], schema=EXAMPLES, orient="row")
    return build("lead_score", example, frame, wanted=[name]).item()


def hubspot(number: int, kind: str = "propertyChange", *, second: int = 0) -> dict[str, Any]:
    change = {"propertyName": "hs_analytics_num_visits", "propertyValue": "7"} if kind == "propertyChange" else {}
    return {
        "eventId": 1, "portalId": 1, "objectId": number, "occurredAt": int(NOON.timestamp() + second) * 1000,
        "subscriptionType": f"contact.{kind}", **change,
    }  # fmt: skip


def reads(sandbox: Sandbox) -> int:
    return sum(request.path.endswith("batch/read") for request in sandbox.requests)


def put_try(session: Session, name: str) -> None:
    session.execute(
        text("INSERT INTO entities (id, source, kind, vendor_id, created_at) VALUES (1, 'generic', 'contact', 'ada', '2026-03-02')")
    )
    row = {"entity_id": 1, "enrichment": name, "attempts": 0, "next_attempt_at": NOON, "reason": "it was down", "created_at": NOON}
    session.add(EnrichmentTry(**row))
