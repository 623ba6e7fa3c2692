"""The outbox as its callers use it: each call one transaction."""

from collections.abc import Sequence

from automation.allowance import grant_of
from automation.jobs.worker import letter_for
from automation.pipeline.context import Loop
from data.domain.delivery import DeliveryState
from data.redaction import redacted
from data.warehouse import dead_letters, deliveries, lease_ends, leases, resending
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.lease_ends import LeaseLost


def lease(loop: Loop, destination: str, *, limit: int, seconds: float) -> tuple[str, list[DeliveryRow]]:
    """Hands n8n what waits for it."""
    with loop.database.write() as session:
        now, grant = loop.clock.now(), grant_of(loop, session)
        return leases.lease_for_n8n(session, now, seconds, destination=destination, limit=limit, grant=grant)


def confirm(loop: Loop, delivery_id: str, lease_id: str, receipt: str | None) -> DeliveryRow:
    """The destination has it.

    Raises:
        NotFound: no such delivery.
        LeaseLost: foreign or expired; a CRM record's newest state then goes out again.
    """
    try:
        with loop.database.write() as session:
            return lease_ends.confirm(session, delivery_id, lease_id, loop.clock.now(), receipt=receipt)
    except LeaseLost as error:
        _send_newest_again(loop, error)
        raise


def fail(loop: Loop, delivery_id: str, lease_id: str, *, error: str, permanent: bool) -> DeliveryRow:
    """The destination did not take it: the worker tries again after a pause, or it becomes a dead letter.

    Raises: as `confirm`.
    """
    try:
        with loop.database.write() as session:
            now = loop.clock.now()
            told = redacted(error)
            row = lease_ends.fail(
                session, delivery_id, lease_id, now, error=told, permanent=permanent, max_attempts=loop.settings.max_attempts,
                unsure=not permanent,  # Slack may have taken it all the same: it is looked for before it is sent again
            )  # fmt: skip
            if row.state == DeliveryState.DEAD:
                dead_letters.add_of_delivery(session, letter_for(row, now))
            return row
    except LeaseLost as lost:
        _send_newest_again(loop, lost)
        raise


def listed(loop: Loop, *, state: str | None, destination: str | None, limit: int) -> Sequence[DeliveryRow]:
    with loop.database.read() as session:
        return deliveries.listed(session, state=state, destination=destination, limit=limit)


def _send_newest_again(loop: Loop, lost: LeaseLost) -> None:
    with loop.database.write() as session:
        resending.send_newest_again(session, lost.delivery_id, loop.clock.now())
