"""What carriers do with deliveries: lease, confirm, fail. What goes out once more: `resending`.

A change takes the entity's row lock first, as the third door does when it adds a delivery, so that on PostgreSQL no
two transactions can both make the one delivery of a (destination, entity, kind) that waits.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from data.domain.delivery import Carrier, DeliveryKind, DeliveryState, backoff
from data.errors import Conflict, NotFound
from data.warehouse import entities
from data.warehouse.deliveries import DeliveryRow, new_id

# Messages go out one by one at about one a second: more than these in one lease would outlive it.
MOST_ALERTS_AT_ONCE = 20

Grant = Callable[[str, int], int]


class LeaseLost(Conflict):
    """The lease is not yours, has expired or is used up."""

    def __init__(self, detail: str, *, delivery_id: str) -> None:
        super().__init__(detail, field="lease_id")
        self.delivery_id = delivery_id


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
    _retire_lost_writes(session, destination, now)
    lost = and_(col(DeliveryRow.state) == DeliveryState.LEASED, col(DeliveryRow.lease_until) <= now)
    query = (
        select(DeliveryRow)
        .where(DeliveryRow.destination == destination, lost)
        .order_by(col(DeliveryRow.created_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken_over = session.exec(query).all()
    due = _pending().where(DeliveryRow.destination == destination, DeliveryRow.next_attempt_at <= now)
    rows = session.exec(due.order_by(col(DeliveryRow.next_attempt_at)).limit(limit - len(taken_over))).all()
    for row in taken_over:
        row.lost_leases += 1
    return _take(session, [*taken_over, *rows], Carrier.WORKER, now, seconds)


def confirm(session: Session, delivery_id: str, lease_id: str, now: datetime, *, receipt: str | None = None) -> DeliveryRow:
    """The destination has it.

    Raises:
        NotFound: no such delivery.
        Conflict: the lease is foreign or has expired; the newest state of a CRM record goes out again.
    """
    row = locked(session, delivery_id)
    if row.state == DeliveryState.CONFIRMED and row.lease_id == lease_id:
        return row
    _must_hold(row, lease_id, now)
    _confirm(session, [row], {row.id: receipt}, now)
    return row


def confirm_held(session: Session, receipts: Mapping[str, str | None], lease_id: str, now: datetime) -> set[str]:
    """Confirms a whole batch, as far as the lease still holds; returns which those are. The caller holds the entities' rows.

    Parameters:
        receipts: delivery id -> the destination's own name for it.
    """
    query = select(DeliveryRow).where(col(DeliveryRow.id).in_(receipts)).order_by(col(DeliveryRow.id)).with_for_update()
    rows = session.exec(query.execution_options(populate_existing=True)).all()
    held = [row for row in rows if _holds(row, lease_id, now)]
    _confirm(session, held, receipts, now)
    return {row.id for row in held}


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
    unsure: bool = False,
) -> DeliveryRow:
    """The destination did not take it: tried again by the worker after a pause, or given up.

    `unsure`: it may have arrived all the same.

    Raises: as `confirm`.
    """
    row = locked(session, delivery_id)
    if row.state in (DeliveryState.PENDING, DeliveryState.DEAD, DeliveryState.SUPERSEDED) and row.lease_id == lease_id:
        return row
    _must_hold(row, lease_id, now)
    row.attempts += 1
    row.lost_leases += unsure
    row.error, row.carrier = error[:2000], Carrier.WORKER
    row.next_attempt_at = now + backoff(row.attempts, retry_after_seconds)
    if permanent or row.attempts >= max_attempts:
        row.state = DeliveryState.DEAD
    else:
        _set_back(session, row)
    session.add(row)
    session.flush()
    _let_the_next_ones_go(session, [row], now)
    return row


def put_back(session: Session, delivery_id: str, lease_id: str, now: datetime, *, seconds: float) -> DeliveryRow:
    """It was not even tried, for its destination may not be called now: it waits without an attempt being counted.

    Raises: as `confirm`.
    """
    row = locked(session, delivery_id)
    if row.state in (DeliveryState.PENDING, DeliveryState.SUPERSEDED) and row.lease_id == lease_id:
        return row
    _must_hold(row, lease_id, now)
    row.carrier, row.next_attempt_at = Carrier.WORKER, now + timedelta(seconds=seconds)
    _set_back(session, row)
    session.add(row)
    session.flush()
    _let_the_next_ones_go(session, [row], now)
    return row


def let_go(session: Session, delivery_id: str, lease_id: str, now: datetime) -> DeliveryRow:
    """It was withdrawn, and not found at its destination.

    Raises: as `confirm`.
    """
    row = locked(session, delivery_id)
    if row.state == DeliveryState.SUPERSEDED and row.lease_id == lease_id:
        return row
    _must_hold(row, lease_id, now)
    row.state, row.error = DeliveryState.SUPERSEDED, None
    session.add(row)
    session.flush()
    _let_the_next_ones_go(session, [row], now)
    return row


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


def _must_hold(row: DeliveryRow, lease_id: str, now: datetime) -> None:
    if _holds(row, lease_id, now):
        return
    was_mine = row.state == DeliveryState.LEASED and row.lease_id == lease_id
    why = "has expired" if was_mine else "is not the one that holds it"
    raise LeaseLost(f"delivery {row.id}: this lease {why}", delivery_id=row.id)


def _set_back(session: Session, row: DeliveryRow) -> None:
    """It waits again, or gives way to a newer one that waits, as that would have replaced it before it was out."""
    if not waiting(session, row):
        row.state = DeliveryState.PENDING
    elif row.kind == DeliveryKind.ALERT and row.lost_leases:  # the newer one waits until it was looked for
        row.withdrawn, row.lease_id, row.lease_until = True, None, row.next_attempt_at
    else:
        row.state = DeliveryState.SUPERSEDED


def _holds(row: DeliveryRow, lease_id: str, now: datetime) -> bool:
    is_mine = row.state == DeliveryState.LEASED and row.lease_id == lease_id
    return is_mine and row.lease_until is not None and row.lease_until > now


def _confirm(session: Session, rows: Sequence[DeliveryRow], receipts: Mapping[str, str | None], now: datetime) -> None:
    for row in rows:
        row.state, row.confirmed_at, row.receipt, row.error = DeliveryState.CONFIRMED, now, receipts[row.id], None
        session.add(row)
    session.flush()
    _let_the_next_ones_go(session, rows, now)


def _let_the_next_ones_go(session: Session, rows: Iterable[DeliveryRow], now: datetime) -> None:
    """Those that waited behind these are due."""
    keys: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        keys.setdefault((row.destination, row.kind), set()).add(row.entity_id)
    for (destination, kind), entity_ids in keys.items():
        behind = (
            col(DeliveryRow.destination) == destination,
            col(DeliveryRow.entity_id).in_(entity_ids),
            col(DeliveryRow.kind) == kind,
            col(DeliveryRow.state) == DeliveryState.PENDING,
            col(DeliveryRow.attempts) == 0,
        )
        session.execute(update(DeliveryRow).where(*behind).values(carrier=Carrier.WORKER.value, next_attempt_at=now))


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
    lost = (
        select(DeliveryRow.id)
        .where(
            col(DeliveryRow.destination) == destination,
            col(DeliveryRow.kind) == DeliveryKind.WRITE_BACK.value,
            col(DeliveryRow.state) == DeliveryState.LEASED,
            col(DeliveryRow.lease_until) <= now,
            waits,
        )
        # Who settles a batch holds some of these and will want others: nobody may wait for it with a row in hand.
        .with_for_update(skip_locked=True)
    )
    if found := session.exec(lost).all():
        session.execute(update(DeliveryRow).where(col(DeliveryRow.id).in_(found)).values(state=DeliveryState.SUPERSEDED.value))
