"""What HubSpot calculates of a deal by itself: whether it is closed, from its stage, and its amount in the company's currency.

https://knowledge.hubspot.com/properties/hubspots-default-deal-properties
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from automation.sandbox.accounts import HubSpotAccount
from automation.sandbox.hubspot.text import text


def of_deal(account: HubSpotAccount, deal: Mapping[str, Any]) -> dict[str, Any]:
    """The calculated properties that a deal with these properties has."""
    return {**_closed(account, deal.get("dealstage")), **_in_home_currency(account, deal)}


def _closed(account: HubSpotAccount, stage: Any) -> dict[str, Any]:
    stages = {row["id"]: row["metadata"] for pipeline in account.pipelines["deals"] for row in pipeline["stages"]}
    if (says := stages.get(str(stage))) is None:
        return {}
    probability = float(says["probability"])
    return {
        "hs_is_closed": text(probability in (0.0, 1.0)),
        "hs_is_closed_won": text(probability == 1.0),
        "hs_is_closed_lost": text(probability == 0.0),
    }


def _in_home_currency(account: HubSpotAccount, deal: Mapping[str, Any]) -> dict[str, str]:
    """In an account with several currencies only. A currency that it has not set up has no rate."""
    code, rates = str(deal.get("deal_currency_code") or account.currency), {account.currency: "1", **account.rates}
    try:
        amount = Decimal(str(deal.get("amount")))
    except InvalidOperation:
        return {}
    return {"amount_in_home_currency": str(amount * Decimal(rates[code]))} if account.rates and code in rates else {}
