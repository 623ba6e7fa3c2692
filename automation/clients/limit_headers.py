"""What the answers of HubSpot and Pipedrive say of their limits: how long nobody may call. Most say that somebody may.

https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines: not with searches.
https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting: the reset is in seconds. `x-daily-requests-left` is not
heeded: it counts writes alone, and only a 429 says that they are refused.
"""

from collections.abc import Mapping

from automation.clients.base import retry_after

# Neither says when its day begins anew (HubSpot's in the account's time zone): asked again as seldom as who is down.
DAY_SPENT_SECONDS = 300.0
PART_OF_WINDOW = 0.1
DAYS_LEFT = ("X-HubSpot-RateLimit-Daily-Remaining", "x-daily-ratelimit-token-remaining")

Headers = Mapping[str, str]
"""Of any case, as the clients' own are."""


def hubspot_rest(headers: Headers) -> float | None:
    """The seconds for which nobody calls HubSpot after an answer that leaves no call; None where some are left, or nothing is said.

    Its window slides: of calls that were spread over it, some are free again after a part of it.

    >>> hubspot_rest({"X-HubSpot-RateLimit-Remaining": "0", "X-HubSpot-RateLimit-Interval-Milliseconds": "10000"})
    1.0
    >>> hubspot_rest({"X-HubSpot-RateLimit-Remaining": "7", "X-HubSpot-RateLimit-Interval-Milliseconds": "10000"})
    """
    if day_is_spent(headers):
        return DAY_SPENT_SECONDS
    window = hubspot_window(headers)
    return None if window is None else window * PART_OF_WINDOW


def hubspot_window(headers: Headers) -> float | None:
    """The seconds of HubSpot's window where nothing is left of it, after which all of it is free; otherwise None."""
    length = retry_after(headers.get("X-HubSpot-RateLimit-Interval-Milliseconds"))
    return None if length is None or not _none_left(headers, "X-HubSpot-RateLimit-Remaining") else length / 1000


def pipedrive_rest(headers: Headers) -> float | None:
    """The seconds until Pipedrive's window begins anew; None where some calls are left in it, or nothing is said.

    >>> pipedrive_rest({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"})
    2.0
    """
    if day_is_spent(headers):
        return DAY_SPENT_SECONDS
    return retry_after(headers.get("x-ratelimit-reset")) if _none_left(headers, "x-ratelimit-remaining") else None


def wait_of_refusal(headers: Headers, reset_seconds: float | None) -> float | None:
    """How long to wait after a 429: what Retry-After says, else until the window's reset.

    None where it is not known, as of a day's limit: then the caller asks ever more seldom, and the doctor tells of it.
    """
    said = retry_after(headers.get("Retry-After"))
    if said is not None or day_is_spent(headers):
        return said
    return reset_seconds


def day_is_spent(headers: Headers) -> bool:
    """Whether nothing is left of a day's limit."""
    return any(_none_left(headers, name) for name in DAYS_LEFT)


def _none_left(headers: Headers, name: str) -> bool:
    return retry_after(headers.get(name)) == 0
