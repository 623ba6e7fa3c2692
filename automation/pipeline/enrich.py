"""Stage 2: the enrichments that ask somebody, in the registry's order, each for so long. The event goes on all the same."""

from collections.abc import Sequence

from automation.enrichments.base import Asked, Found, answers_of
from automation.enrichments.registry import ASKING
from automation.pipeline.context import Case, Loop
from data.domain.event_type import Verb, parts_of


def enrich(loop: Loop, cases: list[Case]) -> None:
    """Adds to what is known of each case's entity. What could not be answered is noted, and tried again later."""
    for name, ask in ASKING.items():
        found = answers_of(loop, name, ask, asked_about(cases), loop.settings.enrich_seconds)
        for case in cases:
            _take_up(case, name, found[case.event.entity_id])


def asked_about(cases: Sequence[Case]) -> list[Asked]:
    """The entities of the cases, each once."""
    found: dict[int, Asked] = {}
    for case in cases:
        number, created = case.event.entity_id, found.get(case.event.entity_id, Asked(case.entity)).created_at
        if parts_of(case.event.type)[1] is Verb.CREATED:
            created = case.event.occurred_at
        found[number] = Asked(case.entity, case.known, created, tuple(case.look_ups))
    return list(found.values())


def _take_up(case: Case, name: str, found: Found) -> None:
    case.look_ups += found.look_ups
    case.names = dict(found.names) or case.names
    case.labels |= found.labels
    if found.problem is not None:
        case.problems[name] = found.problem
        case.notes[name] = found.problem.detail
    if found.gone is not None:
        case.error = found.gone
