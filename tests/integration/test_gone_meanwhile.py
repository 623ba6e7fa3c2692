"""What becomes of a record while it is read, and between the doors."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.collect_predictions import collect_predictions
from automation.pipeline.context import Loop
from automation.pipeline.prediction_entries import Entry
from automation.pipeline.run import predict_events
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.event import Driver
from data.warehouse.predictions import PredictionRow
from tests.conftest import LoopFactory
from tests.integration.test_out_of_order import Teller, row, states
from tests.support import HOT, NOON, FakeClock, generic


@pytest.fixture
def tell() -> Teller:
    return Teller()


class Gone:
    """Tells of what becomes of a record while it is being read."""

    def __init__(self, loop: Loop, clock: FakeClock, *types: str) -> None:
        self._loop, self._clock, self._types = loop, clock, list(types)

    def __call__(self, _vendor: str, path: str) -> int | None:
        if self._types and "batch/read" in path:
            told, self._types = self._types, []
            self._clock.move(seconds=1)
            for second, name in enumerate(told, 1):
                hubspot(self._loop, name, second)
        return None


def hubspot(loop: Loop, name: str, second: int, **more: Any) -> None:
    at = int((NOON + timedelta(seconds=second)).timestamp() * 1000)
    told = {"eventId": second, "portalId": 1, "objectId": 1, "occurredAt": at, "subscriptionType": name, **more}
    collect(loop, "hubspot", json.dumps([told]).encode(), Driver.WORKER)


@pytest.mark.parametrize("came_back", [False, True])
def test_what_goes_while_it_is_read_is_not_scored_by_what_was_read(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock, came_back: bool
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "1", {"email": "ada@example.com", "hs_analytics_num_visits": "7"})
    hubspot(loop, "contact.creation", 0)
    collect(loop, "generic", json.dumps([generic(**HOT)]).encode(), Driver.WORKER)  # scored in the same batch
    clock.move(seconds=10)
    sandbox.fault = Gone(loop, clock, "contact.deletion", *(["contact.restore"] if came_back else []))
    worker.sweep_inbox(loop)
    found = row(loop, "1", source="hubspot")
    assert (found.looked_up_at is None, found.is_deleted) == (not came_back, not came_back)
    with loop.database.read() as session:
        scores = session.exec(select(PredictionRow).where(PredictionRow.entity_id == found.id)).all()
    assert [score.features.get("sessions") for score in scores] == ([7.0] if came_back else [])


def test_what_goes_between_the_doors_alerts_nobody(
    make_loop: LoopFactory, clock: FakeClock, tell: Teller, addresses: Addresses
) -> None:
    loop = make_loop(addresses)
    collect(loop, "generic", json.dumps([tell("contact.changed", "eve", 1, **HOT)]).encode(), Driver.N8N)
    (answer,) = predict_events(loop, [1])
    collect(loop, "generic", json.dumps([tell("contact.deleted", "eve", 2)]).encode(), Driver.WORKER)
    assert collect_predictions(loop, [Entry(1, tuple(answer.predictions))], Driver.N8N).accepted == 1
    assert states(loop) == []
