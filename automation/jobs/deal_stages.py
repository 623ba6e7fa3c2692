"""Asks what the stages of HubSpot's pipelines say, and tells the deals that were in one before it was known."""

from collections.abc import Mapping
from datetime import timedelta

from sqlmodel import Session

from automation.deal_stages import SOURCE, STAGE
from automation.pipeline.context import Loop
from automation.settling import NAMES, settle
from data.domain.entity import EntityKind
from data.domain.fact import Origin
from data.domain.outcome import Standing, ends_of, flags_of
from data.errors import VendorError
from data.log import get_logger
from data.warehouse import deal_stages, entities, facts

log = get_logger("deal_stages")

EVERY_SECONDS = 5.0  # people read how it ended; a look without an unknown stage is a single small query
ASK_AGAIN = timedelta(minutes=10)  # about a stage that the CRM did not know, or while it could not be asked
GOOD_FOR = timedelta(hours=1)
MOST_AT_ONCE = 200  # deals in one transaction: others wait for it


def sweep(loop: Loop) -> None:
    """Asks what is not known, and tells the deals of before. What cannot be asked now is asked the next time."""
    if SOURCE not in loop.clients.crms:
        return
    now = loop.clock.now()
    with loop.database.read() as session:
        is_due = deal_stages.due(session, SOURCE, unknown_before=now - ASK_AGAIN, known_before=now - GOOD_FOR)
    if is_due:
        _ask(loop)
    with loop.database.read() as session:
        untold = deal_stages.untold(session, SOURCE)
    if untold:
        _tell(loop, untold)


def _ask(loop: Loop) -> None:
    told: Mapping[str, Standing] = {}
    try:
        told = loop.clients.crms[SOURCE].stages()
    except VendorError as error:
        log.warning("deal_stages.not_asked", source=SOURCE, reason=error.detail)
    with loop.database.write() as session:
        deal_stages.keep(session, SOURCE, told, loop.clock.now())


def _tell(loop: Loop, stages: list[str]) -> None:
    """The deals that came into a stage before it was known, a few at a time."""
    after = 0
    while True:
        with loop.database.read() as session:
            page = entities.of_kind(session, SOURCE, EntityKind.DEAL, after=after, limit=MOST_AT_ONCE)
            deals = facts.with_value(session, page, STAGE, stages)
        if deals:
            with loop.database.write() as session:
                _add_flags(loop, session, deals)
        if not page:
            break
        after = page[-1]
    with loop.database.write() as session:
        deal_stages.done(session, SOURCE, stages, loop.clock.now())


def _add_flags(loop: Loop, session: Session, deals: list[int]) -> None:
    """To those that ever ended. To the others only what webhooks told: one that says that it had ended before may come late."""
    entities.lock(session, deals)
    now = loop.clock.now()
    told = facts.of_entities(session, deals, {STAGE, *NAMES})
    stages = {number: [fact for fact in these if fact.name == STAGE] for number, these in told.items()}
    known = deal_stages.remember(session, SOURCE, {fact.value for these in stages.values() for fact in these if fact.value})
    for number, these in stages.items():
        says = [(fact, known[fact.value]) for fact in these if fact.value in known]
        has_ended = any(standing is not Standing.OPEN for _, standing in says) or ends_of(EntityKind.DEAL, told[number])
        for fact, standing in says:
            if has_ended or fact.origin is Origin.EVENT:
                facts.add_beside(session, fact, flags_of(standing), now)
    settle(session, dict.fromkeys(told, EntityKind.DEAL), now)
