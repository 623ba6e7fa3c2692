"""The schema of events: what it takes is accepted, what is accepted is read, and what does not fit is named."""

import json
from datetime import date, datetime
from functools import cache
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from automation.event_schema import VALUES, example_of, schema_of, schema_of_all
from automation.fitting import READ_AS, fits, misfits, noted
from automation.sources import generic
from automation.sources.registry import SOURCES
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Event
from data.domain.event_type import SHAPES, TYPES, Carries, parts_of
from data.domain.fact import text_of
from data.domain.property_type import PROPERTIES, SAMPLES, WANTED, PropertyType
from ml.features.facts import numbers
from ml.features.inputs import InputKind, is_missing, typed_frame
from ml.features.words import FALSE_WORDS, MISSING_WORDS, SPACES, TRUE_WORDS
from tests.support import NOON

T = PropertyType
CARRYING = [name for name in TYPES if SHAPES[parts_of(name)[1]].properties is not Carries.NONE and PROPERTIES[parts_of(name)[0]]]

PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
WORDS = st.text("abcxyz", min_size=1, max_size=8).filter(lambda word: word not in MISSING_WORDS | TRUE_WORDS | FALSE_WORDS)
FIGURES = st.integers(-(10**15), 10**15) | st.floats(-1e15, 1e15)
DAYS = st.dates(date(1000, 1, 1), date(2999, 12, 31)).map(str)
MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(2999, 12, 30)).map(datetime.isoformat)
NOTHING = st.sampled_from([None, ""])
MANY = st.lists(st.integers(), max_size=2) | st.dictionaries(WORDS, st.integers(), max_size=2)
FITTING: dict[PropertyType, st.SearchStrategy[Any]] = {
    T.TEXT: PLAIN_TEXT | FIGURES | st.booleans(),
    T.EMAIL: st.tuples(WORDS, WORDS).map("@".join),
    T.NUMBER: FIGURES | st.integers(-999, 999).map(str) | st.floats(-1e9, 1e9).map("{:.3f}".format),
    T.COUNT: FIGURES.map(abs) | st.integers(0, 999).map(str),
    T.BOOLEAN: st.booleans() | st.sampled_from([0, 1, *sorted(TRUE_WORDS | FALSE_WORDS)]),
    T.MOMENT: DAYS | MOMENTS | MOMENTS.map("{}Z".format) | MOMENTS.map("{}+05:30".format) | st.integers(10**11, 2 * 10**14),
    T.CURRENCY: st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3),
    T.RESULT: st.sampled_from(["open", "won", "lost"]),
}
MISFITTING: dict[PropertyType, st.SearchStrategy[Any]] = {
    T.TEXT: MANY,
    T.EMAIL: WORDS | MANY | st.booleans() | st.integers(),
    T.NUMBER: WORDS | MANY | st.booleans() | st.floats(1.1e15, 1e300),
    T.COUNT: WORDS | MANY | st.integers(max_value=-1).filter(lambda number: number > -(10**15)) | st.floats(-1e15, -0.1),
    T.BOOLEAN: WORDS | MANY | st.integers(2) | st.floats(1.5, 99),
    T.MOMENT: WORDS | MANY | st.booleans() | st.integers(0, 9_999) | st.just("2026-13-01") | st.just("31.12.2026"),
    T.CURRENCY: WORDS.filter(lambda word: len(word) != 3) | MANY | st.integers() | st.just("€"),
    T.RESULT: WORDS | MANY | st.integers() | st.booleans(),
}
ANYTHING = st.one_of(NOTHING, MANY, PLAIN_TEXT, *FITTING.values(), *MISFITTING.values())


@cache
def validator(name: str | None = None) -> Draft202012Validator:
    return Draft202012Validator(schema_of_all() if name is None else schema_of(name))


def takes(item: Any) -> bool:
    """Whether the schema takes an item: both the one of its type and the whole one, which must agree."""
    (one, whole) = (validator(item["type"]).is_valid(item), validator().is_valid(item))
    assert one == whole, item
    return one


