"""TABLE of enrichments: name -> function over a batch of cases. The position is the order."""

from collections.abc import Callable

from automation.enrichments import crm_lookup, field_names
from automation.pipeline.context import Case, Loop

Enrichment = Callable[[Loop, list[Case]], None]

ENRICHMENTS: dict[str, Enrichment] = {
    "field_names": field_names.enrich,
    "crm_lookup": crm_lookup.enrich,
}
