"""What has been kept for long enough goes, a few rows at a time. What is open stays, and what something that stays refers to.

Each step gives the ids of the next few rows that may go, after the last of those before: one pass over a table in all.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, or_, tuple_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from data.domain.delivery import DeliveryKind, DeliveryState
from data.domain.event import EventState
from data.domain.outcome import CONTACT_ENDINGS, ENDINGS
from data.warehouse.dead_letters import DeadLetter, DeadLetterState
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.events import EventRow
from data.warehouse.facts import FactRow
from data.warehouse.payloads import Payload, PayloadState
from data.warehouse.predictions import PredictionRow

Query = Any
# Whatever these say of how somebody ended teaches: without it who was won once would be learned from as lost.
TEACHING = sorted({name for name, _ in (*ENDINGS, *CONTACT_ENDINGS)})
SETTLED = (DeliveryState.CONFIRMED.value, DeliveryState.SUPERSEDED.value, DeliveryState.DEAD.value)
NOT_SENT = (DeliveryState.SUPERSEDED.value, DeliveryState.DEAD.value)


def next_ids(session: Session, query: Query, key: Any, after: Any, limit: int) -> list[Any]:
    """The first few of what may go, in the order of their keys."""
    query = query.order_by(key).limit(limit)
    return list(session.execute(query if after is None else query.where(key > after)).scalars())


def count(session: Session, query: Query) -> int:
    return int(session.execute(select(func.count()).select_from(query.subquery())).scalar_one())


def deliveries(before: datetime) -> tuple[Query, Any]:
    """Settled ones. The newest of a record stays, since a late answer may send it again, and its last alert: when that was
    decides whether there is to be another one. With that stays all that went out in the same message, which is written anew as
    a whole once it is known how somebody ended, and an alert whose ending waits."""
    shown, waiting = aliased(DeliveryRow), aliased(DeliveryRow)
    in_message = (
        col(shown.receipt) == DeliveryRow.receipt,
        col(shown.destination) == DeliveryRow.destination,
        col(shown.kind) == DeliveryKind.ALERT,
    )
    ending = (
        col(waiting.prediction_id) == DeliveryRow.prediction_id,
        col(waiting.destination) == DeliveryRow.destination,
        col(waiting.kind) == DeliveryKind.ENDING,
        col(waiting.state).not_in(SETTLED),
    )
    letter = select(DeadLetter.id).where(DeadLetter.delivery_id == DeliveryRow.id, DeadLetter.state == DeadLetterState.OPEN)
    query = select(DeliveryRow.id).where(
        DeliveryRow.created_at < before,
        col(DeliveryRow.state).in_(SETTLED),
        _has_later(DeliveryRow),
        or_(col(DeliveryRow.state).in_(NOT_SENT), _has_later(DeliveryRow, but=NOT_SENT)),
        ~select(shown.id).where(*in_message, ~_has_later(shown, but=NOT_SENT)).exists(),
        ~select(waiting.id).where(*ending).exists(),
        ~letter.exists(),
    )
    return query, col(DeliveryRow.id)


def predictions(before: datetime) -> tuple[Query, Any]:
    """Those of events that are over, without a delivery. The newest of a record stays: the next one is compared with it."""
    newer = aliased(PredictionRow)
    later = and_(
        col(newer.entity_id) == PredictionRow.entity_id,
        col(newer.model) == PredictionRow.model,
        ~col(newer.shadow),
        tuple_(newer.occurred_at, newer.event_id) > tuple_(PredictionRow.occurred_at, PredictionRow.event_id),
    )
    query = select(PredictionRow.id).where(
        PredictionRow.created_at < before,
        or_(col(PredictionRow.shadow), select(newer.id).where(later).exists()),
        select(EventRow.id).where(EventRow.id == PredictionRow.event_id, _is_over()).exists(),
        ~select(DeliveryRow.id).where(DeliveryRow.prediction_id == PredictionRow.id).exists(),
    )
    return query, col(PredictionRow.id)


def dead_letters(before: datetime) -> tuple[Query, Any]:
    """Those that were replayed or discarded."""
    query = select(DeadLetter.id).where(DeadLetter.state != DeadLetterState.OPEN, col(DeadLetter.replayed_at) < before)
    return query, col(DeadLetter.id)


def payloads(before: datetime) -> tuple[Query, Any]:
    """Parsed ones of which nothing is set aside any more."""
    letter = select(DeadLetter.id).where(DeadLetter.payload_id == Payload.id, DeadLetter.state == DeadLetterState.OPEN)
    query = select(Payload.id).where(Payload.state == PayloadState.PARSED, Payload.received_at < before, ~letter.exists())
    return query, col(Payload.id)


def events(before: datetime) -> tuple[Query, Any]:
    """Those that are over, that nothing refers to any more, and all of whose facts are history."""
    kept = select(FactRow.id).where(FactRow.event_id == EventRow.id, ~_is_history(before)).correlate(EventRow)
    query = select(EventRow.id).where(
        EventRow.received_at < before,
        _is_over(),
        ~kept.exists(),
        *(~select(table.id).where(table.event_id == EventRow.id).exists() for table in (PredictionRow, DeliveryRow, DeadLetter)),
    )
    return query, col(EventRow.id)


def look_ups(before: datetime) -> tuple[Query, Any]:
    """Facts that no event told, as far as they are history."""
    return select(FactRow.id).where(col(FactRow.event_id).is_(None), _is_history(before)), col(FactRow.id)


def remove(table: Any) -> Callable[[Session, Sequence[Any]], None]:
    """Deletes rows by their ids."""

    def removing(session: Session, ids: Sequence[Any]) -> None:
        session.execute(delete(table).where(col(table.id).in_(ids)))

    return removing


def empty_payloads(session: Session, ids: Sequence[int]) -> None:
    """The bytes go; the row stays for as long as an event or a dead letter names it."""
    session.execute(update(Payload).where(col(Payload.id).in_(ids)).values(body=b"", state=PayloadState.PRUNED.value))
    _remove_unnamed(session, ids)


def remove_dead_letters(session: Session, ids: Sequence[int]) -> None:
    """With what was left of payloads that nothing else names any more."""
    query = select(DeadLetter.payload_id).where(col(DeadLetter.id).in_(ids), col(DeadLetter.payload_id).is_not(None)).distinct()
    named = [number for number in session.exec(query) if number is not None]
    session.execute(delete(DeadLetter).where(col(DeadLetter.id).in_(ids)))
    _remove_unnamed(session, named)


def remove_events(session: Session, ids: Sequence[int]) -> None:
    """With their facts, and what was left of payloads that no event names any more."""
    query = select(EventRow.payload_id).where(col(EventRow.id).in_(ids)).distinct()
    named = list(session.exec(query))
    session.execute(delete(FactRow).where(col(FactRow.event_id).in_(ids)))
    session.execute(delete(EventRow).where(col(EventRow.id).in_(ids)))
    _remove_unnamed(session, named)


def _remove_unnamed(session: Session, payload_ids: Sequence[int]) -> None:
    unnamed = (~select(table.id).where(table.payload_id == Payload.id).exists() for table in (EventRow, DeadLetter))
    here = col(Payload.id).in_(payload_ids)
    session.execute(
        delete(Payload)
        .where(here, col(Payload.state) == PayloadState.PRUNED.value, *unnamed)
        .execution_options(synchronize_session=False)
    )


def _is_over() -> Any:
    """Whether an event asks for nothing more: it is done, or was given up and no dead letter of it is open."""
    letter = select(DeadLetter.id).where(DeadLetter.event_id == EventRow.id, DeadLetter.state == DeadLetterState.OPEN)
    return or_(col(EventRow.state) == EventState.DONE, and_(col(EventRow.state) == EventState.DEAD, ~letter.exists()))


def _is_history(before: datetime) -> Any:
    """Whether a fact was the newest of its property at no moment since then, of its origin, and teaches nothing by itself.

    What we wrote ourselves takes the place of nothing that others said: models do not see it.
    """
    newer = aliased(FactRow)
    later = and_(
        col(newer.entity_id) == FactRow.entity_id,
        col(newer.name) == FactRow.name,
        col(newer.origin) == FactRow.origin,
        or_(col(FactRow.by_us), ~col(newer.by_us)),
        col(newer.occurred_at) < before,
        col(newer.known_at) < before,
        tuple_(newer.occurred_at, newer.known_at, newer.id) > tuple_(FactRow.occurred_at, FactRow.known_at, FactRow.id),
    )
    return col(FactRow.name).not_in(TEACHING) & col(FactRow.target_id).is_(None) & select(newer.id).where(later).exists()


def _has_later(row: Any, *, but: Sequence[str] = ()) -> Any:
    """Whether a later delivery than this one has its key, `but` those in some states."""
    later = aliased(DeliveryRow)
    query = select(later.id).where(
        col(later.destination) == row.destination,
        col(later.entity_id) == row.entity_id,
        col(later.kind) == row.kind,
        col(later.state).not_in(but),
        tuple_(later.occurred_at, later.event_id) > tuple_(row.occurred_at, row.event_id),
    )
    return query.exists()
