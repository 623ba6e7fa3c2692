"""TABLE: which model sees which features. A model on a user's own table sees its columns as they are."""

from collections.abc import Callable, Mapping
from typing import Any

from ml.features import engagement

Feature = Callable[[Mapping[str, Any]], Any]

SETS: dict[str, tuple[Feature, ...]] = {
    "lead_score": (
        engagement.sessions,
        engagement.engaged_sessions,
        engagement.page_views,
        engagement.channel,
        engagement.is_first_visit,
    ),
}
