"""How carriers take deliveries. What becomes of them: `lease_ends`; what goes out once more: `resending`."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from data.domain.delivery import Carrier, DeliveryKind, DeliveryState
from data.errors import NotFound
from data.warehouse import entities
from data.warehouse.deliveries import DeliveryRow, new_id

# Messages go out one by one at about one a second: more than these in one lease would outlive it.
MOST_ALERTS_AT_ONCE = 20

Grant = Callable[[str, int], int]


def lease_for_n8n(
    session: Session,
    now: datetime,
    seconds: float,
    *,
    destination: str | None = None,
    prediction_ids: Iterable[int] | None = None,
    limit: int,
    grant: Grant | None = None,
) -> tuple[str, list[DeliveryRow]]:
    """Hands n8n deliveries that wait for it; at most one to a (destination, entity, kind).

    `grant`: how many of so many a destination may be given now.
    """
    query = _pending().where(DeliveryRow.carrier == Carrier.N8N, DeliveryRow.attempts == 0)
    if destination is not None:
        query = query.where(DeliveryRow.destination == destination)
    if prediction_ids is not None:
        query = query.where(col(DeliveryRow.prediction_id).in_(set(prediction_ids)))
    found = session.exec(query.order_by(col(DeliveryRow.created_at)).limit(limit)).all()
    alerts = [row for row in found if row.kind == DeliveryKind.ALERT][:MOST_ALERTS_AT_ONCE]
    writes = [row for row in found if row.kind != DeliveryKind.ALERT]
    return _take(session, _granted([*alerts, *writes], grant), Carrier.N8N, now, seconds)


def lease_for_worker(
    session: Session, destination: str, now: datetime, seconds: float, *, limit: int = 100
) -> tuple[str, list[DeliveryRow]]:
    """Takes what is due, and what another carrier took and was not heard of again."""
    taken_over = _lost(session, destination, now, limit)
    due = _pending().where(DeliveryRow.destination == destination, DeliveryRow.next_attempt_at <= now)
    rows = session.exec(due.order_by(col(DeliveryRow.next_attempt_at)).limit(limit - len(taken_over))).all()
    for row in taken_over:
        row.lost_leases += 1
    return _take(session, [*taken_over, *rows], Carrier.WORKER, now, seconds)


def locked(session: Session, delivery_id: str) -> DeliveryRow:
    """A delivery, with its entity's row locked before it.

    Raises: NotFound.
    """
    query = select(DeliveryRow).where(DeliveryRow.id == delivery_id)
    if (found := session.exec(query).first()) is not None:
        entities.lock(session, [found.entity_id])
        found = session.exec(query.with_for_update().execution_options(populate_existing=True)).first()
    if found is None:  # it never was, or whoever it is about was erased
        raise NotFound(f"there is no delivery {delivery_id}")
    return found


def same_key(row: DeliveryRow) -> tuple[Any, ...]:
    """Which deliveries are to the same destination, about the same entity, and of the same kind."""
    return (
        DeliveryRow.destination == row.destination,
        DeliveryRow.entity_id == row.entity_id,
        DeliveryRow.kind == row.kind,
    )


def waiting(session: Session, row: DeliveryRow) -> bool:
    """Whether another one of its key waits."""
    query = select(DeliveryRow.id).where(*same_key(row), DeliveryRow.state == DeliveryState.PENDING)
    return session.exec(query).first() is not None


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


def _granted(rows: Sequence[DeliveryRow], grant: Grant | None) -> list[DeliveryRow]:
    """The first ones of each destination, as many as are granted."""
    by_destination: dict[str, list[DeliveryRow]] = {}
    for row in rows:
        by_destination.setdefault(row.destination, []).append(row)
    if grant is None:
        return list(rows)
    # In one order, for a grant locks its destination's pace until the transaction ends.
    return [row for name in sorted(by_destination) for row in by_destination[name][: grant(name, len(by_destination[name]))]]


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


def _lost(session: Session, destination: str, now: datetime, limit: int) -> list[DeliveryRow]:
    """What was taken and not heard of again. A write of which a newer one waits need not be sent: the newer one says it all."""
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
    query = (
        select(DeliveryRow, waits)
        .where(
            DeliveryRow.destination == destination,
            DeliveryRow.state == DeliveryState.LEASED,
            col(DeliveryRow.lease_until) <= now,
        )
        .order_by(col(DeliveryRow.created_at))
        .limit(limit)
        # Who settles a batch holds some of these and will want others: nobody may wait for it with a row in hand.
        .with_for_update(skip_locked=True, of=DeliveryRow)
    )
    left = []
    for row, is_outdated in session.exec(query).all():
        if is_outdated and row.kind == DeliveryKind.WRITE_BACK:
            row.state = DeliveryState.SUPERSEDED
            session.add(row)
        else:
            left.append(row)
    return left
