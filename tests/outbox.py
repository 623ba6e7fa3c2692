"""A contact of HubSpot's stand-in through the doors as n8n drives them, and what becomes of its deliveries."""

import json
from datetime import timedelta
from typing import Any

import httpx

from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sandbox.state import Sandbox
from data.domain.event import Driver
from data.settings import Scope
from tests.support import NOON, bearer


def contact(sandbox: Sandbox, number: str = "1", **properties: Any) -> None:
    theirs = {"sessions": "hs_analytics_num_visits", "page_views": "hs_analytics_num_page_views", "channel": "hs_analytics_source"}
    values = {theirs.get(name, name): str(value) for name, value in properties.items()}
    sandbox.put("hubspot", "contacts", number, {"email": f"lead{number}@example.com", **values})


def score(api: httpx.Client, loop: Loop, number: str = "1", *, at_seconds: int = 0, driver: str = "n8n") -> dict[str, Any]:
    """One event about a contact, through the doors as n8n drives them; the third door's answer."""
    moment = int((NOON + timedelta(seconds=at_seconds)).timestamp() * 1000)
    event = {
        "eventId": at_seconds,
        "portalId": 1,
        "objectId": int(number),
        "occurredAt": moment,
        "subscriptionType": "contact.creation",
    }
    body = json.dumps([event])
    (taken,) = collect(loop, "hubspot", body.encode(), Driver(driver)).events
    if driver == "worker":
        worker.sweep_inbox(loop)
        return {}
    scored = api.post("/predict/events", json={"event_ids": [taken.event_id]}, headers=bearer(Scope.SCORE)).json()["scored"]
    answer: dict[str, Any] = api.post("/collect/predictions", json=scored, headers=bearer(Scope.PREDICTIONS)).json()
    return answer


def by_destination(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["destination"]: row for row in answer["deliveries"]}


def settle(api: httpx.Client, row: dict[str, Any], verb: str = "confirm", **more: Any) -> httpx.Response:
    body = {"lease_id": row["lease_id"], **more}
    return api.post(f"/deliveries/{row['delivery_id']}/{verb}", json=body, headers=bearer(Scope.ACTIVATE))


def states(api: httpx.Client, destination: str) -> list[str]:
    return [row["state"] for row in api.get(f"/deliveries?destination={destination}", headers=bearer(Scope.READ)).json()]
