"""How leases of deliveries end: confirmed, failed, put back, let go. How they begin: `leases`.

A change takes the entity's row lock first, as the third door does when it adds a delivery, so that on PostgreSQL no
two transactions can both make the one delivery of a (destination, entity, kind) that waits.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col, select

from data.domain.delivery import Carrier, DeliveryKind, DeliveryState, backoff
from data.errors import Conflict
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.leases import locked, waiting


class LeaseLost(Conflict):
    """The lease is not yours, has expired or is used up."""

    def __init__(self, detail: str, *, delivery_id: str) -> None:
        super().__init__(detail, field="lease_id")
        self.delivery_id = delivery_id


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


def _must_hold(row: DeliveryRow, lease_id: str, now: datetime) -> None:
    if _holds(row, lease_id, now):
        return
    was_mine = row.state == DeliveryState.LEASED and row.lease_id == lease_id
    why = "has expired" if was_mine else "is not the one that holds it"
    raise LeaseLost(f"delivery {row.id}: this lease {why}", delivery_id=row.id)


def _holds(row: DeliveryRow, lease_id: str, now: datetime) -> bool:
    is_mine = row.state == DeliveryState.LEASED and row.lease_id == lease_id
    return is_mine and row.lease_until is not None and row.lease_until > now


def _confirm(session: Session, rows: Sequence[DeliveryRow], receipts: Mapping[str, str | None], now: datetime) -> None:
    for row in rows:
        row.state, row.confirmed_at, row.receipt, row.error = DeliveryState.CONFIRMED, now, receipts[row.id], None
        session.add(row)
    session.flush()
    _let_the_next_ones_go(session, rows, now)


def _set_back(session: Session, row: DeliveryRow) -> None:
    """It waits again, or gives way to a newer one that waits, as that would have replaced it before it was out."""
    if not waiting(session, row):
        row.state = DeliveryState.PENDING
    elif row.kind == DeliveryKind.ALERT and row.lost_leases:  # the newer one waits until it was looked for
        row.withdrawn, row.lease_id, row.lease_until = True, None, row.next_attempt_at
    else:
        row.state = DeliveryState.SUPERSEDED


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
