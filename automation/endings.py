"""Tells in Slack how those ended whom an alert was about: in the alert's own message, so that nobody calls a lead that is lost.

Whoever is opened again, or turns out not to have ended, has the message as it was: nobody leaves that lead alone.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from operator import itemgetter

from sqlmodel import Session

from automation.destinations import slack
from automation.pipeline.context import Loop
from automation.settling import standing
from data.domain.delivery import Carrier, DeliveryKind, DeliveryState, Ending
from data.domain.entity import EntityKind
from data.domain.outcome import End, Result
from data.log import get_logger
from data.warehouse import deliveries, entities, facts, identities, leases, outcomes
from data.warehouse.deliveries import DeliveryRow, Draft
from data.warehouse.outcomes import OutcomeRow

log = get_logger("endings")

AT_ONCE = 100


def sweep(loop: Loop) -> None:
    """Every outcome that nobody was told of yet, and every end that may hold no longer, each in a transaction of its own."""
    _each(loop, outcomes.untold, _tell)
    _each(loop, entities.with_revised_end, _look_again)


def _each(loop: Loop, waiting: Callable[..., list[int]], say: Callable[[Loop, int], None]) -> None:
    last = 0  # one whose message is being written waits for the next sweep
    while True:
        with loop.database.read() as session:
            found = waiting(session, after=last, limit=AT_ONCE)
        for number in found:
            say(loop, number)
        if len(found) < AT_ONCE:
            return
        last = found[-1]


def _tell(loop: Loop, outcome_id: int) -> None:
    with loop.database.write() as session:
        found = session.get(OutcomeRow, outcome_id)
        people = _people(session, found.entity_id) if found is not None else set()
        entities.lock(session, people)  # first, as everybody does
        if (row := outcomes.take_untold(session, outcome_id)) is None:
            return
        now = loop.clock.now()
        if slack.SLACK.configured(loop.clients) and (row.result, row.occurred_at) in standing(session, [row.entity_id]):
            alert = _alert_to_tell(session, people, row.occurred_at)
            if alert is not None and not _put(session, alert, row, now):
                return
        row.told_at = now
        session.add(row)


def _look_again(loop: Loop, entity_id: int) -> None:
    """Whether what was told of an end still holds."""
    with loop.database.write() as session:
        people = _people(session, entity_id)
        row = entities.lock(session, people | {entity_id}).get(entity_id)
        if row is None or not row.end_revised:
            return
        told, now = deliveries.endings_about(session, people, slack.SLACK.name), loop.clock.now()
        ends = standing(session, people | facts.naming(session, people, EntityKind.DEAL).keys()) if told else set()
        row.end_revised = bool([each for each in told if not _correct(session, each, ends, now)])
        session.add(row)


def _people(session: Session, entity_id: int) -> set[int]:
    """The contact itself, or those whom a deal names, with all that are the same."""
    owner = entities.by_ids(session, [entity_id]).get(entity_id)
    if owner is None:
        return set()
    found = facts.named_by(session, entity_id, EntityKind.CONTACT) if owner.kind == EntityKind.DEAL else {entity_id}
    return found | {number for same in identities.same_as(session, found).values() for number in same}


def _alert_to_tell(session: Session, people: Collection[int], ended_at: datetime) -> DeliveryRow | None:
    """The last alert on them that somebody may have read. One that still waits is no news any more.

    One that waits and may have been posted goes its way: it is looked for, and told how it ended after that.
    """
    alert = deliveries.last_alert(session, people, slack.SLACK.name)
    while alert is not None and alert.occurred_at <= ended_at and alert.state == DeliveryState.PENDING and not alert.lost_leases:
        alert.state = DeliveryState.SUPERSEDED
        session.add(alert)
        session.flush()
        alert = deliveries.last_alert(session, people, slack.SLACK.name)
    return alert if alert is not None and alert.occurred_at <= ended_at else None


def _put(session: Session, alert: DeliveryRow, row: OutcomeRow, now: datetime) -> bool:
    """The alert is told how it ended, and again if that changes.

    Returns whether it is in the outbox now: it is not while the end of an earlier alert waits there.
    """
    content = Ending(channel=alert.content["channel"], alert_id=alert.id, result=Result(row.result), ended_at=row.occurred_at)
    told = deliveries.endings_about(session, [alert.entity_id], alert.destination)
    if of_alert := [each for each in told if each.prediction_id == alert.prediction_id]:
        before = Ending.model_validate(of_alert[0].content)
        # Told late of an earlier end, before it was opened again.
        is_old = content.ended_at < before.ended_at and not before.taken_back
        return is_old or _say(session, of_alert[0], content, now)
    if any(each.state == DeliveryState.PENDING for each in told):
        return False
    draft = Draft(
        id=deliveries.new_id(), prediction_id=alert.prediction_id, event_id=alert.event_id, entity_id=alert.entity_id,
        occurred_at=row.occurred_at, destination=alert.destination, kind=DeliveryKind.ENDING,
        content=content.model_dump(mode="json"), carrier=Carrier.WORKER, due=now,
    )  # fmt: skip
    deliveries.add(session, [draft], now)
    return True


def _correct(session: Session, told: DeliveryRow, ends: Collection[End], now: datetime) -> bool:
    """Says how it has ended, where it is not so any more; the message goes back where it has not. As `_put`."""
    said = Ending.model_validate(told.content)
    alert = deliveries.get(session, said.alert_id)
    if said.taken_back or alert is None or (said.result, said.ended_at) in ends:
        return True
    since = [end for end in ends if end[1] >= alert.occurred_at]
    if not since:
        return _say(session, told, said.model_copy(update={"taken_back": True}), now)
    result, ended_at = max(since, key=itemgetter(1))
    return _say(session, told, said.model_copy(update={"result": result, "ended_at": ended_at}), now)


def _say(session: Session, told: DeliveryRow, content: Ending, now: datetime) -> bool:
    if told.state != DeliveryState.PENDING:
        if leases.waiting(session, told):
            return False
        # Also where it is out at this moment: its sender then finds that the lease is no longer its own.
        told.state, told.attempts, told.lease_id, told.next_attempt_at = DeliveryState.PENDING, 0, None, now
    told.content, told.occurred_at = content.model_dump(mode="json"), content.ended_at
    session.add(told)
    session.flush()
    return True
