"""What a lead did on the web site. Each function takes the lead's properties and returns one value or None."""

import math
from collections.abc import Mapping
from typing import Any

Properties = Mapping[str, Any]


def sessions(lead: Properties) -> Any:
    """Number of web sessions so far."""
    return lead.get("sessions")


def engaged_sessions(lead: Properties) -> Any:
    """Sessions that lasted, converted or saw two pages or more (Google Analytics 4's definition)."""
    return lead.get("engaged_sessions")


def page_views(lead: Properties) -> Any:
    """Pages seen over all sessions."""
    return lead.get("page_views")


def channel(lead: Properties) -> Any:
    """Where the first session came from, in lower case: `organic_search`, `paid_social`, ..."""
    value = lead.get("channel")
    return value.strip().lower() if isinstance(value, str) else value


def is_first_visit(lead: Properties) -> Any:
    """Whether the lead was here once only. Told by the source, or by the number of sessions."""
    if (told := lead.get("is_first_visit")) not in (None, ""):
        return told
    try:
        count = float(lead.get("sessions", ""))
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(count) else count <= 1