@cache
def validator_of_values(kind: PropertyType) -> Draft202012Validator:
    return Draft202012Validator({"anyOf": [*VALUES[kind], {"enum": [None, ""]}]})


def value_is_valid(kind: PropertyType, value: Any) -> bool:
    return bool(validator_of_values(kind).is_valid(value))


def collected(item: Any) -> tuple[list[Event], list[str]]:
    """The events and the reasons of the rejects."""
    found = generic.parse(json.dumps(item).encode())
    return [event for _, event in found.events], [reject.reason for reject in found.rejects]


def test_the_schemas_are_schemas() -> None:
    for schema in (schema_of_all(), *map(schema_of, TYPES)):
        Draft202012Validator.check_schema(schema)
    assert set(VALUES) == set(WANTED) == set(READ_AS) == set(PropertyType)


@pytest.mark.parametrize("kind", PropertyType)
def test_the_example_of_a_type_of_property_is_one(kind: PropertyType) -> None:
    assert fits(kind, WANTED[kind][1])
    assert value_is_valid(kind, WANTED[kind][1])


@pytest.mark.parametrize("name", TYPES)
def test_the_example_of_every_type_of_event_is_taken(name: str) -> None:
    example = example_of(name)
    assert takes(example)
    assert schema_of(name)["examples"] == [example]
    ((event,), rejects) = collected(example)
    assert (event.type, event.properties, rejects) == (name, example.get("properties", {}), [])


@given(st.data())
def test_an_event_whose_values_fit_is_taken_by_the_schema_and_by_the_collector(data: st.DataObject) -> None:
    item = example_of(data.draw(st.sampled_from(CARRYING)))
    declared = PROPERTIES[parts_of(item["type"])[0]]
    item["properties"] = {one.name: data.draw(FITTING[one.type] | NOTHING) for one in declared}
    assert takes(item)
    ((event,), rejects) = collected(item)
    assert (event.properties, rejects) == (item["properties"], [])
    assert misfits(event) == noted(event) == {}


@given(st.data())
def test_a_value_of_another_type_is_set_aside_and_its_property_and_the_remedy_are_named(data: st.DataObject) -> None:
    item = example_of(data.draw(st.sampled_from(CARRYING)))
    wrong = data.draw(st.sampled_from(PROPERTIES[parts_of(item["type"])[0]]))
    item["properties"][wrong.name] = data.draw(MISFITTING[wrong.type])
    assert not takes(item)
    found = generic.parse(json.dumps([item, example_of("contact.created")]).encode())
    ((place, _),) = found.events
    (reject,) = found.rejects
    assert (place, reject.position, reject.stage) == (1, 0, "validate")
    assert reject.reason.startswith(f"properties.{wrong.name}: must be {WANTED[wrong.type][0]}, as ")
    assert reject.reason.endswith("correct it, or send it under a name of your own")
    assert json.loads(reject.content) == item


@pytest.mark.parametrize("kind", PropertyType)
@settings(max_examples=100)
@given(value=ANYTHING)
def test_what_the_schema_takes_fits(kind: PropertyType, value: Any) -> None:
    assume(str(value)[4:10] != "-02-29")  # which years have one, a pattern cannot say
    if value_is_valid(kind, value):
        assert fits(kind, value)


