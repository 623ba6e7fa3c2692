"""The worker's sweeps: what n8n has not driven or confirmed in time goes on here."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeGuard

from sqlmodel import Session

from automation.destinations.base import Destination, Sent
from automation.pipeline import review
from automation.pipeline.collect import parse_waiting
from automation.pipeline.context import Loop
from automation.pipeline.run import drive
from data.domain.delivery import DeliveryKind, DeliveryState
from data.domain.stage import Stage
from data.errors import NotFound, NotNow, NotReady, Permanent, Retryable, VendorError
from data.log import get_logger
from data.warehouse import dead_letters, entities, lease_ends, leases, payloads, resending
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.lease_ends import LeaseLost

log = get_logger("worker")

SETTLE_PAUSES = (0.1, 0.5, 1.0, 2.0)
# A payload this old whose events are not stored was left by a process that died.
ORPHAN_AFTER = timedelta(seconds=30)


def sweep_payloads(loop: Loop) -> None:
    """Parses payloads that were put off, and those that were stored but never parsed, until none is left."""
    last = 0  # one that cannot be stored now is tried again by the next sweep
    while found := _unparsed(loop, last):
        for payload_id in found:
            try:
                parse_waiting(loop, payload_id)
            except NotReady:
                raise
            except Exception:
                log.exception("collect.payload.not_stored", payload_id=payload_id)
        last = found[-1]


def _unparsed(loop: Loop, behind: int) -> Sequence[int]:
    with loop.database.read() as session:
        return payloads.unparsed(session, loop.clock.now(), after=ORPHAN_AFTER, behind=behind)


def sweep_inbox(loop: Loop) -> None:
    """Drives the events that are due, until none is left."""
    while drive(loop):
        continue


def sweep_outbox(loop: Loop, destination: Destination) -> None:
    """Sends the deliveries of one destination that are due, until none is left or it takes no more for now."""
    while destination.configured(loop.clients) and _send_some(loop, destination):
        continue


def _send_some(loop: Loop, destination: Destination) -> bool:
    """Sends one lease of them; whether more may be due, and can be sent now."""
    most, taken_at, seconds = destination.most_at_once(loop.clients), loop.clock.now(), loop.settings.lease_seconds
    with loop.database.write() as session:
        lease_id, rows = leases.lease_for_worker(session, destination.name, taken_at, seconds, limit=most)
        settled = destination.prepare(session, rows)
    _settle(loop, [row for row in rows if row.id in settled], lease_id, settled)
    left = [row for row in rows if row.id not in settled]
    # What became of one batch is stored before the next is sent. Past half of the lease none is begun: somebody else may
    # soon take the rest.
    for batch in destination.batches(loop.clients, left):
        if loop.clock.now() - taken_at > timedelta(seconds=seconds / 2):
            log.warning("activate.lease.too_short", destination=destination.name, left=len(left))
            _settle(loop, left, lease_id, _not_now(left, "the rest of the lease is too short"))
            return False
        sent = _sent(loop, destination, batch)
        _settle(loop, batch, lease_id, sent)
        left = [row for row in left if row.id not in sent]
        if (told := next((each.error for each in sent.values() if _untried(each.error)), None)) is not None:
            _settle(loop, left, lease_id, _not_now(left, told.detail, told.retry_after_seconds))
            return False
    return len(rows) == most


def _sent(loop: Loop, destination: Destination, batch: Sequence[DeliveryRow]) -> dict[str, Sent]:
    try:
        return destination.send(loop.clients, batch)
    except Exception as error:  # Our own fault: counted as a failed attempt, so that it ends as a dead letter.
        log.exception("activate.send.failed", destination=destination.name)
        return {row.id: Sent(error=Retryable(f"an unexpected fault: {type(error).__name__}", unsure=True)) for row in batch}


def _untried(error: VendorError | None) -> TypeGuard[Retryable]:
    return isinstance(error, Retryable) and error.untried


def _not_now(rows: Sequence[DeliveryRow], why: str, seconds: float | None = None) -> dict[str, Sent]:
    return {row.id: Sent(error=NotNow(why, retry_after_seconds=seconds)) for row in rows}


def _settle(loop: Loop, rows: Sequence[DeliveryRow], lease_id: str, sent: dict[str, Sent]) -> None:
    """Stores what became of a batch, in one transaction; once more changes nothing, where its first answer was lost."""
    if not rows:
        return
    for row in _with_patience(lambda: _settle_all(loop, rows, lease_id, sent)):
        with loop.database.write() as session:
            resending.send_newest_again(session, row.id, loop.clock.now())


def _with_patience(settle: Callable[[], list[DeliveryRow]]) -> list[DeliveryRow]:
    """What was sent is not to be sent again only because the database was away for a moment, or two got in each other's way."""
    for pause in SETTLE_PAUSES:
        try:
            return settle()
        except NotReady:
            time.sleep(pause)
    return settle()


