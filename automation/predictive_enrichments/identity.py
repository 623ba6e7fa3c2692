"""The fields say which record they are for, so that nobody takes them for another's, as after a merge in the CRM."""

from typing import Any

from automation.predictive_enrichments.base import Scored
from data.domain.delivery import record_name


def enrich(scored: Scored) -> dict[str, Any]:
    """The record's kind and id. A write-back to any other cannot be made (`data.domain.delivery.WriteBack`)."""
    return {"predicted_record": record_name(scored.entity.kind, scored.entity.id)}
