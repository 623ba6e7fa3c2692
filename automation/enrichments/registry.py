"""TABLES of enrichments, each in its order.

ASKING ask somebody, and what they bring becomes facts. DERIVING make something of what is known by then, which travels beside
the event.
"""

from automation.enrichments import (
    account_names,
    company_profile,
    crm_lookup,
    deal_momentum,
    earlier_events,
    field_names,
    sentiment,
)
from automation.enrichments.background import Derive
from automation.enrichments.base import Ask

ASKING: dict[str, Ask] = {
    "field_names": field_names.ask,
    "account_names": account_names.ask,
    "crm_lookup": crm_lookup.ask,
    "company_profile": company_profile.ask,  # after the look-up: it goes by the address that was read
}

DERIVING: dict[str, Derive] = {
    "deal_momentum": deal_momentum.derive,
    "sentiment": sentiment.derive,
    "earlier_events": earlier_events.derive,
}