def _settle_all(loop: Loop, rows: Sequence[DeliveryRow], lease_id: str, sent: dict[str, Sent]) -> list[DeliveryRow]:
    """Those whose lease was lost meanwhile."""
    lost = []
    with loop.database.write() as session:
        entities.lock(session, [row.entity_id for row in rows])  # all at once, in the one order
        receipts = {row.id: sent[row.id].receipt for row in rows if sent[row.id].is_plain}
        done = lease_ends.confirm_held(session, receipts, lease_id, loop.clock.now()) if receipts else set()
        for row in (row for row in rows if row.id not in done):
            try:
                _settle_one(loop, session, row, lease_id, sent[row.id])
            except NotFound as error:  # whoever it was about was erased meanwhile
                log.warning("activate.delivery.gone", delivery_id=row.id, reason=error.detail)
            except LeaseLost as error:
                log.warning("activate.lease.lost", delivery_id=row.id, reason=error.detail)
                lost.append(row)
    return lost


def _settle_one(loop: Loop, session: Session, row: DeliveryRow, lease_id: str, sent: Sent) -> None:
    now, error = loop.clock.now(), sent.error
    if error is None:
        if sent.withdrawn:
            stored = lease_ends.let_go(session, row.id, lease_id, now)
            if not leases.waiting(session, stored):
                review.of_unposted(session, stored.id, stored.entity_id, now)
        else:
            stored = lease_ends.confirm(session, row.id, lease_id, now, receipt=sent.receipt)
        if sent.doubt:
            stored.error = sent.doubt
            if row.kind == DeliveryKind.ALERT:
                log.warning("activate.alert.doubtful", delivery_id=row.id, reason=sent.doubt)
        return
    if _untried(error):
        lease_ends.put_back(session, row.id, lease_id, now, seconds=error.retry_after_seconds or 0.0)
        return
    stored = lease_ends.fail(
        session, row.id, lease_id, now, error=error.detail, permanent=isinstance(error, Permanent),
        max_attempts=loop.settings.max_attempts,
        retry_after_seconds=error.retry_after_seconds if isinstance(error, Retryable) else None,
        unsure=isinstance(error, Retryable) and error.unsure,  # an alert is looked for before it is sent again
    )  # fmt: skip
    if stored.state == DeliveryState.DEAD:
        dead_letters.add_of_delivery(session, letter_for(stored, now))
    log.warning("activate.delivery.failed", delivery_id=row.id, destination=row.destination, reason=error.detail)


def letter_for(row: DeliveryRow, now: object) -> DeadLetter:
    """The dead letter of a delivery that was given up."""
    return DeadLetter.model_validate(
        {
            "source": row.destination,
            "stage": Stage.ACTIVATE,
            "reason": row.error or "given up",
            "event_id": row.event_id,
            "delivery_id": row.id,
            "created_at": now,
        }
    )
