"""What the event itself says of its entity, after what was looked up: the newer of the two wins, by its time."""

from automation.pipeline.context import Case, Loop
from automation.sources.properties import NAMES_BY_LOOKUP
from data.domain.entity import merged
from data.errors import VendorError


def enrich(loop: Loop, cases: list[Case]) -> None:
    """Merges each event's own changes; a case of the same entity sees those of the cases before it."""
    inputs = loop.inputs()
    before: dict[int, Case] = {}
    for case in cases:
        if (earlier := before.get(case.event.entity_id)) is not None:
            case.known = merged(earlier.known, case.facts)
        if case.event.source in NAMES_BY_LOOKUP:
            _name_the_fields(loop, case)
        case.learn(case.changes(inputs), case.event.occurred_at)
        before[case.event.entity_id] = case


def _name_the_fields(loop: Loop, case: Case) -> None:
    if (crm := loop.clients.crms.get(case.event.source)) is None:
        return
    try:
        names = crm.names(case.ref.kind)
    except VendorError as error:
        case.notes["own_changes"] = error.detail
        return
    case.event.properties = {names.get(key, key): value for key, value in case.event.properties.items()}
