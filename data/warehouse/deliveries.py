"""Deliveries: the outbox. One row is one thing to be sent to one destination.

Three partial unique indexes carry the promises, on both databases:
one delivery per (prediction, destination), and per (destination, entity, kind) at most one that waits and
at most one that is out. A newer one takes the waiting one's place and waits behind the one that is out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Column, Index, Text, and_, func, or_, text, update
from sqlalchemy.orm import aliased
from sqlmodel import Field, Session, SQLModel, col, select

from data.db import insert_new
from data.domain.delivery import Carrier, DeliveryKind, DeliveryState, backoff
from data.errors import Conflict, NotFound
from data.warehouse.columns import RowId, instant, json_column
from data.warehouse.events import EventRow

UNIQUE = ("prediction_id", "destination")
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
    sent_by: str | None = None
    receipt: str | None = None  # the destination's own name for what it took, as Slack's ts
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    created_at: datetime = instant()
    confirmed_at: datetime | None = instant(nullable=True)


@dataclass(frozen=True)
class Draft:
    """A delivery before it has a place in the outbox."""

    destination: str
    kind: DeliveryKind
    content: dict[str, Any]
    carrier: Carrier
    due: datetime


def add(
    session: Session,
    draft: Draft,
    *,
    delivery_id: str,
    prediction_id: int,
    event_id: int,
    entity_id: int,
    occurred_at: datetime,
    now: datetime,
) -> bool:
    """Puts it in the outbox, in the place of an older one that still waits. A repeat changes nothing.

    The caller holds the entity's row, so no newer one can slip in between.
    """
    if _exists(session, prediction_id, draft.destination):
        return False
    _supersede_pending(session, draft.destination, entity_id, draft.kind)
    row = {
        "id": delivery_id,
        "prediction_id": prediction_id,
        "event_id": event_id,
        "entity_id": entity_id,
        "destination": draft.destination,
        "kind": draft.kind.value,
        "content": draft.content,
        "occurred_at": occurred_at,
        "state": DeliveryState.PENDING.value,
        "carrier": draft.carrier.value,
        "attempts": 0,
        "next_attempt_at": draft.due,
        "lost_leases": 0,
        "created_at": now,
    }
    return bool(insert_new(session, DeliveryRow, [row], UNIQUE))


def lease_for_n8n(
    session: Session,
    now: datetime,
    seconds: float,
    *,
    destination: str | None = None,
    prediction_ids: Iterable[int] | None = None,
    limit: int,
) -> tuple[str, list[DeliveryRow]]:
    """Hands n8n deliveries that wait for it; at most one to a (destination, entity, kind)."""
    query = _pending().where(DeliveryRow.carrier == Carrier.N8N, DeliveryRow.attempts == 0)
    if destination is not None:
        query = query.where(DeliveryRow.destination == destination)
    if prediction_ids is not None:
        query = query.where(col(DeliveryRow.prediction_id).in_(set(prediction_ids)))
    rows = session.exec(query.order_by(col(DeliveryRow.created_at)).limit(limit)).all()
    return _take(session, rows, Carrier.N8N, now, seconds)


def lease_for_worker(
    session: Session, destination: str, now: datetime, seconds: float, *, limit: int = 100
) -> tuple[str, list[DeliveryRow]]:
    """Takes what is due, and what another carrier took and was not heard of again."""
    _retire_lost_writes(session, destination, now)
    lost = and_(col(DeliveryRow.state) == DeliveryState.LEASED, col(DeliveryRow.lease_until) <= now)
    query = (
        select(DeliveryRow)
        .where(DeliveryRow.destination == destination, lost)
        .order_by(col(DeliveryRow.created_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(session.exec(query))
    for row in rows:
        row.lost_leases += 1
    due = _pending().where(DeliveryRow.destination == destination, DeliveryRow.next_attempt_at <= now)
    rows += session.exec(due.order_by(col(DeliveryRow.next_attempt_at)).limit(limit - len(rows))).all()
    return _take(session, rows, Carrier.WORKER, now, seconds)


def confirm(session: Session, delivery_id: str, lease_id: str, now: datetime, *, receipt: str | None = None) -> DeliveryRow:
    """The destination has it.

    Raises:
        NotFound: no such delivery.
        Conflict: the lease is foreign or has expired; the newest state of a CRM record goes out again.
    """
    row = _locked(session, delivery_id)
    if row.state == DeliveryState.CONFIRMED and row.lease_id == lease_id:
        return row
    _must_hold(session, row, lease_id, now)
    row.state, row.confirmed_at, row.receipt, row.error = DeliveryState.CONFIRMED, now, receipt, None
    session.add(row)
    session.flush()
    _let_the_next_one_go(session, row, now)
    return row


def fail(
    session: Session,
    delivery_id: str,
    lease_id: str,
    now: datetime,
    *,
    error: str,
    permanent: bool,
    max_attempts: int,
    retry_after_seconds: float | None = None,
) -> DeliveryRow:
    """The destination did not take it: tried again by the worker after a pause, or given up.

    Raises: as `confirm`.
    """
    row = _locked(session, delivery_id)
    if row.state in (DeliveryState.PENDING, DeliveryState.DEAD, DeliveryState.SUPERSEDED) and row.lease_id == lease_id:
        return row
    _must_hold(session, row, lease_id, now)
    row.attempts += 1
    row.error, row.carrier = error[:2000], Carrier.WORKER
    row.next_attempt_at = now + backoff(row.attempts, retry_after_seconds)
    if permanent or row.attempts >= max_attempts:
        row.state = DeliveryState.DEAD
    else:
        row.state = DeliveryState.SUPERSEDED if _waiting(session, row) else DeliveryState.PENDING
    session.add(row)
    session.flush()
    _let_the_next_one_go(session, row, now)
    return row


def hand_to_worker(session: Session, prediction_ids: Iterable[int], now: datetime) -> None:
    """What n8n was not given goes out by the worker at once."""
    session.execute(
        update(DeliveryRow)
        .where(col(DeliveryRow.prediction_id).in_(set(prediction_ids)), col(DeliveryRow.state) == DeliveryState.PENDING)
        .values(carrier=Carrier.WORKER.value, next_attempt_at=now)
    )


def revive(session: Session, delivery_id: str, now: datetime) -> bool:
    """Puts a dead delivery back into the outbox, unless a newer one has taken its place; False then."""
    row = _locked(session, delivery_id)
    if row.state != DeliveryState.DEAD or not _is_newest(session, row):
        return False
    row.state, row.attempts, row.next_attempt_at, row.error, row.carrier = DeliveryState.PENDING, 0, now, None, Carrier.WORKER
    session.add(row)
    session.flush()
    return True


def last_alert_at(session: Session, entity_id: int, destination: str) -> datetime | None:
    """When the event happened for which this entity was last alerted on (or is about to be)."""
    query = select(func.max(DeliveryRow.occurred_at)).where(
        DeliveryRow.entity_id == entity_id,
        DeliveryRow.destination == destination,
        DeliveryRow.kind == DeliveryKind.ALERT,
        col(DeliveryRow.state) != DeliveryState.SUPERSEDED,
    )
    return session.exec(query).one()


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


def _pending() -> Any:
    other = aliased(DeliveryRow)
    out = (
        select(other.id)
        .where(
            other.destination == DeliveryRow.destination,
            other.entity_id == DeliveryRow.entity_id,
            other.kind == DeliveryRow.kind,
            other.state == DeliveryState.LEASED,
        )
        .exists()
    )
    return select(DeliveryRow).where(DeliveryRow.state == DeliveryState.PENDING, ~out).with_for_update(skip_locked=True)


def _take(
    session: Session, rows: Sequence[DeliveryRow], carrier: Carrier, now: datetime, seconds: float
) -> tuple[str, list[DeliveryRow]]:
    lease_id = new_id()
    for row in rows:
        row.state, row.lease_id, row.lease_until = DeliveryState.LEASED, lease_id, now + timedelta(seconds=seconds)
        row.sent_by = carrier
        session.add(row)
    session.flush()
    return lease_id, list(rows)


def _locked(session: Session, delivery_id: str) -> DeliveryRow:
    query = select(DeliveryRow).where(DeliveryRow.id == delivery_id).with_for_update()
    row = session.exec(query).first()
    if row is None:
        raise NotFound(f"there is no delivery {delivery_id}")
    return row


def _must_hold(session: Session, row: DeliveryRow, lease_id: str, now: datetime) -> None:
    holds = row.state == DeliveryState.LEASED and row.lease_id == lease_id
    if holds and row.lease_until is not None and row.lease_until > now:
        return
    why = "has expired" if holds else "is not the one that holds it"
    raise LeaseLost(f"delivery {row.id}: this lease {why}", delivery_id=row.id)


class LeaseLost(Conflict):
    """The lease is not yours, has expired or is used up."""

    def __init__(self, detail: str, *, delivery_id: str) -> None:
        super().__init__(detail, field="lease_id")
        self.delivery_id = delivery_id


def send_newest_again(session: Session, delivery_id: str, now: datetime) -> None:
    """After a late answer from a lost lease nobody knows what the CRM record says: the newest state goes out again.

    Only for write-backs: they may be sent twice, an alert may not.
    """
    row = _locked(session, delivery_id)
    if row.kind != DeliveryKind.WRITE_BACK or row.state in (DeliveryState.PENDING, DeliveryState.LEASED):
        return
    query = (
        select(DeliveryRow).where(*_same_key(row)).order_by(col(DeliveryRow.occurred_at).desc(), col(DeliveryRow.event_id).desc())
    )
    newest = session.exec(query.limit(1).with_for_update()).one()
    if newest.state == DeliveryState.CONFIRMED and not _waiting(session, newest):
        newest.state, newest.next_attempt_at, newest.carrier = DeliveryState.PENDING, now, Carrier.WORKER
        newest.lease_id = None  # whoever confirmed it before has no say in this turn
        session.add(newest)
        session.flush()


def _same_key(row: DeliveryRow) -> tuple[Any, ...]:
    return (
        DeliveryRow.destination == row.destination,
        DeliveryRow.entity_id == row.entity_id,
        DeliveryRow.kind == row.kind,
    )


def _waiting(session: Session, row: DeliveryRow) -> bool:
    query = select(DeliveryRow.id).where(*_same_key(row), DeliveryRow.state == DeliveryState.PENDING)
    return session.exec(query).first() is not None


def _is_newest(session: Session, row: DeliveryRow) -> bool:
    later = or_(
        col(DeliveryRow.occurred_at) > row.occurred_at,
        and_(col(DeliveryRow.occurred_at) == row.occurred_at, col(DeliveryRow.event_id) > row.event_id),
    )
    return session.exec(select(DeliveryRow.id).where(*_same_key(row), later)).first() is None


def _let_the_next_one_go(session: Session, row: DeliveryRow, now: datetime) -> None:
    session.execute(
        update(DeliveryRow)
        .where(*_same_key(row), col(DeliveryRow.state) == DeliveryState.PENDING, col(DeliveryRow.attempts) == 0)
        .values(carrier=Carrier.WORKER.value, next_attempt_at=now)
    )


def _supersede_pending(session: Session, destination: str, entity_id: int, kind: DeliveryKind) -> None:
    session.execute(
        update(DeliveryRow)
        .where(
            col(DeliveryRow.destination) == destination,
            col(DeliveryRow.entity_id) == entity_id,
            col(DeliveryRow.kind) == kind.value,
            col(DeliveryRow.state) == DeliveryState.PENDING,
        )
        .values(state=DeliveryState.SUPERSEDED.value)
    )


def _retire_lost_writes(session: Session, destination: str, now: datetime) -> None:
    """A write that got lost while a newer one waits need not be sent: the newer one says it all."""
    newer = aliased(DeliveryRow)
    waits = (
        select(newer.id)
        .where(
            newer.destination == DeliveryRow.destination,
            newer.entity_id == DeliveryRow.entity_id,
            newer.kind == DeliveryRow.kind,
            newer.state == DeliveryState.PENDING,
        )
        .exists()
    )
    session.execute(
        update(DeliveryRow)
        .where(
            col(DeliveryRow.destination) == destination,
            col(DeliveryRow.kind) == DeliveryKind.WRITE_BACK.value,
            col(DeliveryRow.state) == DeliveryState.LEASED,
            col(DeliveryRow.lease_until) <= now,
            waits,
        )
        .values(state=DeliveryState.SUPERSEDED.value)
    )


def _exists(session: Session, prediction_id: int, destination: str) -> bool:
    query = select(DeliveryRow.id).where(DeliveryRow.prediction_id == prediction_id, DeliveryRow.destination == destination)
    return session.exec(query).first() is not None


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
