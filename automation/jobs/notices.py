"""Takes the notices to Slack."""

from automation.destinations.slack import post
from automation.pipeline.context import Loop
from data.errors import Permanent, Retryable
from data.log import get_logger
from data.warehouse import notices
from data.warehouse.leases import MOST_ALERTS_AT_ONCE

log = get_logger("notices")

EVERY_SECONDS = 10.0  # nobody waits for them


def sweep(loop: Loop) -> None:
    """Sends what is due, one message after the other."""
    slack = loop.clients.slack
    if slack is None:
        return
    with loop.database.write() as session:
        rows = notices.take(session, loop.clock.now(), loop.settings.lease_seconds, limit=MOST_ALERTS_AT_ONCE)
    for row in rows:
        assert row.id is not None
        (done,) = post(slack, [row])
        with loop.database.write() as session:
            if done.error is None:
                notices.sent(session, row.id, done.receipt)
                continue
            error = done.error
            give_up = isinstance(error, Permanent) or row.attempts + 1 >= loop.settings.max_attempts
            wait, unsure = (error.retry_after_seconds, error.unsure) if isinstance(error, Retryable) else (None, False)
            notices.failed(
                session, row.id, loop.clock.now(), error.detail, give_up=give_up, unsure=unsure, retry_after_seconds=wait
            )
        log.warning("notices.notice.failed", key=row.key, reason=error.detail, given_up=give_up)
