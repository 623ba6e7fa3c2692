"""Reviews: the models are asked anew about records to which nothing happened: what they are judged by has changed, or who judges.

A review is an event like any other, so it is scored, ordered and delivered like any other; it leaves no fact behind.
"""

import json
from collections.abc import Collection, Container, Iterable
from datetime import datetime

from sqlmodel import Session

from automation.sources import ours
from data.domain.entity import EntityRef
from data.domain.event import Driver
from data.domain.event_type import VERBS, Verb, type_of
from data.warehouse import entities, identities, payloads, predictions
from data.warehouse.payloads import Payload

UNPOSTED = "unposted"


def store(session: Session, refs: Iterable[EntityRef], run: str, now: datetime) -> int | None:
    """Stores reviews of these records as a payload, in the caller's transaction; returns its id, or None where there are none.

    `run` names what asks for it: the same run again asks nobody twice. Whoever stored it parses it after the commit; if that
    never comes about, the worker does.
    """
    items = [_item(ref, run, now) for ref in refs if Verb.REVIEWED in VERBS[ref.kind]]
    if not items:
        return None
    payload = Payload(source=ours.NAME, driver=Driver.WORKER, body=json.dumps(items).encode(), received_at=now)
    return payloads.add(session, payload)


def of_the_same(
    session: Session,
    entity_ids: Iterable[int],
    but: Container[int],
    run: str,
    now: datetime,
    *,
    besides: Iterable[int] = (),
    unscored: Collection[int] = (),
) -> int | None:
    """Stores reviews of those of these records, and of those that are the same, that have been scored, without some.

    `unscored`: these are asked about though nobody has scored them yet.
    """
    ids = set(entity_ids)
    ids |= {number for same in identities.same_as(session, ids).values() for number in same} | set(besides)
    if not (others := {number for number in ids if number not in but}):
        return None
    found = entities.by_ids(session, predictions.scored(session, others) | (others & set(unscored)))
    return store(session, [row.ref for row in found.values() if row.merged_into_id is None and not row.is_deleted], run, now)


def of_unposted(session: Session, alert_id: str, entity_id: int, now: datetime) -> None:
    """Stores reviews of whoever was not alerted on, while an alert that was withdrawn might have been posted."""
    of_the_same(session, [entity_id], (), f"{UNPOSTED} {alert_id}", now)


def is_of_unposted(key: str) -> bool:
    """Whether a review, by the key of its event, is one of these."""
    return key.startswith(key_of(UNPOSTED))


def key_of(run: str) -> str:
    """How the keys of all reviews of a run begin."""
    return f"review {run} "


def _item(ref: EntityRef, run: str, now: datetime) -> dict[str, object]:
    return {
        "id": f"{key_of(run)}{ref}",
        "source": ref.source,
        "type": type_of(ref.kind, Verb.REVIEWED),
        "occurred_at": now.isoformat(),
        "entity": {"kind": ref.kind.value, "id": ref.id},
    }
