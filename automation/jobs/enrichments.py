"""Tries again what enrichments could not do when an event was scored, and reads records that were told of without their values.
What it brings is stored, and the models of the entity are asked anew: in one transaction, so that nothing new goes unscored.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session

from automation.enrichments.background import Background
from automation.enrichments.base import Answers, Asked, Found, answers_of
from automation.enrichments.registry import ASKING, DERIVING
from automation.erasure.records import looked_up_without_erased
from automation.knowledge import names_known
from automation.pipeline import review
from automation.pipeline.collect import parse_payload
from automation.pipeline.context import Case, Loop
from automation.pipeline.keep import Group, ids_of, keep, keep_names, turned_meanwhile
from automation.triggers import kinds_that_ask
from data.domain.enrichment import Problem
from data.domain.entity import EntityRef
from data.errors import NotReady
from data.log import get_logger
from data.warehouse import enrichment_tries, entities, events
from data.warehouse.enrichment_tries import EnrichmentTry

log = get_logger("enrich")

EVERY_SECONDS = 10.0
MOST_AT_ONCE = 100
# Nobody waits for this: who was too slow for the loop may well answer within this, and within the lease of what was taken.
PATIENCE_SECONDS = 20.0
LEASE_SECONDS = 120.0
OUTDATED = Found(problem=Problem("it went, came back or took others in while it was read", counts=False))


def sweep(loop: Loop) -> None:
    """Tries what is due, until nothing is."""
    while rows := _taken(loop):
        groups: dict[str, list[EnrichmentTry]] = defaultdict(list)
        for row in rows:
            groups[row.enrichment].append(row)
        for name, these in groups.items():
            _guarded(loop, name, these)


def _taken(loop: Loop) -> Sequence[EnrichmentTry]:
    with loop.database.write() as session:
        return enrichment_tries.take(session, loop.clock.now(), LEASE_SECONDS, limit=MOST_AT_ONCE)


def _guarded(loop: Loop, name: str, rows: Sequence[EnrichmentTry]) -> None:
    """A fault of our own is a try like any other."""
    try:
        _try(loop, name, rows)
    except NotReady:
        raise
    except Exception as error:
        log.exception("enrich.tries.broken", enrichment=name)
        broken = Found(problem=Problem.of_ours(error))
        with loop.database.write() as session:
            for row in rows:
                _settle_one(loop, session, row, broken, loop.clock.now())


def _try(loop: Loop, name: str, rows: Sequence[EnrichmentTry]) -> None:
    if name in DERIVING:
        _derive(loop, name, rows)
    else:
        _ask(loop, name, rows)


def _derive(loop: Loop, name: str, rows: Sequence[EnrichmentTry]) -> None:
    """Derives for one entity after the other: one that breaks it takes no other with it. It is made for good with the review."""
    with loop.database.read() as session:
        owners = entities.by_ids(session, [row.entity_id for row in rows])
        last = events.last_of(session, owners)
    found: dict[int, Found] = {}
    for number, event in last.items():
        try:
            DERIVING[name](Background(loop, [Case(event, owners[number], frozenset(), as_of=loop.clock.now())]))
        except NotReady:
            raise
        except Exception as error:
            log.exception("enrich.tries.broken", enrichment=name)
            found[number] = Found(problem=Problem.of_ours(error))
    with loop.database.write() as session:
        now = loop.clock.now()
        for row in rows:
            _settle_one(loop, session, row, found.get(row.entity_id, Found()), now)
        told = [owners[number] for number in last if number not in found]
        here = [owner.ref for owner in told if owner.merged_into_id is None and not owner.is_deleted]
        payload_id = _review(loop, session, name, here, now)
    if payload_id is not None:
        parse_payload(loop, payload_id)


def _ask(loop: Loop, name: str, rows: Sequence[EnrichmentTry]) -> None:
    with loop.database.read() as session:
        owners = entities.by_ids(session, [row.entity_id for row in rows])
        known = names_known(session, owners.values(), loop.inputs())
    asked = [Asked(owner, known[number]) for number, owner in owners.items()]
    ask = ASKING.get(name, _nobody)  # one that is no more is asked nothing, and its rows go
    found = answers_of(loop, name, ask, asked, PATIENCE_SECONDS)
    with loop.database.write() as session:
        payload_id = _settle(loop, session, name, rows, asked, found)
    if payload_id is not None:
        parse_payload(loop, payload_id)


def _settle(
    loop: Loop, session: Session, name: str, rows: Sequence[EnrichmentTry], asked: Sequence[Asked], found: Mapping[int, Found]
) -> int | None:
    """Stores what was found, and what is to be tried once more; returns the payload of the reviews, if there are any."""
    told = [look_up for each in found.values() for look_up in each.look_ups]
    look_ups = list(filter(None, map(looked_up_without_erased(session, told, loop.clock.now()), told)))
    ids = ids_of(session, look_ups, loop.clock.now())
    entities.lock(session, {*(each.entity_id for each in asked), *(ids[look_up.entity] for look_up in look_ups)})
    now = loop.clock.now()
    turned = turned_meanwhile(session, look_ups, ids)
    outdated = {look_up.entity for look_up in turned}
    told_of = keep(session, [look_up for look_up in look_ups if look_up not in turned], ids, now)
    named = keep_names(session, {_group(each): found[each.entity_id].names for each in asked if found[each.entity_id].names}, now)
    refs = {each.entity_id: each.ref for each in asked}
    for row in rows:
        answer = OUTDATED if refs.get(row.entity_id) in outdated else found.get(row.entity_id, Found())
        _settle_one(loop, session, row, answer, now)
    news = [each.ref for each in asked if _group(each) in named or _brought(found[each.entity_id], told_of)]
    return _review(loop, session, name, news, now)


def _review(loop: Loop, session: Session, name: str, news: Sequence[EntityRef], now: datetime) -> int | None:
    """Has those scored anew of whom an enrichment has something new to say."""
    ask = kinds_that_ask(loop.settings.lead_model, loop.settings.lead_model)
    if news:
        log.info("enrich.tries.answered", enrichment=name, entities=len(news))
    return review.store(session, [ref for ref in news if ref.kind in ask], f"{name} answered at {now.isoformat()}", now)


def _group(each: Asked) -> Group:
    return each.ref.source, each.ref.kind


def _brought(found: Found, told_of: Collection[EntityRef]) -> bool:
    return any(look_up.entity in told_of for look_up in found.look_ups)


def _settle_one(loop: Loop, session: Session, row: EnrichmentTry, found: Found, now: datetime) -> None:
    if (problem := found.problem) is not None and problem.again:
        if row.attempts < loop.settings.enrich_tries or not problem.counts:
            enrichment_tries.postpone(session, row, problem, now)
            return
        told = {"enrichment": row.enrichment, "entity_id": row.entity_id, "tries": row.attempts, "reason": problem.detail}
        log.warning("enrich.try.given_up", **told)
    enrichment_tries.done(session, [(row.entity_id, row.enrichment)])


def _nobody(_loop: Loop, _asked: Sequence[Asked], _answers: Answers) -> None:
    """Answers nothing."""
