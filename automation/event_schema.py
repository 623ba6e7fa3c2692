"""The types of events as JSON Schema (draft 2020-12), made of the tables, for whoever writes a sender of our own JSON.

What a schema takes is accepted. The collector reads a little more: other ways in which programs write numbers, dates and truths.
"""

from typing import Any

from automation.fitting import EMAIL, RESULTS
from data.domain.entity import EntityKind
from data.domain.event_type import SHAPES, TYPES, VERBS, Carries, Shape, Verb, parts_of
from data.domain.property_type import PROPERTIES, WANTED, Property, PropertyType
from ml.features.inputs import LARGEST_NUMBER
from ml.features.words import FALSE_WORDS, TRUE_WORDS

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
LONGEST_EVENT_ID, LONGEST_ENTITY_ID = 256, 128
# At most 15 digits before the point, so that none is beyond LARGEST_NUMBER.
NUMBER_TEXT = r"^[+-]?[0-9]{1,15}(\.[0-9]+)?$"
COUNT_TEXT = r"^[+]?[0-9]{1,15}(\.[0-9]+)?$"
# February has 29 days here: which years have none of them, no pattern says.
IN_YEAR = r"((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))"
DAY = f"[12][0-9]{{3}}-{IN_YEAR}"
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
ZONE = r"(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"
FIRST_MILLISECONDS, LAST_MILLISECONDS = 100_000_000_000, 253_402_300_799_999  # from March 1973 to the end of 9999

VALUES: dict[PropertyType, list[Schema]] = {
    PropertyType.TEXT: [{"type": ["string", "number", "boolean"]}],
    PropertyType.EMAIL: [{"type": "string", "pattern": f"^{EMAIL.pattern}$"}],
    PropertyType.NUMBER: [
        {"type": "number", "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER},
        {"type": "string", "pattern": NUMBER_TEXT},
    ],
    PropertyType.COUNT: [
        {"type": "number", "minimum": 0, "maximum": LARGEST_NUMBER},
        {"type": "string", "pattern": COUNT_TEXT},
    ],
    PropertyType.BOOLEAN: [{"type": "boolean"}, {"enum": [0, 1]}, {"enum": sorted(TRUE_WORDS | FALSE_WORDS)}],
    PropertyType.MOMENT: [
        {"type": "string", "pattern": f"^{DAY}([T ]{CLOCK}{ZONE}?)?$"},
        {"type": "integer", "minimum": FIRST_MILLISECONDS, "maximum": LAST_MILLISECONDS},
    ],
    PropertyType.CURRENCY: [{"type": "string", "pattern": "^[A-Za-z]{3}$"}],
    PropertyType.RESULT: [{"enum": list(RESULTS)}],
}
NONE: Schema = {"enum": [None, ""]}


def schema_of(name: str) -> Schema:
    """The schema of one event of a type, complete in itself."""
    kind, verb = parts_of(name)
    shape = SHAPES[verb]
    used = sorted({one.type for one in PROPERTIES[kind]}) if shape.properties is not Carries.NONE else []
    return {
        "$schema": DRAFT,
        "title": name,
        "description": shape.means,
        **_item({"const": name}, _entity({"const": kind.value}), _properties(kind, shape), _targets(shape, _target(kind, verb))),
        "required": ["id", "type", "occurred_at", "entity", *_needed(shape)],
        "$defs": {_slug(each): _value(each) for each in used},
        "examples": [example_of(name)],
    }


def schema_of_all() -> Schema:
    """The schema of what `POST /collect/generic` takes: one event of any type, or an array of them."""
    open_item = _item(
        {"enum": list(TYPES)}, _entity({"enum": [kind.value for kind in EntityKind]}), {"type": "object"}, {"type": "array"}
    )
    rules = [*(_of_kind(kind) for kind in EntityKind), *(_of_verb(verb) for verb in Verb)]
    return {
        "$schema": DRAFT,
        "title": "Events",
        "description": "What POST /collect/generic takes: one event, or an array of them.",
        "oneOf": [{"$ref": "#/$defs/event"}, {"type": "array", "items": {"$ref": "#/$defs/event"}}],
        "$defs": {
            "event": {**open_item, "required": ["id", "type", "occurred_at", "entity"], "allOf": rules},
            **{_slug(each): _value(each) for each in PropertyType},
        },
        "examples": [example_of("deal.changed")],
    }


def example_of(name: str) -> dict[str, Any]:
    """An event of a type with a value for everything that it may carry."""
    kind, verb = parts_of(name)
    shape = SHAPES[verb]
    example: dict[str, Any] = {
        "id": "42",
        "type": name,
        "occurred_at": "2026-01-31T12:00:00Z",
        "entity": {"kind": kind.value, "id": "7"},
    }
    if shape.properties is not Carries.NONE:
        example["properties"] = {one.name: one.example for one in PROPERTIES[kind]} or {"color": "red"}
    if shape.targets[1]:
        example["targets"] = [{"kind": kind.value, "id": "8"}]
    return example


def _item(type_: Schema, entity: Schema, properties: Schema, targets: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string", "minLength": 1, "maxLength": LONGEST_EVENT_ID, "description": "the same again is a repeat"},
            "type": type_,
            "occurred_at": {"type": "string", "format": "date-time", "pattern": f"^2[0-9]{{3}}-{IN_YEAR}T{CLOCK}{ZONE}$"},
            "entity": entity,
            "properties": properties,
            "previous": {"type": "object", "description": "the values before, as far as they are known"},
            "targets": targets,
        },
        "additionalProperties": False,
    }


