"""TABLE: which change of which entity asks which models."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from data.domain.entity import EntityKind
from data.domain.event import OUR_PREFIX
from data.domain.event_type import Verb

LIVELY = frozenset({Verb.CREATED, Verb.CHANGED, Verb.MERGED, Verb.RESTORED, Verb.REVIEWED})
LEAD = "lead"  # stands for the model that the setting LEAD_MODEL names


@dataclass(frozen=True)
class Trigger:
    """`verbs` of events about this kind of entity ask the model; a change only if it touches one of its inputs."""

    kind: EntityKind
    verbs: frozenset[Verb]
    model: str


TRIGGERS: tuple[Trigger, ...] = (Trigger(EntityKind.CONTACT, LIVELY, LEAD),)


def kinds_that_ask(model: str, lead_model: str) -> frozenset[EntityKind]:
    """The kinds of entities whose changes ask a model."""
    return frozenset(trigger.kind for trigger in TRIGGERS if _model(trigger, lead_model) == model)


def models_asked(lead_model: str) -> tuple[str, ...]:
    """Every model that any change asks."""
    return tuple(dict.fromkeys(_model(trigger, lead_model) for trigger in TRIGGERS))


def asked(
    kind: EntityKind, verb: Verb, changed: Mapping[str, Any], *, lead_model: str, inputs: Iterable[str] | None
) -> tuple[str, ...]:
    """The models that a change asks. `changed` has our names; `inputs` is None while the model is not known here.

    Our own properties coming back never ask: otherwise each write would cause the next one.
    """
    foreign = {name for name in changed if not name.startswith(OUR_PREFIX)}
    models = []
    for trigger in TRIGGERS:
        if trigger.kind is not kind or verb not in trigger.verbs:
            continue
        if verb is Verb.CHANGED and not (foreign if inputs is None else foreign & set(inputs)):
            continue
        models.append(_model(trigger, lead_model))
    return tuple(models)


def _model(trigger: Trigger, lead_model: str) -> str:
    return lead_model if trigger.model == LEAD else trigger.model
