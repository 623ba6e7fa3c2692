"""Deliveries: the outbox. One row is one thing to be sent to one destination. What carriers do with it: `leases`.

Three partial unique indexes carry the promises, on both databases:
one delivery per (prediction, destination), and per (destination, entity, kind) at most one that waits and
at most one that is out. A newer one takes the waiting one's place and waits behind the one that is out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Column, Index, Text, and_, false, func, text, update
from sqlalchemy.orm import aliased
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.domain.delivery import Carrier, DeliveryKind, DeliveryState
from data.warehouse.columns import RowId, instant, json_column
from data.warehouse.events import EventRow

UNIQUE = ("prediction_id", "destination", "kind")
KEY = ("destination", "entity_id", "kind")


class DeliveryRow(SQLModel, table=True):
    __tablename__ = "deliveries"
    __table_args__ = (
        Index("uq_deliveries", *UNIQUE, unique=True),
        *(
            Index(
                f"uq_deliveries_{state}",
                *KEY,
                unique=True,
                sqlite_where=text(f"state = '{state}'"),
                postgresql_where=text(f"state = '{state}'"),
            )
            for state in ("pending", "leased")
        ),
        Index("ix_deliveries_due", "state", "next_attempt_at"),
        Index("ix_deliveries_receipt", "receipt"),
        Index("ix_deliveries_key", *KEY, "occurred_at"),
    )

    id: str = Field(primary_key=True)
    prediction_id: int = Field(sa_type=RowId, foreign_key="predictions.id")
    event_id: int = Field(sa_type=RowId, foreign_key="events.id", index=True)
    entity_id: int = Field(sa_type=RowId, foreign_key="entities.id")
    destination: str
    kind: str
    content: dict[str, Any] = json_column()
    occurred_at: datetime = instant()
    state: str = DeliveryState.PENDING
    carrier: str
    attempts: int = 0
    next_attempt_at: datetime = instant()
    lease_id: str | None = None
    lease_until: datetime | None = instant(nullable=True)
    lost_leases: int = 0
    """How often a carrier took it and was not heard of again: before an alert is sent after that, it is looked for."""
    withdrawn: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """What it is about is gone: where it may have been sent it is looked for, but it is not sent any more."""
    sent_by: str | None = None
    receipt: str | None = None  # the destination's own name for what it took, as Slack's ts
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    created_at: datetime = instant()
    confirmed_at: datetime | None = instant(nullable=True)


@dataclass(frozen=True)
class Draft:
    """A delivery before it has a place in the outbox."""

    id: str
    prediction_id: int
    event_id: int
    entity_id: int
    occurred_at: datetime
    destination: str
    kind: DeliveryKind
    content: dict[str, Any]
    carrier: Carrier
    due: datetime


def add(session: Session, drafts: Sequence[Draft], now: datetime) -> None:
    """Puts them in the outbox, each in the place of an older one that still waits. A repeat changes nothing.

    No two are of one (destination, entity, kind). The caller holds the entities' rows, so no newer one can slip in between.
    """
    there = _those_of(session, {draft.prediction_id for draft in drafts})
    new = [draft for draft in drafts if (draft.prediction_id, draft.destination, draft.kind) not in there]
    places: dict[tuple[str, DeliveryKind], set[int]] = {}
    for draft in new:
        places.setdefault((draft.destination, draft.kind), set()).add(draft.entity_id)
    for (destination, kind), entity_ids in places.items():
        _supersede_pending(session, destination, entity_ids, kind)
    insert_new(session, DeliveryRow, [_values(draft, now) for draft in new], UNIQUE)


def withdraw(session: Session, entity_id: int) -> None:
    """Takes back what waits for an entity that is no longer there. An alert that is out, or that may have been posted, is known
    by its message from then on if there is one; posted it is not any more.
    """
    mine, is_alert = col(DeliveryRow.entity_id) == entity_id, col(DeliveryRow.kind) == DeliveryKind.ALERT
    is_out = col(DeliveryRow.state).in_((DeliveryState.PENDING.value, DeliveryState.LEASED.value))
    session.execute(update(DeliveryRow).where(mine, is_alert, is_out).values(withdrawn=True))
    session.execute(
        update(DeliveryRow)
        .where(mine, col(DeliveryRow.state) == DeliveryState.PENDING, ~and_(is_alert, col(DeliveryRow.lost_leases) > 0))
        .values(state=DeliveryState.SUPERSEDED.value)
    )


def hand_to_worker(session: Session, prediction_ids: Iterable[int], now: datetime) -> None:
    """What n8n was not given goes out by the worker at once."""
    session.execute(
        update(DeliveryRow)
        .where(col(DeliveryRow.prediction_id).in_(set(prediction_ids)), col(DeliveryRow.state) == DeliveryState.PENDING)
        .values(carrier=Carrier.WORKER.value, next_attempt_at=now)
    )


def came_to_nothing(session: Session, entity_id: int, destination: str, kind: DeliveryKind) -> bool:
    """Whether the last delivery of a kind was given up, or taken back."""
    row = DeliveryRow
    query = select(row.state).where(row.entity_id == entity_id, row.destination == destination, row.kind == kind.value)
    last = session.exec(query.order_by(col(row.occurred_at).desc(), col(row.created_at).desc()).limit(1)).first()
    return last in (DeliveryState.DEAD, DeliveryState.SUPERSEDED)


def last_alert_at(session: Session, entity_ids: Iterable[int], destination: str) -> datetime | None:
    """When the event happened for which one of these was last alerted on (or is about to be)."""
    query = select(func.max(DeliveryRow.occurred_at)).where(
        col(DeliveryRow.entity_id).in_(set(entity_ids)),
        DeliveryRow.destination == destination,
        DeliveryRow.kind == DeliveryKind.ALERT,
        col(DeliveryRow.state).not_in([DeliveryState.SUPERSEDED, DeliveryState.DEAD]),
    )
    return session.exec(query).one()


def last_alert(session: Session, entity_ids: Iterable[int], destination: str) -> DeliveryRow | None:
    """The last alert on one of these that was sent, is out, or waits."""
    query = (
        select(DeliveryRow)
        .where(
            col(DeliveryRow.entity_id).in_(set(entity_ids)),
            DeliveryRow.destination == destination,
            DeliveryRow.kind == DeliveryKind.ALERT,
            col(DeliveryRow.state).not_in([DeliveryState.SUPERSEDED, DeliveryState.DEAD]),
        )
        .order_by(col(DeliveryRow.occurred_at).desc())
        .limit(1)
    )
    return session.exec(query).first()


def of_message(session: Session, destination: str, receipt: str) -> list[DeliveryRow]:
    """The alerts that went out as one message, in the order in which they stand in it."""
    query = select(DeliveryRow).where(
        DeliveryRow.destination == destination, DeliveryRow.receipt == receipt, DeliveryRow.kind == DeliveryKind.ALERT
    )
    return list(session.exec(query.order_by(col(DeliveryRow.created_at), col(DeliveryRow.id))))


def endings_of(session: Session, prediction_ids: Iterable[int], destination: str) -> list[DeliveryRow]:
    """How those ended whom these predictions' alerts are about, as far as anybody has said."""
    query = select(DeliveryRow).where(
        col(DeliveryRow.prediction_id).in_(set(prediction_ids)),
        DeliveryRow.destination == destination,
        DeliveryRow.kind == DeliveryKind.ENDING,
    )
    return list(session.exec(query))


