"""Tells in Slack how those ended whom an alert was about: in the alert's own message, so that nobody calls a lead that is lost."""

from datetime import datetime

from sqlmodel import Session

from automation.destinations import slack
from automation.pipeline.context import Loop
from data.domain.delivery import Carrier, DeliveryKind, DeliveryState, Ending
from data.domain.entity import EntityKind
from data.domain.outcome import Result
from data.log import get_logger
from data.warehouse import deliveries, entities, facts, identities, outcomes
from data.warehouse.deliveries import DeliveryRow, Draft
from data.warehouse.outcomes import OutcomeRow

log = get_logger("endings")

AT_ONCE = 100


def sweep(loop: Loop) -> None:
    """Every outcome that nobody was told of yet, each in a transaction of its own."""
    while True:
        with loop.database.read() as session:
            waiting = outcomes.untold(session, limit=AT_ONCE)
        for outcome_id in waiting:
            _tell(loop, outcome_id)
        if len(waiting) < AT_ONCE:
            return


def _tell(loop: Loop, outcome_id: int) -> None:
    with loop.database.write() as session:
        people = _people(session, outcome_id)
        entities.lock(session, people)  # first, as everybody does
        if (row := outcomes.take_untold(session, outcome_id)) is None:
            return
        now = loop.clock.now()
        alert = deliveries.last_alert(session, people, slack.SLACK.name)
        if alert is not None and slack.SLACK.configured(loop.clients) and alert.occurred_at <= row.occurred_at:
            _put(session, alert, row, now)
        row.told_at = now
        session.add(row)


def _people(session: Session, outcome_id: int) -> set[int]:
    """The contact that it is about, or those whom its deal names, with all that are the same."""
    row = session.get(OutcomeRow, outcome_id)
    if row is None:
        return set()
    owner = entities.by_ids(session, [row.entity_id])[row.entity_id]
    found = facts.named_by(session, row.entity_id, EntityKind.CONTACT) if owner.kind == EntityKind.DEAL else {row.entity_id}
    return found | {number for same in identities.same_as(session, found).values() for number in same}


def _put(session: Session, alert: DeliveryRow, row: OutcomeRow, now: datetime) -> None:
    """An alert that still waits is no news any more. One that went out is told how it ended, and again if that changes.

    One that waits and may have been posted goes its way: it is looked for, and told how it ended after that.
    """
    if alert.state == DeliveryState.PENDING and not alert.lost_leases:
        alert.state = DeliveryState.SUPERSEDED
        session.add(alert)
        return
    content = Ending(channel=alert.content["channel"], alert_id=alert.id, result=Result(row.result), ended_at=row.occurred_at)
    told = deliveries.endings_of(session, [alert.prediction_id], alert.destination)
    if told:
        _tell_again(session, told[0], content, now)
        return
    draft = Draft(
        id=deliveries.new_id(), prediction_id=alert.prediction_id, event_id=alert.event_id, entity_id=alert.entity_id,
        occurred_at=row.occurred_at, destination=alert.destination, kind=DeliveryKind.ENDING,
        content=content.model_dump(mode="json"), carrier=Carrier.WORKER, due=now,
    )  # fmt: skip
    deliveries.add(session, [draft], now)


def _tell_again(session: Session, told: DeliveryRow, content: Ending, now: datetime) -> None:
    before = Ending.model_validate(told.content)
    if content.ended_at < before.ended_at:
        return  # what was told late of an earlier end, before it was opened again
    told.content, told.occurred_at = content.model_dump(mode="json"), content.ended_at
    if told.state != DeliveryState.PENDING:
        # Also where it is out at this moment: its sender then finds that the lease is no longer its own.
        told.state, told.attempts, told.lease_id, told.next_attempt_at = DeliveryState.PENDING, 0, None, now
    session.add(told)
