"""What must be known of people in the end: what the CRM has of who is there, and nothing of who was deleted."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlmodel import Session

from automation.sandbox.state import Sandbox
from automation.sources.properties import vendor_property
from data.domain.entity import EntityKind, EntityRef
from data.domain.fact import Fact, newest, text_of
from data.warehouse import entities, facts
from tests.chaos.load import Load

KINDS = {"hubspot": "contacts", "pipedrive": "persons"}


def wrong_known(session: Session, sandbox: Sandbox, load: Load, inputs: Iterable[str], lost: Mapping[str, set[str]]) -> list[str]:
    """By the newest facts, of what the model asks for. Where a message was lost, of them or of whom they went into, is known what
    they were when last looked at.
    """
    found = []
    for source, numbers in load.people.items():
        keys = _keys(sandbox, source, inputs)
        for number in sorted(numbers):
            row = entities.find(session, EntityRef(source=source, kind=EntityKind.CONTACT, id=number))
            if row is None or row.id is None or {f"contact {number}", f"contact {load.now(source, number)}"} & lost[source]:
                continue
            known = newest(facts.of_entities(session, {row.id})[row.id])
            if (record := sandbox.get(source, KINDS[source], number)) is not None:
                has = record.properties
                wrong = {name: (_value(known, key), text_of(has.get(name))) for name, key in keys.items()}
            elif number in sandbox.store(source, KINDS[source]).archived and row.merged_into_id is None:
                wrong = {name: (_value(known, key), None) for name, key in keys.items()}
            else:
                continue
            told = [f"{name} {here!r} instead of {there!r}" for name, (here, there) in wrong.items() if here != there]
            found += [f"{source} {number}: {', '.join(told)}"] if told else []
    return found


def _value(known: Mapping[str, Fact], key: str) -> Any:
    return known[key].value if key in known else None


def _keys(sandbox: Sandbox, source: str, inputs: Iterable[str]) -> dict[str, str]:
    """What the CRM calls each input -> under which name it is known: Pipedrive's own fields by their keys."""
    if source == "hubspot":
        return {name: name for name in (vendor_property(source, each) for each in inputs)}
    return {
        field["name"]: key for key, field in sandbox.pipedrive_account.fields["persons"].items() if field["name"] in set(inputs)
    }
