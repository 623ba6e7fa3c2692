"""What says how somebody ended, and how often somebody did."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from data.domain.entity import EntityKind
from data.domain.fact import Fact, Origin
from data.domain.outcome import CONTACT_ENDINGS, ENDINGS, Result, end_of, ends_of, result_of
from tests.support import NOON

DEAL, CONTACT = EntityKind.DEAL, EntityKind.CONTACT


@pytest.mark.parametrize(("ending", "result"), ENDINGS.items(), ids=str)
@pytest.mark.parametrize("shown", [str, str.upper, str.title])
def test_an_ending_in_any_case_is_one(ending: tuple[str, str], result: Result, shown: Any) -> None:
    name, word = ending
    assert result_of(DEAL, name, shown(word)) is result


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dealstage", "contractsent"), ("status", "open"), ("dealstage", "won"), ("status", "closedwon"), ("name", "won"),
        ("status", None), ("hs_is_closed_won", "false"), ("hs_is_closed", "true"),
    ],
    ids=str,
)  # fmt: skip
def test_a_deal_that_goes_on_has_not_ended(name: str, value: str | None) -> None:
    assert result_of(DEAL, name, value) is None


@pytest.mark.parametrize("kind", [kind for kind in EntityKind if kind is not DEAL])
def test_the_end_of_a_deal_is_none_of_anything_else(kind: EntityKind) -> None:
    assert result_of(kind, "status", "won") is None


@pytest.mark.parametrize(("ending", "result"), CONTACT_ENDINGS.items(), ids=str)
def test_a_contact_may_be_told_to_be_a_customer_or_never_to_become_one(ending: tuple[str, str], result: Result) -> None:
    name, word = ending
    assert result_of(CONTACT, name, word.upper()) is result
    assert result_of(DEAL, name, word) is None


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def told(*said: tuple[float, str, str | None], origin: Origin = Origin.EVENT) -> list[Fact]:
    return [Fact(1, name, value, minute(at), minute(at), origin, id=place) for place, (at, name, value) in enumerate(said)]


STAGE, WON, LOST = "dealstage", "hs_is_closed_won", "hs_is_closed_lost"


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ([(0, STAGE, "closedwon"), (5, STAGE, "closedwon")], [("won", 0)]),
        ([(0, STAGE, "closedwon"), (1, WON, "true"), (1, LOST, "false")], [("won", 0)]),
        ([(0, STAGE, "closedwon"), (5, STAGE, "contractsent"), (9, STAGE, "closedwon")], [("won", 0), ("won", 9)]),
        ([(0, WON, "true"), (5, STAGE, "7"), (5, WON, "false"), (9, STAGE, "8"), (9, WON, "true")], [("won", 0), ("won", 9)]),
        ([(0, STAGE, "closedwon"), (0, WON, "true"), (5, STAGE, "closedlost"), (5.1, WON, "false"), (5.1, LOST, "true")],
         [("won", 0), ("lost", 5)]),
        ([(0, STAGE, "contractsent"), (1, "amount", "5")], []),
    ],
    ids=str,
)  # fmt: skip
def test_each_end_counts_once(said: list[tuple[float, str, str | None]], ended: list[tuple[str, float]]) -> None:
    wanted = [(Result(result), minute(at)) for result, at in ended]
    assert ends_of(DEAL, told(*said)) == wanted
    assert ends_of(DEAL, reversed(told(*said))) == wanted, "the order in which they came does not matter"


def test_what_the_first_look_up_finds_ended_nobody_knows_since_when() -> None:
    first = told((0, "lifecyclestage", "customer"), origin=Origin.LOOKUP)
    assert ends_of(CONTACT, first) == []
    assert ends_of(CONTACT, told((-9, "lifecyclestage", "lead")) + first) == [(Result.WON, minute(0))]
    assert ends_of(CONTACT, first + told((11, "lifecyclestage", "customer"))) == []


def test_a_webhook_that_was_on_its_way_when_the_record_was_read_dates_the_end() -> None:
    read = told((0, STAGE, "closedwon"), (0, WON, "true"), origin=Origin.LOOKUP)
    assert ends_of(DEAL, read + told((1, STAGE, "closedwon"), (1, WON, "true"), (2, STAGE, "closedwon"))) == [
        (Result.WON, minute(1))
    ]
    assert ends_of(DEAL, read + told((1, STAGE, "174586374"), (1, WON, "true"))) == [(Result.WON, minute(1))]
    assert ends_of(DEAL, read + told((1, STAGE, "closedlost"))) == [(Result.LOST, minute(1))]
    before = told((-5, STAGE, "closedlost"), (-4, STAGE, "contractsent"))
    after = told((1, STAGE, "closedlost"), (2, STAGE, "closedwon"), (2, WON, "true"))
    assert ends_of(DEAL, before + read) == [(Result.LOST, minute(-5)), (Result.WON, minute(0))]
    assert ends_of(DEAL, before + read + after) == [(Result.LOST, minute(-5)), (Result.LOST, minute(1)), (Result.WON, minute(2))]


def test_webhooks_of_a_clock_that_is_ahead_date_the_ends_that_looks_found_meanwhile() -> None:
    """Each look found how the deal stood, by the CRM's clock; the webhooks of all of it come after, a minute and a half ahead."""
    found = told((1, STAGE, "closedlost"), origin=Origin.FOUND)
    assert ends_of(DEAL, found) == [(Result.LOST, minute(1))], "it is known when the record changed"
    webhooks = told((1.9, STAGE, "closedwon"), (2.5, STAGE, "closedlost"))
    assert ends_of(DEAL, found + webhooks) == [(Result.WON, minute(1.9)), (Result.LOST, minute(2.5))]
    more = told((1, STAGE, "closedlost"), (1.3, STAGE, "closedwon"), (1.6, STAGE, "closedlost"), origin=Origin.FOUND)
    all_ = told((2.5, STAGE, "closedlost"), (2.8, STAGE, "closedwon"), (3.1, STAGE, "closedlost"))
    assert ends_of(DEAL, more + all_) == [(Result.LOST, minute(2.5)), (Result.WON, minute(2.8)), (Result.LOST, minute(3.1))]
    again = told((5, STAGE, "contractsent"), (6, STAGE, "closedlost"))
    assert ends_of(DEAL, found + webhooks[1:] + again) == [(Result.LOST, minute(2.5)), (Result.LOST, minute(6))]


