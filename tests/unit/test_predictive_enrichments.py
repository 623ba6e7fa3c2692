"""The fields that predictions become: each with our prefix, each created on the CRM record, none over another."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from automation.pipeline.enrich_predictions import enrich_predictions
from automation.predictive_enrichments.base import Scored
from automation.predictive_enrichments.combined_score import combined
from automation.predictive_enrichments.registry import PREDICTIVE_ENRICHMENTS
from automation.record_fields import FIELDS, HUBSPOT_PROPERTIES, PIPEDRIVE_FIELDS
from data.domain.delivery import PredictedFields, WriteBack
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import OUR_PREFIX
from data.domain.money import Account, Money, total
from data.domain.prediction import Factor, Prediction
from tests.support import NOON

ADA = EntityRef(source="hubspot", kind=EntityKind.CONTACT, id="901")
PREDICTION = Prediction.model_validate(
    {
        "model": "lead_score", "model_version": "7", "entity": ADA, "score": 0.75, "label": "high", "grade": "A", "threshold": 0.5,
        "confidence": 0.75, "base_value": 0.0, "factors": (Factor(feature="sessions", value=5, contribution=1.0986),),
    }
)  # fmt: skip
SCORED = Scored(
    PREDICTION, ADA, NOON, scores={"lead_score": 0.75}, weights={"lead_score": 1.0}, account=Account(currency="EUR", locale="en")
)
AMOUNTS = st.decimals("-1e12", "1e12", places=2)
MONIES = st.builds(Money, AMOUNTS, st.sampled_from(["EUR", "USD", "JPY", "KWD"]))
SHARES = st.floats(0, 1)
ROUNDED = 0.05 + 1e-9


def euros(*amounts: int, currency: str = "EUR") -> tuple[Money, ...]:
    return tuple(Money(Decimal(amount), currency) for amount in amounts)


def test_the_fields_that_are_made_are_those_that_set_up_creates_and_a_write_back_knows() -> None:
    made = enrich_predictions(SCORED)
    assert list(made) == [name for name, *_ in FIELDS] == list(PredictedFields.model_fields)
    assert {row["name"] for row in HUBSPOT_PROPERTIES} == {row["name"] for row in PIPEDRIVE_FIELDS} == set(made)
    assert all(name.startswith(OUR_PREFIX) for name in made)


def test_every_field_has_a_label_and_a_description_of_its_own() -> None:
    for place in (1, 2):
        assert len({row[place] for row in FIELDS}) == len(FIELDS)
    assert all(all(row) for row in FIELDS)


@pytest.mark.parametrize("name", PREDICTIVE_ENRICHMENTS)
def test_an_enrichment_makes_the_same_fields_whatever_is_known(name: str) -> None:
    enrich = PREDICTIVE_ENRICHMENTS[name]
    names = enrich(SCORED).keys()
    for scored in (
        Scored(PREDICTION, ADA, NOON, {"lead_score": 0.75}),
        replace(SCORED, deals=euros(1, 2) + euros(3, currency="USD")),
    ):
        assert enrich(scored).keys() == names


def test_a_field_without_the_prefix_is_refused_wherever_it_comes_from() -> None:
    strange = {"lifecyclestage": "customer"}
    with pytest.raises(ValueError, match=r"stranger made fields without predicted_: \['lifecyclestage'\]"):
        enrich_predictions(SCORED, {"stranger": lambda _: strange})
    with pytest.raises(ValidationError, match="'lifecyclestage' does not start with predicted_"):
        PredictedFields.model_validate(strange)
    with pytest.raises(ValidationError, match="does not start with predicted_"):
        WriteBack(object=EntityKind.CONTACT, id="901", email=None, properties={"predicted_score": 0.5, **strange})  # type: ignore[arg-type]


def test_no_enrichment_overwrites_another_s_field() -> None:
    with pytest.raises(ValueError, match=r"second made fields that another has made: \['predicted_a'\]"):
        enrich_predictions(SCORED, {"first": lambda _: {"predicted_a": 1}, "second": lambda _: {"predicted_a": 2}})


def test_a_later_model_s_fields_are_let_through() -> None:
    assert PredictedFields.model_validate({"predicted_churn": 0.1}).model_dump()["predicted_churn"] == 0.1


def test_the_fields_name_their_record_and_go_to_no_other() -> None:
    fields = PredictedFields.model_validate(enrich_predictions(SCORED))
    assert fields.predicted_record == "contact 901"
    assert WriteBack(object=EntityKind.CONTACT, id="901", email=None, properties=fields).id == "901"
    for kind, number in ((EntityKind.CONTACT, "902"), (EntityKind.DEAL, "901")):
        with pytest.raises(ValidationError, match=f"these fields are for contact 901, not for {kind} {number}"):
            WriteBack(object=kind, id=number, email=None, properties=fields)


# -- several models in one number --


def combined_of(scores: dict[str, float], weights: dict[str, float]) -> tuple[float, str]:
    made = enrich_predictions(replace(SCORED, scores=scores, weights=weights))
    return made["predicted_combined_score"], made["predicted_combined_from"]


@pytest.mark.parametrize(
    ("scores", "weights", "number", "told"),
    [
        ({"lead_score": 0.75}, {"lead_score": 1.0}, 75.0, "lead_score 75%"),
        ({"lead_score": 0.75}, {}, 75.0, "lead_score 75%"),
        ({"lead_score": 0.75, "old": 0.1}, {"lead_score": 1.0}, 75.0, "lead_score 75%"),
        ({"lead_score": 0.75, "own": 0.25}, {"lead_score": 1.0, "own": 1.0}, 50.0, "lead_score 75% (weight 1), own 25% (weight 1)"),
        ({"lead_score": 0.75, "own": 0.25}, {"lead_score": 1.0, "own": 3.0}, 37.5, "own 25% (weight 3), lead_score 75% (weight 1)"),
        ({"lead_score": 0.75, "churn": 0.25}, {"lead_score": 1.0, "churn": -1.0}, 75.0,
         "churn 25% (weight -1), lead_score 75% (weight 1)"),
        ({"lead_score": 0.75, "own": 0.25}, {"lead_score": 0.0, "own": 1.0}, 25.0, "own 25%"),
    ],
)  # fmt: skip
def test_several_models_are_one_number_that_says_what_it_was_made_of(
    scores: dict[str, float], weights: dict[str, float], number: float, told: str
) -> None:
    assert combined_of(scores, weights) == (number, told)


@given(
    st.dictionaries(
        st.sampled_from("abcd"), st.tuples(SHARES, st.floats(-9, 9).filter(lambda weight: abs(weight) > 0.1)), min_size=1
    )
)
def test_a_combined_score_lies_between_what_it_was_made_of(told: dict[str, tuple[float, float]]) -> None:
    parts = [100 * (score if weight > 0 else 1 - score) for score, weight in told.values()]
    number = combined({name: score for name, (score, _) in told.items()}, {name: weight for name, (_, weight) in told.items()})
    assert min(parts) - ROUNDED <= number <= max(parts) + ROUNDED


# -- money --


@pytest.mark.parametrize(
    ("deals", "account", "value", "currency", "text"),
    [
        ((), Account("EUR", "en"), None, None, None),
        (euros(1000), Account("EUR", "en"), 750.0, "EUR", "€750.00"),
        (euros(1000, 647), Account("EUR", "de_DE"), 1235.25, "EUR", "1.235,25\xa0€"),
        (euros(1000), Account("USD", None), 750.0, "EUR", "€750.00"),
        (euros(1001, currency="JPY"), Account(None, "ja"), 751.0, "JPY", "￥751"),
        (euros(10) + euros(20, currency="USD"), Account("EUR", "en_US"), None, None, "€7.50 + $15.00"),
        (euros(10, currency="USD") + euros(10, 10), Account("USD", "fr"), None, None, "15,00\xa0€ + 7,50\xa0$US"),
    ],
)
def test_money_is_the_probability_times_the_open_deals(
    deals: tuple[Money, ...], account: Account, value: float | None, currency: str | None, text: str | None
) -> None:
    made = enrich_predictions(replace(SCORED, deals=deals, account=account))
    assert (made["predicted_expected_value"], made["predicted_currency"], made["predicted_expected_value_text"]) == (
        value, currency, text
    )  # fmt: skip


@given(st.lists(MONIES, max_size=8))
def test_currencies_are_never_added_up(deals: list[Money]) -> None:
    sums = total(deals)
    assert {money.currency for money in sums} == {money.currency for money in deals}
    assert len(sums) == len({money.currency for money in sums})
    for money in sums:
        assert money.amount == sum(deal.amount for deal in deals if deal.currency == money.currency)
    assert total(deals) == total(deals[::-1])


@given(MONIES, SHARES, SHARES)
def test_a_share_of_money_is_no_more_than_the_money_and_grows_with_it(money: Money, one: float, other: float) -> None:
    low, high = sorted((one, other))
    smallest = Decimal("0.001")
    assert abs(money.times(high).amount) <= abs(money.amount) + Decimal(1) / 2
    assert abs(money.times(low).amount) <= abs(money.times(high).amount) + smallest
    assert money.times(0).amount == 0


def test_a_lead_without_open_deals_has_its_money_emptied() -> None:
    made = enrich_predictions(replace(SCORED, deals=()))
    assert {name for name, found in made.items() if found is None} == {
        "predicted_expected_value", "predicted_currency", "predicted_expected_value_text"
    }  # fmt: skip
