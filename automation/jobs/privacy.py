"""Erasures that were asked for, messages that are to be taken back, and what has been kept for long enough."""

from automation import audit, retention
from automation.clients.slack import SlackClient
from automation.destinations import slack as slack_messages
from automation.erasure import run
from automation.pipeline.context import Loop
from data.domain.audit import Action, Result
from data.errors import NotNow, NotReady, VendorError
from data.log import get_logger
from data.warehouse import deliveries, erasures, retractions
from data.warehouse.retractions import RetractionRow

log = get_logger("privacy")

# An erasure begins within seconds, without anybody's hand.
EVERY_SECONDS = 2.0
WORKER = "worker"  # who does what nobody's hand does
SLACK_LOCK = "retractions"
CHANGE_SECONDS = 5.0  # whoever changes a message has read it before, and would bring back what is deleted meanwhile
MOST_AT_ONCE = 20  # a call or two each: a sweep ends within a minute
PRUNE_SECONDS = 24 * 3600.0
# A service that has just started has better things to do.
PRUNE_FIRST_AFTER_SECONDS = 300.0


def sweep(loop: Loop) -> None:
    """Does the erasures that are due, or goes on with those whose process died; then what is due in Slack."""
    with loop.database.read() as session:
        due = erasures.due(session, loop.clock.now())
    for erasure_id in due:
        _erase(loop, erasure_id)
    take_back(loop)


def take_back(loop: Loop) -> None:
    """Deletes what told in Slack of somebody who was erased, as far as it is due; one process at a time, for a digest is read
    and written again."""
    if loop.clients.slack is None:
        return
    try:
        with loop.database.exclusive(SLACK_LOCK, timeout_seconds=0.0):
            _take_back(loop, loop.clients.slack)
    except NotReady as error:
        log.info("privacy.messages.left", reason=error.detail)


def prune(loop: Loop) -> None:
    """Lets go of what has been kept for as long as the settings say; one process at a time."""
    try:
        gone = retention.prune(loop)
    except NotReady as error:
        log.info("retention.prune.left", reason=error.detail)
        return
    if any(gone.values()):
        audit.record(loop.database, loop.clock, WORKER, Action.PRUNE, "retention", Result.DONE, **gone)


def _erase(loop: Loop, erasure_id: int) -> None:
    try:
        run.erase(loop, erasure_id, patience_seconds=0.0)
    except NotReady as error:  # somebody else erases, or the database is away
        log.info("privacy.erasure.waits", erasure_id=erasure_id, reason=error.detail)
    except Exception as error:
        log.exception("privacy.erasure.failed", erasure_id=erasure_id, kind=type(error).__name__)
        with loop.database.write() as session:
            erasures.failed(session, erasure_id, loop.clock.now(), f"an unexpected fault: {type(error).__name__}")


def _take_back(loop: Loop, slack: SlackClient) -> None:
    with loop.database.read() as session:
        rows = retractions.due(session, loop.clock.now(), limit=MOST_AT_ONCE)
    for row in rows:
        error = _deleted(loop, slack, row)
        with loop.database.write() as session:
            given_up = retractions.settle(session, row, loop.clock.now(), error, max_attempts=loop.settings.max_attempts)
        if error is not None:
            log.warning("privacy.message.not_deleted", retraction_id=row.id, reason=error.detail, given_up=given_up)


def _deleted(loop: Loop, slack: SlackClient, row: RetractionRow) -> VendorError | None:
    """What stands in the way."""
    with loop.database.read() as session:
        if row.receipt and deliveries.is_being_changed(session, slack_messages.SLACK.name, row.receipt, loop.clock.now()):
            return NotNow("another part of the message is being changed", retry_after_seconds=CHANGE_SECONDS)
    try:
        slack_messages.take_back(slack, row.channel, row.block_id, row.posted_since, row.receipt)
    except VendorError as error:
        return error
    return None
