"""Reads from the CRM what is missing here: a hundred records a call, and each only where it is needed.

A record is read when its entity is new here, when something that the models ask for is not known of it, or when what is known
has grown old. It is then read whole: a call costs the same for one property as for all. Whatever comes after within the age
reads it no more, in the same batch or another: also its own creation, which HubSpot tells without any property, where the
record was read after it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from automation.clients.base import Crm, Record
from automation.enrichments.base import Answers, Asked, Found
from automation.memory import LookedUp
from automation.pipeline.context import Loop
from automation.sources.properties import ALSO_KNOWN_BY, KEYED, PERSON, READ, USUAL, canonical, vendor_property
from automation.triggers import kinds_that_ask
from data.column_types import unstorable
from data.domain.enrichment import Problem
from data.domain.entity import EntityKind, EntityRef
from data.domain.relation import RELATIONS
from data.errors import NotFound, VendorError
from data.log import get_logger

log = get_logger("enrich")

Group = tuple[str, EntityKind]


def ask(loop: Loop, asked: Sequence[Asked], answers: Answers) -> None:
    """The CRM's current values. An entity that the CRM does not have is gone."""
    groups: dict[Group, list[Asked]] = defaultdict(list)
    for each in asked:
        if each.ref.source in loop.clients.crms and each.entity.merged_into_id is None and _needs_it(loop, each):
            groups[each.ref.source, each.ref.kind].append(each)
    for group, these in groups.items():
        crm = loop.clients.crms[group[0]]
        for start in range(0, len(these), crm.batch_size):
            if not answers.closed:
                _read(loop, crm, group, these[start : start + crm.batch_size], answers)


def _needs_it(loop: Loop, each: Asked) -> bool:
    last = each.entity.looked_up_at
    oldest = loop.clock.now() - timedelta(hours=loop.settings.lookup_max_age_hours)
    if last is None or last < max(oldest, each.created_at or oldest):
        return True
    return _asks(loop, each.ref.kind) and not {*loop.inputs(), "email"} <= each.known


def _asks(loop: Loop, kind: EntityKind) -> bool:
    """Whether it matters who such a record is, and what of it the models go by."""
    return kind in kinds_that_ask(loop.settings.lead_model, loop.settings.lead_model)


def _read(loop: Loop, crm: Crm, group: Group, these: Sequence[Asked], answers: Answers) -> None:
    source, kind = group
    asks = _asks(loop, kind)
    inputs = [*PERSON[source], *(vendor_property(source, feature) for feature in loop.inputs())] if asks else []
    wanted = [*inputs, *RELATIONS.get(group, ())]
    asked_at = loop.clock.now()
    try:
        usual = (*USUAL.get(source, ()), *ALSO_KNOWN_BY.get(source, ()))
        beside = usual if asks else READ.get(source, {}).get(kind, ())
        everything = list(dict.fromkeys([*wanted, *beside, *crm.own_properties(kind)]))
        records = crm.read(kind, sorted({each.ref.id for each in these}), everything)
        names = crm.names(kind) if kind in KEYED.get(source, ()) else {}
    except VendorError as error:
        log.warning("enrich.lookup.failed", source=source, reason=error.detail)
        for each in these:
            answers.put(each.entity_id, Found(problem=Problem.of(error)))
        return
    for each in these:
        if (record := records.get(each.ref.id)) is None:
            answers.put(each.entity_id, Found(gone=NotFound(f"{each.ref} does not exist in {source}")))
        elif isinstance(record, VendorError):
            answers.put(each.entity_id, Found(problem=Problem.of(record)))
        else:
            looked_up = _looked_up(loop, each.ref, record, names, wanted, asked_at)
            answers.put(each.entity_id, Found(look_ups=(looked_up,), names=names))


def _looked_up(
    loop: Loop, ref: EntityRef, record: Record, names: Mapping[str, str], wanted: Sequence[str], at: datetime
) -> LookedUp:
    inputs = loop.inputs()
    # What a database would refuse (half an emoji, a NUL) counts as missing: one record must not stop the others.
    storable = {name: value for name, value in record.properties.items() if unstorable({name: value}) is None}
    ours = canonical(ref.source, {names.get(key, key): value for key, value in storable.items()}, inputs)
    expected = {*PERSON[ref.source], *inputs} if _asks(loop, ref.kind) else set()
    missing = {vendor_property(ref.source, name) for name in expected - ours.keys()}
    values = {**dict.fromkeys(missing), **storable}
    return LookedUp(ref, at, values, frozenset({*wanted, *missing}), created_at=record.created_at)