def test_a_look_that_finds_what_a_webhook_told_before_is_no_end_of_its_own() -> None:
    before = told((1, STAGE, "closedlost"))
    assert ends_of(DEAL, before + told((3, STAGE, "closedlost"), origin=Origin.FOUND) + told((4, STAGE, "closedlost"))) == [
        (Result.LOST, minute(1))
    ]


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ([(0, STAGE, "closedwon")], ("won", 0)),
        ([(0, STAGE, "closedwon"), (5, STAGE, "contractsent")], None),
        ([(0, STAGE, "closedwon"), (5, STAGE, "contractsent"), (9, STAGE, "closedlost")], ("lost", 9)),
        ([(0, STAGE, "closedwon"), (0, WON, "true"), (5, STAGE, "contractsent")], ("won", 0)),
        ([(0, STAGE, "closedwon"), (5, LOST, "true"), (9, LOST, None)], ("won", 0)),
        ([(0, STAGE, "contractsent")], None),
    ],
    ids=str,
)  # fmt: skip
def test_who_is_opened_again_has_not_ended(said: list[tuple[float, str, str | None]], ended: tuple[str, float] | None) -> None:
    wanted = None if ended is None else (Result(ended[0]), minute(ended[1]))
    assert end_of(DEAL, told(*said)) == wanted


def test_what_a_look_up_finds_ended_otherwise_since_nobody_knows_when_is_not_open() -> None:
    first = told((5, "lifecyclestage", "customer"), origin=Origin.LOOKUP)
    assert end_of(CONTACT, first) is None
    assert end_of(CONTACT, told((0, "hs_lead_status", "unqualified")) + first) == (Result.LOST, minute(0))
