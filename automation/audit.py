"""The audit trail: who did what, when, to what, with what result. Whoever lets people change something records it here.

Names and ids only: no secret, and nothing of a person beyond the id of a row.
"""

import getpass
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlmodel import Session

from data.clock import Clock
from data.db import Database
from data.domain.audit import Action, Result
from data.errors import LeadloopError
from data.log import get_logger
from data.redaction import shortened
from data.warehouse import audit
from data.warehouse.audit import AuditRow

log = get_logger("audit")

LONGEST = 200  # of an actor and a target, as the table has them
LONGEST_REASON = 300


def record(
    database: Database, clock: Clock, actor: str, action: Action, target: str, result: Result = Result.DONE, **details: Any
) -> None:
    """Adds a row, in a transaction of its own. `details`: names, counts and ids, as JSON takes them.

    What was done is done: where the row cannot be stored, the log has it, and the caller goes on.
    """
    try:
        with database.write() as session:
            record_in(session, clock, actor, action, target, result, **details)
    except LeadloopError as error:
        log.error("audit.row.not_stored", actor=actor, action=action, target=target, result=result, reason=error.detail)


def record_in(
    session: Session, clock: Clock, actor: str, action: Action, target: str, result: Result = Result.DONE, **details: Any
) -> None:
    """The same in the caller's transaction: the deed and its row are stored together, or neither is."""
    told = {name: _told(value) for name, value in details.items()}
    row = AuditRow(
        at=clock.now(), actor=shortened(actor, LONGEST), action=action.value, target=shortened(target, LONGEST),
        result=result.value, details=told,
    )  # fmt: skip
    audit.add(session, row)
    log.info("audit.row.added", actor=row.actor, action=row.action, target=row.target, result=row.result)


@contextmanager
def recorded(database: Database, clock: Clock, actor: str, action: Action, target: str, **details: Any) -> Iterator[dict[str, Any]]:
    """Records what the block does, however it ends; its error goes on. The block may add to the details that it is given."""
    found = dict(details)
    try:
        yield found
    except LeadloopError as error:
        result = Result.REFUSED if error.status < 500 else Result.FAILED
        record(database, clock, actor, action, target, result, **found, reason=error.detail)
        raise
    except BaseException as error:  # Ctrl-C too: it has broken off something
        record(database, clock, actor, action, target, Result.FAILED, **found, reason=type(error).__name__)
        raise
    record(database, clock, actor, action, target, **found)


def listed(database: Database, *, action: Action | None = None, limit: int = 100, before: int | None = None) -> Sequence[AuditRow]:
    """The newest first. `before` is an id to page from."""
    with database.read() as session:
        return audit.listed(session, action=action, limit=limit, before=before)


def command_line_actor() -> str:
    """Whoever runs the command, as the operating system knows them: `cli:ada`."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user often has no name
        return f"cli:uid-{os.getuid()}"


def _told(value: Any) -> Any:
    return shortened(value, LONGEST_REASON) if isinstance(value, str) else value
