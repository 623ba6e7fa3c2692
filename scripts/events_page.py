"""Writes `docs/events.md` and `docs/events.schema.json` from the tables that the code goes by: python -m scripts.events_page"""

import json
from typing import Any

from automation.event_schema import example_of, schema_of_all
from automation.sources import hubspot, pipedrive
from data.domain.entity import EntityKind
from data.domain.event_type import SHAPES, VERBS, Carries, Verb, type_of
from data.domain.property_type import PROPERTIES, WANTED, PropertyType
from data.settings import ROOT

PAGE = ROOT / "docs" / "events.md"
SCHEMA = ROOT / "docs" / "events.schema.json"
INTRO = """# Events

<!-- made by python -m scripts.events_page -->

An event is one fact: something happened to an entity at a moment. Whatever a CRM sends becomes events of these types; your own
systems can send them to `POST /collect/generic` as they are (an object, or an array of them):

```json
{"id": "42", "type": "deal.changed", "occurred_at": "2026-01-31T12:00:00Z", "entity": {"kind": "deal", "id": "7"},
 "properties": {"amount": 1200}, "previous": {"amount": 900}, "targets": []}
```

`id` names the event at its sender: the same id again is a repeat, and changes nothing. `properties` are the new values, `previous`
the old ones as far as the sender says them, `targets` other entities that the event names. What is no such event is set aside as
a dead letter that says why, and never holds up its neighbours.

HubSpot's webhooks say no old values. They are filled in when the event is stored, from what is known of the record before it (of
what is deleted, all that was known), and corrected where one comes late that lies between.

Pipedrive's custom fields come under keys: what the account calls them is asked once an hour, of every kind of record, and they are
of use from then on. Options of its fields and `label_ids` come, and are stored, as ids; models and people see what the account
calls them ([features](features.md)). Of an amount, the currency is a property beside it: `<key>_currency`.

**Writing a sender?** [events.schema.json](events.schema.json) is a JSON Schema (draft 2020-12) of all that `POST /collect/generic`
takes; a running service gives it out at `GET /events/schema`, and that of one type at `GET /events/schema?type=deal.changed`,
without a token. What it takes is accepted.

A property that is not in these tables is your own: it is stored as it comes. Those of contacts, companies and deals become features
of the models ([features](features.md)). A value that is not of its property's type sets its event aside, as a dead letter of the
stage `validate` that names the property. A CRM's records are what they are: there the event is taken, the value is kept as it came
and counts as missing, and what does not fit is noted beside the event (`notes`, `schema`). Names that begin with `predicted_` are
Leadloop's, and teach nothing.

"""
TYPES_INTRO = """
## Types of properties

No value (null, an empty text) fits every type. A text counts as the number, date or truth that it says, as for the features: `12`,
`2 Jan 2026`, `yes`; words for a missing value (`n/a`, `unknown`) say that there is none.

"""


def page() -> str:
    parts = [INTRO, "## What may happen\n\n", *_table(("verb", "means", "properties", "targets"), map(_verb_row, Verb))]
    parts += [TYPES_INTRO, *_table(("type", "takes", "as"), map(_property_row, PropertyType))]
    for kind in EntityKind:
        parts += [f"\n## {kind}\n\n", *_table(("type", "HubSpot", "Pipedrive"), (_type_row(kind, verb) for verb in VERBS[kind]))]
        if PROPERTIES[kind]:
            rows = ((f"`{one.name}`", str(one.type), one.means) for one in PROPERTIES[kind])
            parts += ["\n", *_table(("property", "type", "means"), rows)]
        parts.append(f"\n```json\n{json.dumps(example_of(type_of(kind, VERBS[kind][0])), ensure_ascii=False)}\n```\n")
    return "".join(parts)


def schema() -> str:
    return json.dumps(schema_of_all(), indent=1, ensure_ascii=False) + "\n"


def _verb_row(verb: Verb) -> tuple[str, ...]:
    shape = SHAPES[verb]
    words = {Carries.NEEDED: "at least one", Carries.ALLOWED: "any", Carries.NONE: "none"}
    return f"`{verb}`", shape.means, words[shape.properties], shape.names or "none"


def _property_row(kind: PropertyType) -> tuple[str, ...]:
    wanted, example = WANTED[kind]
    return str(kind), wanted, f"`{json.dumps(example)}`"


def _type_row(kind: EntityKind, verb: Verb) -> tuple[str, ...]:
    return f"`{type_of(kind, verb)}`", _of_hubspot(kind, verb), _of_pipedrive(kind, verb)


def _of_hubspot(kind: EntityKind, verb: Verb) -> str:
    actions = [action for action, theirs in hubspot.ACTIONS.items() if theirs is verb]
    if verb is Verb.DISSOCIATED:
        actions = ["associationChange"]
    if kind is EntityKind.OTHER:
        return ", ".join(f"`<object>.{action}`" for action in actions)
    return ", ".join(f"`{name}.{action}`" for name, _, theirs in hubspot.OBJECTS if theirs is kind for action in actions)


def _of_pipedrive(kind: EntityKind, verb: Verb) -> str:
    names = [name for name, theirs in pipedrive.KINDS.items() if theirs is kind]
    if verb is Verb.MERGED:
        return ", ".join(f"`{name}` change with `merged_from_id`" for name in names)
    return ", ".join(f"`{name}` {action}" for name in names for action, theirs in pipedrive.ACTIONS.items() if theirs is verb)


def _table(head: tuple[str, ...], rows: Any) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(cells)} |\n" for cells in lines]


def main() -> None:
    PAGE.write_text(page(), "utf-8")
    SCHEMA.write_text(schema(), "utf-8")


if __name__ == "__main__":
    main()
