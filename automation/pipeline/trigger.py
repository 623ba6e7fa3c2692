"""Stage 3: which models an event asks, and which version of each answers.

Asked twice: when the event is collected, for the answer at the door (and so that an event that asks nothing is done
there and then), and once more after enrichment, when even Pipedrive's nameless custom fields have names.
"""

from automation.pipeline.context import Case, Loop
from automation.sources.properties import KEYS, canonical
from automation.triggers import asked
from data.domain.event import Event
from data.domain.event_type import Verb, parts_of
from data.errors import LeadloopError
from data.warehouse.entities import EntityRow


def models_for(loop: Loop, source: str, event: Event) -> tuple[str, ...]:
    """The models that an event may ask, from the event alone."""
    if event.by_us:
        return ()
    inputs = loop.inputs()
    changed = canonical(source, event.properties, inputs)
    unnamed = source in KEYS or not inputs
    return asked(event.entity.kind, event.verb, changed, lead_model=loop.settings.lead_model, inputs=None if unnamed else inputs)


def models_asked_of(loop: Loop, event: Event, owner: EntityRow) -> tuple[str, ...]:
    """The same, given whom it is about. Nothing is asked of what has become one with another, which was asked when it did; nor of
    what was deleted after the event. (A review is ours, and dated by our clock.)
    """
    went = owner.is_deleted if event.verb is Verb.REVIEWED else owner.was_deleted_after(event.occurred_at)
    return () if owner.merged_into_id is not None or went else models_for(loop, event.entity.source, event)


def drop_what_is_gone(case: Case) -> None:
    """Where its record went while the event waited, it asks nothing: the CRM has it no more."""
    if case.entity.merged_into_id is not None or case.entity.is_gone(case.event.occurred_at, parts_of(case.event.type)[1]):
        case.models, case.choices, case.look_ups, case.error = (), {}, [], None


def trigger(loop: Loop, cases: list[Case]) -> None:
    """Fills in `case.models` and `case.choices`, or `case.error` where a model has nobody to answer (yet)."""
    inputs = loop.inputs()
    for case in cases:
        kind, verb = parts_of(case.event.type)
        changed = case.changes(inputs)
        case.models = asked(kind, verb, changed, lead_model=loop.settings.lead_model, inputs=inputs or None)
        drop_what_is_gone(case)
        try:
            case.choices = {model: loop.predictor.choose(model, str(case.ref)) for model in case.models}
        except LeadloopError as error:
            case.error = error