def endings_about(session: Session, entity_ids: Iterable[int], destination: str) -> list[DeliveryRow]:
    """How these have ended, in the messages of all their alerts; the last one first."""
    query = select(DeliveryRow).where(
        col(DeliveryRow.entity_id).in_(set(entity_ids)),
        DeliveryRow.destination == destination,
        DeliveryRow.kind == DeliveryKind.ENDING,
    )
    return list(session.exec(query.order_by(col(DeliveryRow.occurred_at).desc(), col(DeliveryRow.id))))


def is_being_changed(session: Session, destination: str, receipt: str, now: datetime) -> bool:
    """Whether somebody may be writing into this message at this moment how one of those in it ended."""
    told = endings_of(session, [alert.prediction_id for alert in of_message(session, destination, receipt)], destination)
    return any(row.state == DeliveryState.LEASED and row.lease_until is not None and row.lease_until > now for row in told)


def get(session: Session, delivery_id: str) -> DeliveryRow | None:
    return session.get(DeliveryRow, delivery_id, populate_existing=True)


def listed(
    session: Session, *, state: str | None = None, destination: str | None = None, limit: int = 100
) -> Sequence[DeliveryRow]:
    query = select(DeliveryRow).order_by(col(DeliveryRow.created_at).desc(), col(DeliveryRow.id)).limit(limit)
    if state is not None:
        query = query.where(DeliveryRow.state == state)
    if destination is not None:
        query = query.where(DeliveryRow.destination == destination)
    return session.exec(query).all()