def _entity(kind: Schema) -> Schema:
    number = {"type": "string", "minLength": 1, "maxLength": LONGEST_ENTITY_ID, "pattern": r"^[^\u0000-\u001f]+$"}
    return {"type": "object", "properties": {"kind": kind, "id": number}, "required": ["kind", "id"], "additionalProperties": False}


def _target(kind: EntityKind, verb: Verb) -> Schema:
    """What goes into another is of its kind; what belongs to another is of any."""
    return _entity({"const": kind.value} if verb is Verb.MERGED else {"enum": [each.value for each in EntityKind]})


def _properties(kind: EntityKind, shape: Shape) -> Schema:
    if shape.properties is Carries.NONE:
        return {"type": "object", "maxProperties": 0}
    least = {"minProperties": 1} if shape.properties is Carries.NEEDED else {}
    return {"type": "object", "properties": {one.name: _property(one) for one in PROPERTIES[kind]}, **least}


def _targets(shape: Shape, target: Schema) -> Schema:
    fewest, most = shape.targets
    return {"type": "array", "minItems": fewest, "maxItems": most, **({"items": target} if most else {})}


def _needed(shape: Shape) -> list[str]:
    return [*(["properties"] if shape.properties is Carries.NEEDED else []), *(["targets"] if shape.targets[0] else [])]


def _property(one: Property) -> Schema:
    return {"$ref": f"#/$defs/{_slug(one.type)}", "description": one.means}


def _value(kind: PropertyType) -> Schema:
    return {"description": WANTED[kind][0], "anyOf": [*VALUES[kind], NONE]}


def _slug(kind: PropertyType) -> str:
    """
    >>> _slug(PropertyType.RESULT)
    'result'
    """
    return kind.name.lower()


def _of_kind(kind: EntityKind) -> Schema:
    """What holds of events about a kind: their types, their properties, and that only their own go into them."""
    types = {"enum": [f"{kind}.{verb}" for verb in VERBS[kind]]}
    then: Schema = {"type": types}
    if PROPERTIES[kind]:
        then["properties"] = {"properties": {one.name: _property(one) for one in PROPERTIES[kind]}}
    rule: Schema = {"properties": then}
    if Verb.MERGED in VERBS[kind]:
        same = {"properties": {"targets": {"items": {"properties": {"kind": {"const": kind.value}}}}}}
        rule |= {"if": {"properties": {"type": {"const": f"{kind}.{Verb.MERGED}"}}}, "then": same}
    return {"if": {"properties": {"entity": {"properties": {"kind": {"const": kind.value}}}}}, "then": rule}


def _of_verb(verb: Verb) -> Schema:
    """What events of a verb carry."""
    shape = SHAPES[verb]
    sizes = {Carries.NEEDED: {"minProperties": 1}, Carries.ALLOWED: {}, Carries.NONE: {"maxProperties": 0}}[shape.properties]
    target = _entity({"enum": [kind.value for kind in EntityKind]})
    then = {"properties": {"properties": sizes, "targets": _targets(shape, target)}, "required": _needed(shape)}
    return {"if": {"properties": {"type": {"pattern": rf"\.{verb}$"}}}, "then": then}