@pytest.mark.parametrize("kind", PropertyType)
@given(value=ANYTHING)
def test_what_fits_is_read_by_the_features_and_what_does_not_is_none_of_them(kind: PropertyType, value: Any) -> None:
    """By the columns of a whole table, which are read another way than one value."""
    assume(not isinstance(value, dict | list))
    column, text = READ_AS[kind], text_of(value)
    (read,) = typed_frame([column], pl.DataFrame({column.name: [text]}, schema={column.name: pl.String}))[column.name].to_list()
    empty = text is None or is_missing(text.strip(SPACES), column.kind)
    if fits(kind, value):
        assert empty == (read is None)
    elif kind in {T.NUMBER, T.BOOLEAN, T.MOMENT}:
        assert read is None
    if column.kind is InputKind.NUMBER and fits(kind, value) and not empty:
        assert numbers(pl.Series([text], dtype=pl.String)).tolist() == [read], "amounts of deals are read by this"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (T.NUMBER, "12"), (T.NUMBER, " +1.5e3 "), (T.NUMBER, "\u22125"), (T.NUMBER, "unknown"), (T.COUNT, "-0"),
        (T.BOOLEAN, "JA"), (T.MOMENT, "2 Jan 2026"), (T.MOMENT, 20260131), (T.MOMENT, "2026-01"), (T.CURRENCY, " eur"),
        (T.RESULT, "Won"), (T.RESULT, None), (T.TEXT, 2**80), (T.EMAIL, "ada+x@example.co.uk"), (T.EMAIL, "  "),
        (T.CURRENCY, "n/a"),
    ],
)  # fmt: skip
def test_the_collector_reads_what_programs_write(kind: PropertyType, value: Any) -> None:
    assert fits(kind, value)


@pytest.mark.parametrize("source", sorted(SOURCES.keys() - {"leadloop"}))
def test_every_declared_property_is_known_under_its_sender_s_name(source: str) -> None:
    for kind, declared in PROPERTIES.items():
        entity = EntityRef(source=source, kind=kind, id="1")
        told = {one.name: [1] for one in declared} or {"own": [1]}
        event = Event(dedupe_key="1", type=f"{kind}.changed", entity=entity, occurred_at=NOON, properties=told)
        assert misfits(event).keys() == {one.name for one in declared}


def test_a_crm_s_own_name_for_a_declared_property_is_held_against_its_type() -> None:
    told = {"hs_analytics_num_visits": "often", "hs_analytics_source": "REFERRALS", "shoe_size": [43], "email": "none"}
    contact = EntityRef(source="hubspot", kind=EntityKind.CONTACT, id="1")
    event = Event(dedupe_key="1", type="contact.changed", entity=contact, occurred_at=NOON, properties=told)
    assert noted(event) == {
        "schema": "hs_analytics_num_visits: must be a number of 0 or more, as 4, not 'often'; "
        "email: must be an e-mail address, as ada@example.com, not 'none'"
    }


SPOILT = st.sampled_from(
    [None, 3, "", [], {}, "x" * 300, "contact.created", {"kind": "contact", "id": ""}, [{"kind": "deal", "id": "9"}], "2026-01-31"]
)


@settings(max_examples=120)
@given(
    st.sampled_from(TYPES),
    st.sampled_from(["id", "type", "occurred_at", "entity", "properties", "previous", "targets", "more"]),
    SPOILT,
)
def test_a_shape_that_the_schema_takes_is_accepted(name: str, field: str, value: Any) -> None:
    item = {**example_of(name), field: value}
    taken = validator().is_valid(item)
    events, rejects = collected(item)
    if taken:
        assert (len(events), rejects) == (1, [])
    if rejects and field != "previous":
        assert not taken


@pytest.mark.parametrize("name", TYPES)
def test_what_a_verb_must_not_carry_the_schema_does_not_take(name: str) -> None:
    kind, verb = parts_of(name)
    shape, example = SHAPES[verb], example_of(name)
    wrong = [{**example, "entity": {"kind": other.value, "id": "7"}} for other in EntityKind if other is not kind][:3]
    if shape.properties is Carries.NONE:
        wrong.append({**example, "properties": {"color": "red"}})
    if shape.properties is Carries.NEEDED:
        wrong.append({**example, "properties": {}})
    if not shape.targets[1]:
        wrong.append({**example, "targets": [{"kind": kind.value, "id": "8"}]})
    if shape.targets[0]:
        wrong += [{**example, "targets": []}, {name_: part for name_, part in example.items() if name_ != "targets"}]
    for item in wrong:
        assert not takes(item)
        assert collected(item)[1]


def test_every_text_has_a_sample_and_every_sample_a_text() -> None:
    texts = {one.name for declared in PROPERTIES.values() for one in declared if one.type is T.TEXT}
    assert texts == SAMPLES.keys()
