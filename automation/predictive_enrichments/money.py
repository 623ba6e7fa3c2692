"""What a record can be expected to bring: the probability times what its open deals are worth."""

from typing import Any

from automation.predictive_enrichments.base import Scored
from data.domain.money import total

NOTHING: dict[str, Any] = dict.fromkeys(("predicted_expected_value", "predicted_currency", "predicted_expected_value_text"))


def enrich(scored: Scored) -> dict[str, Any]:
    """A number with its currency, and both as the account writes them.

    Deals in several currencies have no sum without a rate: the text then has one amount for each, and there is no number. Where
    nothing is known the fields are emptied, since what they said before may be of deals that are closed now.
    """
    expected = [money.times(scored.prediction.score) for money in total(list(scored.deals))]
    if not expected:
        return NOTHING
    text = " + ".join(money.text(scored.account.locale) for money in expected)
    if len(expected) > 1:
        return {**NOTHING, "predicted_expected_value_text": text}
    return {
        "predicted_expected_value": float(expected[0].amount),
        "predicted_currency": expected[0].currency,
        "predicted_expected_value_text": text,
    }
