"""Reads from the CRM what an event does not carry: a hundred records a call, and only where needed.

A record is read when its entity is new here, when what is known has grown old, or when the event is its creation
(HubSpot's carries no property at all).
"""

from collections import defaultdict
from datetime import timedelta

from automation.clients.base import Crm, Record
from automation.memory import LookedUp
from automation.pipeline.context import Case, Loop
from automation.sources.properties import KEYED, PERSON, USUAL, canonical, vendor_property
from data.db import unstorable
from data.domain.entity import EntityKind
from data.domain.relation import RELATIONS
from data.errors import NotFound, VendorError
from data.log import get_logger

log = get_logger("enrich")

Group = tuple[str, EntityKind]


def enrich(loop: Loop, cases: list[Case]) -> None:
    """Adds the CRM's current values. An entity that the CRM does not have ends its cases here."""
    groups: dict[Group, list[Case]] = defaultdict(list)
    for case in cases:
        if case.event.source in loop.clients.crms and case.entity.merged_into_id is None and _needs_it(loop, case):
            groups[case.event.source, case.ref.kind].append(case)
    for (source, kind), wanting in groups.items():
        try:
            _read(loop, loop.clients.crms[source], source, kind, wanting)
        except VendorError as error:
            log.warning("enrich.lookup.failed", source=source, reason=error.detail)
            for case in wanting:
                case.notes["crm_lookup"] = error.detail


def _needs_it(loop: Loop, case: Case) -> bool:
    last = case.entity.looked_up_at
    oldest = loop.clock.now() - timedelta(hours=loop.settings.lookup_max_age_hours)
    wanted = {*loop.inputs(), "email"}
    return last is None or last < oldest or case.event.type.endswith(".created") or not wanted <= case.known


def _read(loop: Loop, crm: Crm, source: str, kind: EntityKind, cases: list[Case]) -> None:
    inputs = loop.inputs()
    wanted = [*PERSON[source], *(vendor_property(source, feature) for feature in inputs), *RELATIONS.get((source, kind), ())]
    ids = sorted({case.ref.id for case in cases})
    found: dict[str, Record] = {}
    everything = list(dict.fromkeys([*wanted, *USUAL.get(source, ()), *crm.own_properties(kind)]))
    asked_at = loop.clock.now()
    for start in range(0, len(ids), crm.batch_size):
        found |= crm.read(kind, ids[start : start + crm.batch_size], everything)
    names = crm.names(kind) if kind in KEYED.get(source, ()) else {}
    for case in cases:
        if (record := found.get(case.ref.id)) is None:
            case.error = NotFound(f"{case.ref} does not exist in {source}")
            continue
        case.names = names
        # What a database would refuse (half an emoji, a NUL) counts as missing: one record must not stop the others.
        storable = {name: value for name, value in record.properties.items() if unstorable({name: value}) is None}
        ours = canonical(source, {names.get(key, key): value for key, value in storable.items()}, inputs)
        missing = {vendor_property(source, name) for name in {*PERSON[source], *inputs} - ours.keys()}
        case.looked_up = LookedUp(
            case.ref, case.event.entity_id, asked_at, {**dict.fromkeys(missing), **storable}, frozenset({*wanted, *missing})
        )
