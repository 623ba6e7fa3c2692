"""Deliveries that go out once more: after a late answer, after they were given up, and after the database was put back."""

from datetime import datetime

from sqlalchemy import and_, or_, update
from sqlmodel import Session, col, select

from data.domain.delivery import Carrier, DeliveryKind, DeliveryState
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.leases import locked, same_key, waiting


def send_newest_again(session: Session, delivery_id: str, now: datetime) -> None:
    """After a late answer from a lost lease nobody knows what the CRM record says: the newest state goes out again.

    Also when it is out at this very moment, for it may have landed before the late one: its lease is revoked. Only for
    write-backs: they may be sent twice, an alert may not.
    """
    row = locked(session, delivery_id)
    if row.kind != DeliveryKind.WRITE_BACK or row.state in (DeliveryState.PENDING, DeliveryState.LEASED):
        return
    query = (
        select(DeliveryRow).where(*same_key(row)).order_by(col(DeliveryRow.occurred_at).desc(), col(DeliveryRow.event_id).desc())
    )
    newest = session.exec(query.limit(1).with_for_update()).one()
    overtaken = newest.state == DeliveryState.CONFIRMED or (newest.state == DeliveryState.LEASED and newest.id != row.id)
    if overtaken and not waiting(session, newest):
        newest.state, newest.next_attempt_at, newest.carrier = DeliveryState.PENDING, now, Carrier.WORKER
        newest.lease_id = None  # whoever confirmed it before has no say in this turn
        session.add(newest)
        session.flush()


def revive(session: Session, delivery_id: str, now: datetime) -> bool:
    """Puts a dead delivery back into the outbox, unless a newer one has taken its place; False then."""
    row = locked(session, delivery_id)
    if row.state != DeliveryState.DEAD or not _is_newest(session, row):
        return False
    row.state, row.attempts, row.next_attempt_at, row.error, row.carrier = DeliveryState.PENDING, 0, now, None, Carrier.WORKER
    session.add(row)
    session.flush()
    return True


def doubt_all(session: Session, now: datetime) -> int:
    """All that waited or was out when the database was copied may have arrived since: the worker sees to it.

    An alert is looked for before it is sent; write-backs are sent again. Returns how many alerts that are.
    """
    open_ones = col(DeliveryRow.state).in_((DeliveryState.PENDING.value, DeliveryState.LEASED.value))
    alerts = and_(open_ones, col(DeliveryRow.kind) == DeliveryKind.ALERT.value)
    marked = session.execute(
        update(DeliveryRow).where(alerts).values(lost_leases=DeliveryRow.lost_leases + 1).returning(col(DeliveryRow.id))
    )
    count = len(marked.all())
    again = {"carrier": Carrier.WORKER.value, "next_attempt_at": now}
    session.execute(update(DeliveryRow).where(col(DeliveryRow.state) == DeliveryState.PENDING.value).values(again))
    return count


def _is_newest(session: Session, row: DeliveryRow) -> bool:
    later = or_(
        col(DeliveryRow.occurred_at) > row.occurred_at,
        and_(col(DeliveryRow.occurred_at) == row.occurred_at, col(DeliveryRow.event_id) > row.event_id),
    )
    return session.exec(select(DeliveryRow.id).where(*same_key(row), later)).first() is None
