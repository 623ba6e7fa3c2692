"""HubSpot keeps and gives every value as text, and times in ISO 8601 with milliseconds."""

from datetime import datetime
from typing import Any


def text(value: Any) -> str | None:
    """
    >>> text(True), text(3), text(None), text("x")
    ('true', '3', None, 'x')
    """
    if value is None or isinstance(value, str):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
