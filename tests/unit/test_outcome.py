"""Which events are outcomes."""

from typing import Any

import pytest

from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Event
from data.domain.outcome import CONTACT_ENDINGS, ENDINGS, Outcome, Result, outcome_of
from tests.support import NOON


def event(kind: EntityKind = EntityKind.DEAL, verb: str = "changed", **properties: Any) -> Event:
    entity = EntityRef(source="hubspot", kind=kind, id="9")
    return Event(dedupe_key="1", type=f"{kind}.{verb}", entity=entity, occurred_at=NOON, properties=properties)


@pytest.mark.parametrize(("ending", "result"), ENDINGS.items(), ids=str)
@pytest.mark.parametrize("shown", [str, str.upper, str.title])
def test_an_ending_in_any_case_is_an_outcome(ending: tuple[str, str], result: Result, shown: Any) -> None:
    name, word = ending
    ended = event(amount="5", **{name: shown(word)})
    assert outcome_of(ended) == Outcome(entity=ended.entity, result=result, occurred_at=NOON)


def test_a_deal_may_be_won_when_it_is_created() -> None:
    found = outcome_of(event(verb="created", status="won"))
    assert found is not None
    assert found.result is Result.WON


@pytest.mark.parametrize(
    "properties",
    [
        {"dealstage": "contractsent"},
        {"status": "open"},
        {"dealstage": "won"},
        {"status": "closedwon"},
        {"name": "won"},
        {"status": None},
    ],
    ids=str,
)
def test_a_deal_that_goes_on_is_no_outcome(properties: dict[str, Any]) -> None:
    assert outcome_of(event(**properties)) is None


@pytest.mark.parametrize("kind", [kind for kind in EntityKind if kind is not EntityKind.DEAL])
def test_the_end_of_a_deal_is_no_outcome_of_anything_else(kind: EntityKind) -> None:
    assert outcome_of(event(kind, status="won")) is None


@pytest.mark.parametrize(("ending", "result"), CONTACT_ENDINGS.items(), ids=str)
def test_a_contact_may_be_told_to_be_a_customer_or_never_to_become_one(ending: tuple[str, str], result: Result) -> None:
    name, word = ending
    found = outcome_of(event(EntityKind.CONTACT, **{name: word.upper()}))
    assert found is not None
    assert found.result is result
    assert outcome_of(event(EntityKind.DEAL, **{name: word})) is None
