"""A look at what the doctor can tell from our own database: people are told once when a fault begins, and once when it is over.

What is known of a fault is in the database, so that it is told once over all processes and restarts.
"""

from datetime import datetime

from sqlmodel import Session

from automation import notices
from automation.doctor.findings import Finding, Health
from automation.doctor.run import CHECKS
from automation.pipeline.context import Loop
from data.log import get_logger
from data.redaction import shortened
from data.warehouse import alarms
from data.warehouse.alarms import AlarmRow

log = get_logger("alarms")

EVERY_SECONDS = 300.0
# A service that has just started has a backlog to see to, and looks first for what webhooks missed.
FIRST_AFTER_SECONDS = 120.0
# What begins has to be there at so many looks in a row, and what is over to be gone: what comes and goes is no storm of messages.
LOOKS = 2
# Those of the doctor's checks that ask no vendor, and nothing of the one machine that they happen to run on.
WATCHED = frozenset({"tokens", "models", "calls", "reconciliation", "waiting"})
FAULTS = frozenset({Health.WARNING, Health.BAD})
LONGEST_SAID = 300


def look(loop: Loop) -> None:
    """Finds what is wrong now, and tells what is new of it.

    Raises:
        NotReady: the database is away.
    """
    found, saw_all = _faults(loop)
    now = loop.clock.now()
    with loop.database.write() as session:
        known = {row.name: row for row in alarms.every(session)}
        for name, fault in found.items():
            if name in known:
                _there(loop, session, known[name], fault)
            else:
                alarms.begin(session, name, _said(fault), now)
        if saw_all:
            for name in known.keys() - found.keys():
                _gone(loop, session, known[name], now)


def _faults(loop: Loop) -> tuple[dict[str, Finding], bool]:
    """What is wrong, by its name; and whether all was looked at, without which nobody can say that something is over."""
    found: dict[str, Finding] = {}
    saw_all = True
    for name, check in CHECKS:
        if name not in WATCHED:
            continue
        try:
            found |= {one.check: one for one in check(loop) if one.health in FAULTS}
        except Exception:  # the others are looked at all the same
            log.exception("alarms.check.failed", check=name)
            saw_all = False
    return found, saw_all


def _there(loop: Loop, session: Session, row: AlarmRow, fault: Finding) -> None:
    row.said = _said(fault)
    row.looks = 0 if row.told else row.looks + 1
    if row.looks >= LOOKS:
        row.told, row.looks = True, 0
        log.warning("alarms.fault.begun", fault=row.name, said=row.said, remedy=fault.remedy)
        notices.tell_fault(loop, session, row, fault.remedy)
    session.add(row)


def _gone(loop: Loop, session: Session, row: AlarmRow, now: datetime) -> None:
    row.looks += 1
    if row.told and row.looks < LOOKS:
        session.add(row)
        return
    if row.told:
        log.info("alarms.fault.over", fault=row.name, said=row.said)
        notices.tell_over(loop, session, row, now)
    session.delete(row)


def _said(fault: Finding) -> str:
    return shortened(fault.said, LONGEST_SAID)
