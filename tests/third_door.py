"""The way of n8n up to the third door, and what is behind it."""

from typing import Any

import httpx

from automation.pipeline.context import Loop
from data.settings import Scope
from data.warehouse import predictions
from tests.support import bearer

READ = bearer(Scope.READ)


def scored(api: httpx.Client, *items: Any) -> list[dict[str, Any]]:
    """The way of n8n up to the third door."""
    found = api.post("/collect/generic?driver=n8n", json=list(items), headers=bearer(Scope.COLLECT)).json()["events"]
    ids = [row["event_id"] for row in found if row["models"]]
    entries: list[dict[str, Any]] = api.post("/predict/events", json={"event_ids": ids}, headers=bearer(Scope.SCORE)).json()[
        "scored"
    ]
    assert len(entries) == len(ids)
    return entries


def hand_in(api: httpx.Client, entries: list[Any]) -> dict[str, Any]:
    answer = api.post("/collect/predictions", json=entries, headers=bearer(Scope.PREDICTIONS))
    assert answer.status_code == 202
    found: dict[str, Any] = answer.json()
    return found


def letters(api: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/dead-letters", headers=READ).json()
    return found


def fields(loop: Loop) -> list[dict[str, Any]]:
    """The fields of every stored prediction, in order."""
    with loop.database.read() as session:
        return [row.fields for row in sorted(predictions.newest(session, 100), key=lambda row: row.id or 0)]
