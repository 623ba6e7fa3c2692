"""What the first page shows: the newest of everything, counts and latencies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automation.knowledge import known
from automation.pipeline.context import Loop
from data.domain.entity import EntityRef, Known
from data.warehouse import dead_letters, deliveries, entities, events, predictions
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.predictions import PredictionRow

ROWS = 25
LATENCY_SAMPLE = 500


@dataclass(frozen=True)
class Latency:
    """Seconds from an event's arrival to the destination's confirmation."""

    destination: str
    count: int
    p50_seconds: float
    p95_seconds: float


@dataclass(frozen=True)
class Overview:
    events: Sequence[EventRow]
    predictions: Sequence[PredictionRow]
    deliveries: Sequence[DeliveryRow]
    dead_letters: Sequence[DeadLetter]
    entities: dict[int, EntityRow]
    known: dict[int, Known]
    counts: dict[str, dict[str, int]]
    open_dead_letters: int
    latencies: list[Latency]
    models: list[dict[str, Any]]

    def who(self, entity_id: int) -> str:
        """A name for an entity, as people would say it."""
        values = self.known[entity_id].values
        name = " ".join(str(values[part]) for part in ("firstname", "lastname") if values.get(part))
        return name or str(values.get("name") or values.get("email") or _plain(self.entities[entity_id].ref))


def overview(loop: Loop) -> Overview:
    """Everything that the first page shows, read in one go."""
    with loop.database.read() as session:
        newest_events = events.newest(session, ROWS)
        newest_predictions = predictions.newest(session, ROWS)
        newest_deliveries = deliveries.listed(session, limit=ROWS)
        wanted = [row.entity_id for rows in (newest_events, newest_predictions, newest_deliveries) for row in rows]
        rows = entities.by_ids(session, wanted)
        return Overview(
            # Without those who are erased between one look and the next.
            events=[row for row in newest_events if row.entity_id in rows],
            predictions=[row for row in newest_predictions if row.entity_id in rows],
            deliveries=[row for row in newest_deliveries if row.entity_id in rows],
            dead_letters=dead_letters.listed(session, limit=ROWS),
            entities=rows,
            known=known(session, rows.values()),
            counts={"events": events.counts(session), "deliveries": deliveries.counts(session)},
            open_dead_letters=dead_letters.open_count(session),
            latencies=_latencies(deliveries.latencies(session, LATENCY_SAMPLE)),
            models=[
                {"model": name, "version": served.card.version, "threshold": served.threshold, **served.card.metrics}
                for name, served in loop.predictor.served().items()
            ],
        )


def _latencies(rows: Sequence[tuple[str, float]]) -> list[Latency]:
    found = []
    for destination in sorted({name for name, _ in rows}):
        seconds = np.array([value for name, value in rows if name == destination])
        p50, p95 = np.quantile(seconds, [0.5, 0.95])
        found.append(Latency(destination, len(seconds), float(p50), float(p95)))
    return found


def _plain(ref: EntityRef) -> str:
    return f"{ref.kind} {ref.id}"
