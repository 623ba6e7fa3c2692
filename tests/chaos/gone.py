"""What must be true of who was deleted or went into another: nothing is said of them any more, and one is known for both."""

from collections.abc import Mapping
from datetime import datetime

from sqlmodel import Session, col, func, select

from automation.sandbox.state import Sandbox
from data.domain.delivery import DeliveryKind, DeliveryState
from data.domain.entity import EntityKind, EntityRef
from data.warehouse import entities, identities
from data.warehouse.dead_letters import DeadLetter
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.entities import EntityRow
from data.warehouse.events import EventRow
from data.warehouse.predictions import PredictionRow
from tests.chaos.load import Load
from tests.chaos.told import of_ledger

KINDS = {"hubspot": "contacts", "pipedrive": "persons"}
Lost = Mapping[str, set[str]]
"""Source -> the records of which a message was lost."""


def dead_letters(session: Session, load: Load) -> list[str]:
    """Those of anything but malformed items: in these runs nothing else has a reason to be given up.

    What was under way for a record when it went comes to nothing: the CRM does not have it. Nobody can know it sooner than the CRM.
    """
    went = {f"{source} {number}" for source, stories in load.stories.items() for story in stories for number in story.went}
    found = []
    for row in session.exec(select(DeadLetter).where(col(DeadLetter.stage).not_in(("parse", "validate")))):
        owner = _owner(session, row)
        if owner is None or f"{owner.source} {owner.vendor_id}" not in went:
            found.append(f"{row.source} {row.stage}, {owner.ref if owner else 'of nobody'}: {row.reason}")
    return found


def wrong_gone(session: Session, sandbox: Sandbox, load: Load, lost: Lost) -> list[str]:
    """Whoever is not there in the end is known as that, and was neither scored nor alerted on after it was told.

    Of whom a message was lost that is known by the next round only, which asks for nobody who came in the last ten minutes.
    """
    found = []
    for source, numbers in load.people.items():
        heard_of = {record for _, record, _, _ in of_ledger(source, sandbox.ledgers[source].taken().values())}
        for number in sorted(numbers - {record.id for record in sandbox.records(source, KINDS[source])}):
            if {f"contact {number}", f"contact {load.now(source, number)}"} & lost.get(source, set()):
                continue
            row = entities.find(session, _ref(source, number))
            if row is None or row.id is None:
                # Of whom no message was taken, and who is in no list any more, nobody can know.
                found += [f"{source} {number}: not known at all"] if f"contact {number}" in heard_of else []
            elif (told_at := _told_at(session, row)) is None:
                found.append(f"{source} {number}: nobody knows that it is gone")
            else:
                found += [f"{source} {number}: {what}" for what in _said_after(session, row.id, told_at)]
    return found


def wrong_merges(session: Session, load: Load, lost: Lost) -> list[str]:
    """Who went into another is known as part of who that is by now, in whatever order merges were told; and as the same person."""
    found = []
    for source, stories in load.stories.items():
        for path in (story.path(gone) for story in stories for gone in story.merged):
            gone, into = path[0], path[-1]
            if {f"contact {number}" for number in path} & lost[source]:
                continue  # whom a record went into, Pipedrive tells by webhook only
            part, whole = (entities.find(session, _ref(source, number)) for number in (gone, into))
            if part is None or whole is None or part.id is None or whole.id is None:
                found.append(f"{source} {gone} into {into}: not known")
            elif (root := _root(session, part)) != whole.id:
                found.append(f"{source} {gone} into {into}: known as part of {session.get_one(EntityRow, root).vendor_id}")
            elif part.id not in identities.same_as(session, {whole.id}).get(whole.id, {}):
                found.append(f"{source} {gone} into {into}: not known as the same")
    return found


def _said_after(session: Session, entity_id: int, told_at: datetime) -> list[str]:
    """A prediction that was made of what was known by then, and an alert that was made and went out."""
    scores = select(PredictionRow).where(PredictionRow.entity_id == entity_id, col(PredictionRow.as_of) > told_at)
    alerts = select(DeliveryRow).where(
        DeliveryRow.entity_id == entity_id, DeliveryRow.kind == DeliveryKind.ALERT,
        DeliveryRow.state == DeliveryState.CONFIRMED, col(DeliveryRow.created_at) > told_at,
    )  # fmt: skip
    said = [f"scored at {row.as_of} by event {row.event_id}, gone since {told_at}" for row in session.exec(scores)]
    return said + [f"alerted on at {row.created_at}, gone since {told_at}" for row in session.exec(alerts)]


def _told_at(session: Session, row: EntityRow) -> datetime | None:
    """When its last deletion was told, or that it went into another. Webhooks and rounds date deletions by different clocks."""
    deleted = select(func.max(EventRow.received_at)).where(EventRow.entity_id == row.id, EventRow.type == "contact.deleted")
    last = session.exec(deleted).one()
    if row.merged_into_id is None:
        return last
    merges = select(EventRow).where(EventRow.source == row.source, EventRow.type == "contact.merged")
    named = [each.received_at for each in session.exec(merges) if row.vendor_id in {target["id"] for target in each.targets}]
    return min(named, default=last)


def _root(session: Session, row: EntityRow) -> int | None:
    while row.merged_into_id is not None:
        row = session.get_one(EntityRow, row.merged_into_id)
    return row.id


def _owner(session: Session, letter: DeadLetter) -> EntityRow | None:
    event = session.get(EventRow, letter.event_id) if letter.event_id is not None else None
    delivery = session.get(DeliveryRow, letter.delivery_id) if letter.delivery_id is not None else None
    about = event or delivery
    return session.get(EntityRow, about.entity_id) if about is not None else None


def _ref(source: str, number: str) -> EntityRef:
    return EntityRef(source=source, kind=EntityKind.CONTACT, id=number)
