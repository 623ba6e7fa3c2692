"""Which change asks which models."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.triggers import LEAD, TRIGGERS, asked
from data.domain.entity import EntityKind
from data.domain.event_type import Verb

INPUTS = ("sessions", "channel")
NAMES = st.text(max_size=8)


def asked_by(
    verb: str, changed: Mapping[str, Any], *, kind: EntityKind = EntityKind.CONTACT, inputs: tuple[str, ...] | None = INPUTS
) -> tuple[str, ...]:
    return asked(kind, Verb(verb), changed, lead_model="lead_score", inputs=inputs)


def test_a_change_of_an_input_asks() -> None:
    assert asked_by("changed", {"sessions": 4, "firstname": "Ada"}) == ("lead_score",)


def test_a_change_of_another_property_does_not_ask() -> None:
    assert asked_by("changed", {"firstname": "Ada"}) == ()


def test_a_new_contact_asks_whatever_it_has() -> None:
    assert asked_by("created", {}) == ("lead_score",)


def test_a_deleted_contact_does_not_ask() -> None:
    assert asked_by("deleted", {"sessions": None}) == ()


@pytest.mark.parametrize("kind", [EntityKind.DEAL, EntityKind.COMPANY])
@pytest.mark.parametrize("verb", ["created", "changed", "deleted"])
def test_only_contacts_ask(kind: EntityKind, verb: str) -> None:
    assert asked_by(verb, {"sessions": 4}, kind=kind) == ()


@given(
    st.dictionaries(NAMES.map("predicted_".__add__), st.integers(), min_size=1),
    st.none() | st.lists(NAMES.map("predicted_".__add__)),
)
def test_our_own_properties_never_ask(changed: dict[str, int], inputs: list[str] | None) -> None:
    assert asked_by("changed", changed, inputs=None if inputs is None else (*inputs, *changed)) == ()


def test_our_own_property_beside_an_input_asks() -> None:
    assert asked_by("changed", {"predicted_score": 0.9, "channel": "email"}) == ("lead_score",)


def test_any_change_asks_while_the_inputs_are_not_known() -> None:
    assert asked_by("changed", {"firstname": "Ada"}, inputs=None) == ("lead_score",)


@given(st.dictionaries(NAMES, st.integers()), st.lists(NAMES))
def test_a_change_asks_exactly_if_it_touches_an_input(changed: dict[str, int], inputs: list[str]) -> None:
    foreign = {name for name in changed if not name.startswith("predicted_")}
    assert bool(asked_by("changed", changed, inputs=tuple(inputs))) == bool(foreign & set(inputs))


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: f"{trigger.kind}-{trigger.model}")
def test_every_row_of_the_table_asks_its_model(trigger: Any) -> None:
    model = "lead_score" if trigger.model == LEAD else trigger.model
    for verb in trigger.verbs:
        assert model in asked_by(verb, {"sessions": 1}, kind=trigger.kind)
