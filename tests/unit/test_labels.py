"""Examples and labels: the moments of the loop, before the end, each with what became of it."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.features.facts import MOMENT
from ml.training.labels import HORIZON, LABELLED, MOST_MOMENTS, Labelled, label_contacts, label_moments
from tests.facts import CONTACTS, Told, frame, moment, stories

HORIZON_DAYS = HORIZON.days
LATER = 1_000


def labelled(told: list[Told], now: float = LATER) -> Labelled:
    return label_contacts(frame(told), moment(now))


def rows(told: list[Told], now: float = LATER) -> list[tuple[float, int, float]]:
    """(as of, label, closed at), the moments in days."""
    days = [
        ((as_of - moment(0)).days, label, (closed - moment(0)).days)
        for _, as_of, label, closed in labelled(told, now).examples.rows()
    ]
    return [(float(as_of), label, float(closed)) for as_of, label, closed in days]


def visit(day: float, known: float | None = None, entity: int = 1) -> Told:
    return Told(entity, "sessions", "1", day, day if known is None else known, event=int(1000 * day) + entity)


def customer(day: float) -> Told:
    return Told(1, "lifecyclestage", "Customer", day, day, event=9)


def test_a_contact_that_becomes_a_customer_in_time_is_won() -> None:
    assert rows([visit(0), visit(50), customer(100)]) == [(0, 0, HORIZON_DAYS), (50, 1, 100)]


def test_a_deal_that_names_the_contact_says_how_it_ended() -> None:
    deal = [Told(21, "person_id", "1", 5, 5, target=1), Told(21, "dealstage", "closedwon", 30, 31)]
    assert rows([visit(10), *deal]) == [(10, 1, 30)]
    assert rows([visit(10), *deal[1:]]) == [(10, 0, 10 + HORIZON_DAYS)], "a deal that names nobody says nothing of anybody"
    link = [Told(21, "link:contact:1", "true", 5, 5, target=1), Told(1, "link:deal:21", "true", 5, 5, event=4, target=21)]
    assert rows([visit(10), *link, *deal[1:]]) == [(10, 1, 30)]


def test_of_a_deal_that_was_opened_again_only_the_last_end_counts() -> None:
    link = Told(21, "person_id", "1", 5, 5, target=1)

    def deal(*stages: tuple[float, str | None], name: str = "dealstage") -> list[Told]:
        return [link, *(Told(21, name, stage, day, day, id=place) for place, (day, stage) in enumerate(stages))]

    opened = deal((20, "closedwon"), (21, "contractsent"))
    assert rows([visit(10), visit(25), *opened]) == [(10, 0, 10 + HORIZON_DAYS), (25, 0, 25 + HORIZON_DAYS)]
    assert rows([visit(10), visit(25), *opened, *deal((30, "ClosedWon"))]) == [(10, 1, 30), (25, 1, 30)]
    assert rows([visit(10), visit(25), *deal((20, "closedwon"), (21, "closedlost"))]) == [(10, 0, 21), (25, 0, 25 + HORIZON_DAYS)]
    assert rows([visit(10), *deal((20, "closedwon"), (30, "closedwon"), (40, None))]) == [(10, 1, 20)], "deleted later on"
    flags = deal((20, "true"), (21, "false"), name="hs_is_closed_won")
    assert rows([visit(10), *flags]) == [(10, 0, 10 + HORIZON_DAYS)]
    assert rows([visit(10), *flags[:2], *deal((5, "174586372"), (20, "9f0c2f4e"))]) == [(10, 1, 20)], (
        "whatever the stages are called"
    )


def test_moments_at_or_after_the_end_are_no_examples() -> None:
    assert rows([visit(0), visit(20), visit(21), visit(90), customer(20)]) == [(0, 1, 20)]


def test_an_event_that_came_late_counts_from_when_it_was_known() -> None:
    assert rows([visit(0, known=10), customer(8)]) == []
    assert rows([visit(0, known=10), customer(11)]) == [(10, 1, 11)]


def looked_up(day: float, value: str, entity: int = 1, name: str = "lifecyclestage") -> Told:
    return Told(entity, name, value, day, day, origin="lookup")


def test_who_was_a_customer_already_when_the_crm_was_first_asked_is_no_example() -> None:
    assert rows([visit(10), looked_up(10.001, "customer")]) == []
    assert rows([visit(0), visit(10), looked_up(10.001, "customer"), visit(50)]) == [], "nobody knows since when"


def test_a_look_up_that_finds_a_new_customer_dates_the_win() -> None:
    before = [visit(0), looked_up(0.001, "lead")]
    assert rows([*before, visit(40), looked_up(40.001, "customer")]) == [(0, 1, 40)]


def test_an_event_that_tells_the_win_before_its_look_up_dates_it() -> None:
    assert rows([visit(0), customer(20), looked_up(20.001, "customer")]) == [(0, 1, 20)]


def test_who_was_given_up_before_the_crm_was_first_asked_may_be_won_all_the_same() -> None:
    told = [visit(10), looked_up(10.001, "unqualified", name="hs_lead_status")]
    assert rows(told) == [(10, 0, 10 + HORIZON_DAYS)]
    assert rows([*told, customer(30)]) == [(10, 1, 30)]


def test_an_example_has_what_was_looked_up_for_its_event() -> None:
    told = [visit(10), looked_up(10.001, "ops", name="job"), visit(20), looked_up(20.5, "cto", name="job")]
    moments = [as_of - moment(0) for _, as_of, *_ in labelled(told).examples.rows()]
    assert [round(each.total_seconds() / 86_400, 3) for each in moments] == [10.001, 20.0], "half a day later is another story"


def test_what_is_said_to_be_lost_is_closed_then() -> None:
    lost = Told(1, "hs_lead_status", "UNQUALIFIED", 7, 7, event=9)
    assert rows([visit(0), lost]) == [(0, 0, 7), (7, 0, 7 + HORIZON_DAYS)], "the loss itself is a moment too, with an end to come"


def test_nothing_within_the_horizon_is_lost_and_younger_moments_are_open() -> None:
    told = [visit(0), visit(100)]
    assert rows(told, now=100 + HORIZON_DAYS) == [(0, 0, HORIZON_DAYS), (100, 0, 100 + HORIZON_DAYS)]
    assert rows(told, now=99 + HORIZON_DAYS) == [(0, 0, HORIZON_DAYS)]
    assert labelled(told, now=99 + HORIZON_DAYS).young == 1


def test_a_young_moment_is_not_used_even_if_its_end_is_known() -> None:
    assert rows([visit(100), customer(101)], now=120) == []


@pytest.mark.parametrize(
    "quiet",
    [
        Told(1, "sessions", "1", 0, 0, origin="lookup"),
        Told(1, "note", "hot", 0, 0, event=3, by_us=True),
        Told(1, "predicted_score", "0.9", 0, 0, event=3),
        Told(1, "sessions", None, 0, 0, event=3),
        Told(1, "link:note:31", "true", 0, 0, event=3, target=31),
        Told(11, "size", "4", 0, 0, event=3),
    ],
    ids=["look-up", "ours", "predicted", "emptied", "link", "company"],
)
def test_what_asks_no_model_makes_no_example(quiet: Told) -> None:
    assert rows([quiet]) == []


def test_the_moments_of_a_busy_contact_are_spread_evenly() -> None:
    assert [day for day, _, _ in rows([visit(day) for day in range(9)])] == [1, 4, 7]


@given(stories(), st.integers(0, 400))
def test_no_example_is_at_or_after_its_end_nor_too_young(told: list[Told], now: int) -> None:
    found = labelled(told, now).examples
    assert dict(found.schema) == LABELLED
    assert set(found["entity"]) <= set(CONTACTS)
    assert all(as_of < closed <= as_of + HORIZON and as_of + HORIZON <= moment(now) for _, as_of, _, closed in found.rows())
    assert found.is_empty() or found["entity"].value_counts()["count"].max() <= MOST_MOMENTS
    assert found["as_of"].is_sorted()


@pytest.mark.slow
@given(stories(), stories(), st.integers(0, 200))
def test_what_happens_after_the_horizon_changes_no_label(told: list[Told], later: list[Told], now: int) -> None:
    # A link that becomes known later may still say whose an earlier deal was, so what comes after links nothing.
    after = [Told(one.entity, one.name, one.value, now + one.occurred + 1, now + one.known + 1, one.id + 100) for one in later]
    assert labelled([*told, *after], now).examples.equals(labelled(told, now).examples)


def test_moments_that_were_scored_are_labelled_by_the_same_rules() -> None:
    told = [visit(0), visit(50), customer(100)]
    asked = pl.DataFrame(
        [(1, moment(day), place) for place, day in enumerate((10, 45, 100, 120, 990))],
        schema={"entity": pl.Int64, "as_of": MOMENT, "place": pl.Int64},
        orient="row",
    )
    found = label_moments(frame(told), asked, moment(LATER))
    # Those at or after the win are no answers to judge, and the newest would be too young.
    assert found.examples.select("place", "label").rows() == [(0, 0), (1, 1)]
    young = label_moments(frame([visit(0)]), asked, moment(LATER))
    assert (young.examples["place"].to_list(), young.young) == ([0, 1, 2, 3], 1)


def test_only_settled_moments_count_so_that_quick_wins_do_not_raise_the_rate() -> None:
    """A tenth is won, after five days. Of those scored in the last two months only the wins are known by now."""
    days = [(number, float(number % 100)) for number in range(1_000)]
    told = [Told(1, "sessions", "1", 0, 0, event=1)]
    told_frame = pl.concat(
        [
            frame(told).with_columns(entity=pl.lit(number, pl.Int64), name=pl.lit("lifecyclestage"), value=pl.lit("customer"),
                                     occurred_at=moment(day + 5), known_at=moment(day + 5), kind=pl.lit("contact"))
            for number, day in days if number % 10 == 3
        ],
        how="vertical_relaxed",
    )  # fmt: skip
    asked = pl.DataFrame([(n, moment(day)) for n, day in days], schema={"entity": pl.Int64, "as_of": MOMENT}, orient="row")
    found = label_moments(told_frame, asked, moment(100)).examples
    assert found["label"].mean() == pytest.approx(0.1, abs=0.03)
    assert found["as_of"].max() <= moment(100 - HORIZON_DAYS)