def counts(session: Session) -> dict[str, int]:
    query = select(DeliveryRow.state, func.count()).group_by(DeliveryRow.state)
    return dict(session.exec(query).all())


def new_id() -> str:
    return str(uuid4())


def _values(draft: Draft, now: datetime) -> dict[str, Any]:
    return {
        "id": draft.id,
        "prediction_id": draft.prediction_id,
        "event_id": draft.event_id,
        "entity_id": draft.entity_id,
        "destination": draft.destination,
        "kind": draft.kind.value,
        "content": draft.content,
        "occurred_at": draft.occurred_at,
        "state": DeliveryState.PENDING.value,
        "carrier": draft.carrier.value,
        "attempts": 0,
        "next_attempt_at": draft.due,
        "lost_leases": 0,
        "created_at": now,
    }


def _supersede_pending(session: Session, destination: str, entity_ids: set[int], kind: DeliveryKind) -> None:
    """What waits gives way. An alert that may have been posted is only looked for any more: as one that is out, and whose carrier
    was not heard of again, so that the new one waits behind it.
    """
    other = aliased(DeliveryRow)
    waits = (
        col(DeliveryRow.destination) == destination,
        col(DeliveryRow.entity_id).in_(entity_ids),
        col(DeliveryRow.kind) == kind.value,
        col(DeliveryRow.state) == DeliveryState.PENDING,
    )
    out = select(other.id).where(
        other.destination == destination,
        other.entity_id == DeliveryRow.entity_id,
        other.kind == kind.value,
        other.state == DeliveryState.LEASED,
    )
    if kind is DeliveryKind.ALERT:
        looked_for = {"state": DeliveryState.LEASED.value, "withdrawn": True, "lease_id": None}
        session.execute(
            update(DeliveryRow)
            .where(*waits, col(DeliveryRow.lost_leases) > 0, ~out.exists())
            .values(**looked_for, lease_until=DeliveryRow.next_attempt_at)
        )
    session.execute(update(DeliveryRow).where(*waits).values(state=DeliveryState.SUPERSEDED.value))


def _those_of(session: Session, prediction_ids: set[int]) -> set[tuple[int, str, str]]:
    """(prediction, destination, kind) of the deliveries that these predictions have."""
    row = DeliveryRow
    query = select(row.prediction_id, row.destination, row.kind).where(col(row.prediction_id).in_(prediction_ids))
    return set(session.exec(query))


def latencies(session: Session, limit: int) -> list[tuple[str, float]]:
    """(destination, seconds from the event's arrival to the confirmation) of the newest confirmed deliveries."""
    query = (
        select(DeliveryRow.destination, EventRow.received_at, DeliveryRow.confirmed_at)
        .join(EventRow, col(EventRow.id) == DeliveryRow.event_id)
        .where(DeliveryRow.state == DeliveryState.CONFIRMED)
        .order_by(col(DeliveryRow.confirmed_at).desc())
        .limit(limit)
    )
    return [(name, (done - came).total_seconds()) for name, came, done in session.exec(query) if done is not None]
