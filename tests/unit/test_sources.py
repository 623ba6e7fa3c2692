"""What every source makes of a payload: recorded payloads in, expected events and rejects out; then anything at all."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation.sources import generic, hubspot, pipedrive
from automation.sources.base import LONGEST_KEY, Parsed, dedupe_key
from automation.sources.registry import SOURCES
from data.column_types import unstorable
from data.domain.event import Event
from data.errors import Rejected
from data.nesting import DEEPEST

PAYLOADS = Path(__file__).parent.parent / "payloads"
FILES = sorted(path for name in SOURCES for path in (PAYLOADS / name).glob("*.json"))
WHOLE = None  # the position of a reject that takes the payload as a whole
CHANGE = {
    "portalId": 33, "subscriptionId": 25, "objectId": 901, "subscriptionType": "contact.propertyChange", "propertyName": "sessions",
    "occurredAt": 1772452800123, "eventId": 7, "propertyValue": "4", "attemptNumber": 0,
}  # fmt: skip
META = {
    "version": "2.0", "action": "change", "entity": "person", "entity_id": "41", "company_id": "13085240", "id": "u-u-i-d",
    "timestamp": "2026-03-02T12:00:00.123Z", "attempt": 1,
}  # fmt: skip
LONE = {
    "hubspot": CHANGE,
    "pipedrive": {"meta": META, "data": {"name": "B"}, "previous": {"name": "A"}},
    "generic": {
        "id": "42",
        "type": "contact.changed",
        "occurred_at": "2026-03-02T12:00:00Z",
        "entity": {"kind": "contact", "id": "ada@example.com"},
        "properties": {"sessions": 4},
    },
    "leadloop": {
        "id": "42",
        "source": "hubspot",
        "type": "contact.changed",
        "occurred_at": "2026-03-02T12:00:00Z",
        "entity": {"kind": "contact", "id": "901"},
        "properties": {"sessions": 4},
    },
}


def body_of(payload: Any) -> bytes:
    if isinstance(payload, dict) and payload.keys() == {"text"}:
        return payload["text"].encode()
    return json.dumps(payload).encode()


def parsed(source: str, body: bytes, app_id: str = "") -> Parsed:
    """The outcome of a payload, with a payload that is refused as a whole as one reject."""
    try:
        return SOURCES[source](body, app_id=app_id)
    except Rejected as error:
        return Parsed(rejects=[(WHOLE, error.stage, error.detail)])  # type: ignore[list-item]


def only_event(source: str, item: Any) -> Event:
    ((_, event),) = SOURCES[source](json.dumps([item]).encode()).events
    return event


def nested(depth: int, innermost: str = "") -> str:
    return "[" * depth + innermost + "]" * depth


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recorded_payload_becomes_the_expected_events(path: Path) -> None:
    case = json.loads(path.read_text())
    found = parsed(path.parent.name, body_of(case["body"]), case.get("app_id", ""))
    expected = [(item.pop("position"), Event.model_validate(item)) for item in case["events"]]
    assert found.events == expected
    rejects = [item if isinstance(item, tuple) else (item.position, item.stage, item.reason) for item in found.rejects]
    assert [(position, stage) for position, stage, _ in rejects] == [(item["position"], item["stage"]) for item in case["rejects"]]
    for (_, _, reason), wanted in zip(rejects, case["rejects"], strict=True):
        assert wanted["reason_contains"] in reason


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_has_recorded_payloads_that_fit_and_that_do_not(source: str) -> None:
    cases = [json.loads(path.read_text()) for path in FILES if path.parent.name == source]
    assert any(case["events"] for case in cases)
    assert any(case["rejects"] for case in cases)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("depth", [DEEPEST + 1, 1_001, 100_000])
def test_deep_nesting_is_refused(source: str, depth: int) -> None:
    for body in ("[" * depth, nested(depth), '{"a":' * depth):
        with pytest.raises(Rejected, match="nested too deeply"):
            SOURCES[source](body.encode())


@pytest.mark.parametrize("innermost", ["1", '"\\u0000"', "1e999"])
@pytest.mark.parametrize("place", ["item", "value"])
def test_nesting_just_short_of_too_deep_takes_no_other_event_with_it(place: str, innermost: str) -> None:
    for depth in range(1, 2 * DEEPEST):
        deep = nested(depth, innermost)
        first = (
            deep if place == "item" else json.dumps({**LONE["generic"], "properties": {"a": 1}}).replace('"a": 1', f'"a": {deep}')
        )
        try:
            found = generic.parse(f"[{first}, {json.dumps(LONE['generic'])}]".encode())
        except Rejected as error:
            assert "nested too deeply" in error.detail  # noqa: PT017
            assert DEEPEST - 3 < depth <= DEEPEST
            break
        assert found.events[-1][0] == 1, depth


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("body", [b"\xff\xfe[]", b'["\xc3"]', "[]".encode("utf-16"), b"\x1f\x8b\x08\x00", b'["\xed\xa0\x80"]'])
def test_bytes_that_are_not_utf_8_are_refused(source: str, body: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        SOURCES[source](body)
    assert refused.value.stage == "parse"


@pytest.mark.parametrize("source", SOURCES)
def test_more_than_a_hundred_events_are_all_taken(source: str) -> None:
    found = SOURCES[source](json.dumps([LONE[source]] * 101).encode())
    assert [position for position, _ in found.events] == list(range(101))
    assert found.rejects == []


@pytest.mark.parametrize("source", SOURCES)
def test_a_rejected_item_keeps_its_own_content(source: str) -> None:
    item = {"nothing": "that fits", "é\ud800": [1, None]}
    (reject,) = SOURCES[source](json.dumps([LONE[source], item]).encode()).rejects
    assert (reject.position, json.loads(reject.content)) == (1, item)


@pytest.mark.parametrize("source", SOURCES)
def test_a_number_of_too_many_digits_is_refused(source: str) -> None:
    with pytest.raises(Rejected):
        SOURCES[source](b"[" + b"9" * 10_000 + b"]")


@given(st.integers(0, 10_000))
def test_another_attempt_of_hubspot_is_the_same_event(attempt: int) -> None:
    assert only_event("hubspot", {**CHANGE, "attemptNumber": attempt}).dedupe_key == only_event("hubspot", CHANGE).dedupe_key


@given(st.integers(1, 100))
def test_another_attempt_of_pipedrive_is_the_same_event(attempt: int) -> None:
    again = {**LONE["pipedrive"], "meta": {**META, "attempt": attempt, "correlation_id": str(attempt)}}
    assert only_event("pipedrive", again).dedupe_key == only_event("pipedrive", LONE["pipedrive"]).dedupe_key


@pytest.mark.parametrize(
    ("part", "others"),
    [
        ("portalId", st.integers(0, 2**63 - 1)),
        ("subscriptionId", st.none() | st.integers(0, 2**63 - 1)),
        ("objectId", st.integers(0, 2**63 - 1)),
        (
            "subscriptionType",
            st.sampled_from(["contact.creation", "contact.deletion", "contact.privacyDeletion", "deal.propertyChange"]),
        ),
        ("propertyName", st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=255)),
        ("occurredAt", st.integers(10**12, 10**14)),
        ("eventId", st.integers(0, 2**63 - 1)),
    ],
)
def test_each_part_that_tells_hubspot_events_apart_is_in_the_key(part: str, others: st.SearchStrategy[Any]) -> None:
    @given(others.filter(lambda value: value != CHANGE[part]))
    def differs(value: Any) -> None:
        assert only_event("hubspot", {**CHANGE, part: value}).dedupe_key != only_event("hubspot", CHANGE).dedupe_key

    differs()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("entity_id", "42"),
        ("entity", "deal"),
        ("action", "create"),
        ("company_id", "1"),
        ("id", "v"),
        ("timestamp", "2026-03-02T12:00:00.124Z"),
    ],
)
def test_each_part_that_tells_pipedrive_events_apart_is_in_the_key(part: str, value: str) -> None:
    other = {**LONE["pipedrive"], "meta": {**META, part: value}}
    assert only_event("pipedrive", other).dedupe_key != only_event("pipedrive", LONE["pipedrive"]).dedupe_key


@given(st.lists(st.none() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_a_key_fits_its_column(parts: list[Any]) -> None:
    assert len(dedupe_key(*parts, "x" * LONGEST_KEY)) <= LONGEST_KEY
    assert dedupe_key(*parts, "x" * LONGEST_KEY) != dedupe_key(*parts, "y" * LONGEST_KEY)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"type": "double", "value": 3}, 3),
        ({"value": None}, None),
        ({"amount": 3}, {"amount": 3}),
        ([], []),
        ([1, 2], [1, 2]),
        ([{"value": "a"}, {"value": "b", "primary": True}], "b"),
        ([{"value": "a"}, {"value": "b"}], "a"),
        ([{"value": "a"}, {"label": "work"}], [{"value": "a"}, {"label": "work"}]),
    ],
    ids=str,
)
def test_a_pipedrive_value_is_made_plain(value: Any, plain: Any) -> None:
    assert pipedrive.flat({"field": value}) == {"field": plain}
    chosen = None if plain == [] else plain  # of a field of options none
    assert pipedrive.flat({"custom_fields": {"field": value}}) == {"field": chosen}


# What HubSpot's API lets an app subscribe to (`SubscriptionCreateRequest.eventType`), and what we make of it.
SUBSCRIPTIONS: dict[str, str | None] = {
    **{f"contact.{action}": f"contact.{verb}" for action, verb in hubspot.ACTIONS.items()},
    **{
        f"{name}.{action}": f"{name if name in hubspot.KINDS else 'other'}.{verb}"
        for name in ("company", "deal", "ticket", "line_item")
        for action, verb in hubspot.ACTIONS.items()
        if action != "privacyDeletion"
    },
    **{
        f"product.{action}": f"product.{verb}"
        for action, verb in hubspot.ACTIONS.items()
        if action not in {"privacyDeletion", "associationChange"}
    },
    **{f"object.{action}": f"contact.{verb}" for action, verb in hubspot.ACTIONS.items() if action != "privacyDeletion"},
    "conversation.creation": "other.created",
    "conversation.deletion": "other.deleted",
    "conversation.propertyChange": "other.changed",
    "conversation.privacyDeletion": None,
    "conversation.newMessage": None,
    "event.completed": None,
}
LINK = {"fromObjectId": 901, "toObjectId": 5}
MERGE = {"newObjectId": 901, "primaryObjectId": 5, "mergedObjectIds": [6]}


def test_every_subscription_type_of_hubspot_is_there() -> None:
    assert len(SUBSCRIPTIONS) == 48


@pytest.mark.parametrize(("theirs", "ours"), SUBSCRIPTIONS.items())
def test_every_subscription_type_of_hubspot_is_read_or_set_aside(theirs: str, ours: str | None) -> None:
    name = theirs.partition(".")[0]
    more: dict[str, Any] = {"objectTypeId": "0-1"} if name == "object" else {}
    if theirs.endswith(".associationChange"):
        sides = {"fromObjectTypeId": "0-1", "toObjectTypeId": "0-2"} if name == "object" else {}
        more |= {**LINK, **sides} if sides else {**LINK, "associationType": f"{name.upper()}_TO_COMPANY"}
    if theirs.endswith(".merge"):
        more |= MERGE
    found = hubspot.parse(json.dumps([{**CHANGE, "subscriptionType": theirs, **more}]).encode())
    if ours is None:
        assert [reject.stage for reject in found.rejects] == ["validate"]
        return
    ((_, event),) = found.events
    assert event.type == ours
    assert event.entity.id.rpartition(":")[2] == "901"
    assert bool(event.properties) == theirs.endswith(".propertyChange")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MOMENTS = st.datetimes().map(datetime.isoformat).map(lambda text: f"{text}-13:00")


@st.composite
def spoiled(draw: st.DrawFn, item: dict[str, Any]) -> dict[str, Any]:
    """The item with up to two fields replaced or added, at any depth."""
    changed = dict(item)
    for name in draw(st.lists(st.sampled_from([*item, "custom_fields"]), max_size=2)):
        deeper = isinstance(item.get(name), dict) and draw(st.booleans())
        changed[name] = draw(spoiled(item[name]) if deeper else JSON | MOMENTS)
    return changed


@pytest.mark.parametrize("source", SOURCES)
def test_any_bytes_are_parsed_or_rejected(source: str) -> None:
    @given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
    def holds(body: bytes) -> None:
        assert parsed(source, body).events == []

    holds()


@pytest.mark.parametrize("source", SOURCES)
def test_any_json_is_parsed_or_rejected_and_what_is_parsed_can_be_stored(source: str) -> None:
    @settings(max_examples=200)
    @given(JSON | st.lists(JSON | spoiled(LONE[source]), max_size=3))
    def holds(value: Any) -> None:
        found = parsed(source, json.dumps(value).encode())
        for _, event in found.events:
            assert unstorable(event.model_dump(mode="json")) is None
        refused_as_a_whole = any(isinstance(item, tuple) for item in found.rejects)
        items = len(value) if isinstance(value, list) and not refused_as_a_whole else 1
        assert len(found.events) + len(found.rejects) == items

    holds()
