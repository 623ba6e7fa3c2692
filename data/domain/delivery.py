"""A delivery: one thing to be sent to one destination, and what may become of it."""

from datetime import timedelta
from enum import StrEnum

FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 600.0


class DeliveryKind(StrEnum):
    WRITE_BACK = "write_back"  # fields on a CRM record; sending it twice does no harm
    ALERT = "alert"  # a message that people read; sending it twice is a fault


class DeliveryState(StrEnum):
    PENDING = "pending"  # waits for a carrier
    LEASED = "leased"  # a carrier has it; past `lease_until` it may be taken over
    CONFIRMED = "confirmed"  # the destination has it
    SUPERSEDED = "superseded"  # a newer prediction of the same entity took its place before it was sent
    DEAD = "dead"  # given up after the last attempt, or refused for good


class Carrier(StrEnum):
    """Who takes a delivery first."""

    N8N = "n8n"
    WORKER = "worker"


def backoff(attempts: int, retry_after_seconds: float | None = None) -> timedelta:
    """How long to wait after the n-th failed attempt: doubling from one second to ten minutes.

    A vendor's own Retry-After wins where it asks for longer.
    """
    doubled = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(max(attempts - 1, 0), 30), LONGEST_BACKOFF_SECONDS)
    return timedelta(seconds=max(doubled, retry_after_seconds or 0.0))
