"""Stage 2: the enrichments, in the registry's order. One that fails is noted beside the event; the event goes on."""

from automation.enrichments.registry import ENRICHMENTS
from automation.pipeline.context import Case, Loop


def enrich(loop: Loop, cases: list[Case]) -> None:
    """Adds to what is known of each case's entity. What a vendor could not answer is in `case.notes`."""
    for enrichment in ENRICHMENTS.values():
        enrichment(loop, cases)
