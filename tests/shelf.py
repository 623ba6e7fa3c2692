"""Rows of every table as they may be after a time, for what is let go of and what is not."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlmodel import Session, SQLModel

from automation.pipeline.context import Loop
from data.domain.delivery import DeliveryKind, DeliveryState
from data.domain.event import EventState
from data.domain.stage import Stage
from data.warehouse.dead_letters import DeadLetter, DeadLetterState
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow
from data.warehouse.payloads import Payload, PayloadState
from data.warehouse.predictions import PredictionRow

Row = TypeVar("Row", bound=SQLModel)


@dataclass
class Shelf:
    """Puts rows into the tables, in one transaction and as of one moment."""

    session: Session
    now: datetime
    count: int = 0

    def put(self, row: SQLModel) -> Any:
        self.session.add(row)
        self.session.flush()
        return row.id  # type: ignore[attr-defined]

    def entity(self, kind: str = "contact") -> int:
        return int(self.put(EntityRow(source="generic", kind=kind, vendor_id=self._name(), created_at=self.now)))

    def payload(self, state: str = PayloadState.PARSED) -> int:
        body = b"" if state == PayloadState.PRUNED else b"[]"
        return int(self.put(Payload(source="generic", driver="worker", body=body, received_at=self.now, state=state)))

    def event(self, entity: int | None = None, state: str = EventState.DONE, **facts: str) -> int:
        """An event with its facts; of its payload the bytes went before."""
        entity = entity or self.entity()
        event = self.put(
            EventRow(
                source="generic", dedupe_key=self._name(), type="contact.changed", entity_id=entity, next_attempt_at=self.now,
                payload_id=self.payload(PayloadState.PRUNED), occurred_at=self.now, received_at=self.now, state=state,
            )
        )  # fmt: skip
        for name, value in facts.items():
            self.fact(entity, name, value, event)
        return int(event)

    def fact(self, entity: int, name: str, value: str | None, event: int | None = None, **more: Any) -> int:
        self.count += 1
        at = self.now + timedelta(microseconds=self.count)  # one after the other
        origin = "lookup" if event is None else "event"
        told = FactRow(
            entity_id=entity, event_id=event, name=name, value=value, occurred_at=at, known_at=at, origin=origin, **more
        )  # fmt: skip
        return int(self.put(told))

    def prediction(self, entity: int, event: int | None = None, **more: Any) -> int:
        event = event or self.event(entity)
        said = PredictionRow(
            event_id=event, entity_id=entity, model="lead_score", model_version="1", score=0.5, label="high", grade="B",
            threshold=0.5, base_value=0.0, occurred_at=self.now, created_at=self.now, **more,
        )  # fmt: skip
        return int(self.put(said))

    def delivery(self, entity: int, state: str = DeliveryState.CONFIRMED, kind: str = DeliveryKind.WRITE_BACK, **more: Any) -> str:
        """A delivery with an event and a prediction of its own, or of another one's."""
        prediction = more.pop("prediction_id", None) or self.prediction(entity)
        event = self.the(PredictionRow, prediction).event_id
        row = DeliveryRow(
            id=self._name(), prediction_id=prediction, event_id=event, entity_id=entity, destination="slack", kind=kind,
            occurred_at=self.now, state=state, carrier="worker", next_attempt_at=self.now, created_at=self.now, **more,
        )  # fmt: skip
        return str(self.put(row))

    def letter(self, state: str = DeadLetterState.OPEN, **more: Any) -> int:
        over = None if state == DeadLetterState.OPEN else self.now
        letter = DeadLetter(
            source="generic", stage=Stage.PARSE, reason="gone", state=state, created_at=self.now, replayed_at=over, **more
        )
        return int(self.put(letter))

    def the(self, table: type[Row], number: Any) -> Row:
        return self.session.get_one(table, number)

    def _name(self) -> str:
        self.count += 1
        return f"number {self.count}"


def stored(loop: Loop, *makers: Callable[[Shelf], Any]) -> list[Any]:
    """Puts all of this into the tables; what each of them tells."""
    with loop.database.write() as session:
        shelf = Shelf(session, loop.clock.now())
        return [make(shelf) for make in makers]
