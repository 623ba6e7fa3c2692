"""The vendors' bad habits: TABLE of what can be switched on. All of them are off until someone asks.

Each is a rate (how often, 0 to 1), a switch or an amount. Which request or event is hit is drawn from one generator per vendor,
in the order in which they come, so that the same seed gives the same run.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Habits:
    """What is on. Rates are shares of requests, of rows in a batch, or of events; see TABLE."""

    seed: int = 0
    hurry: float = 1.0
    """The vendors' own waiting times (retries, bans, an expired token) are divided by this."""

    # How the vendors answer.
    drop_before: float = 0.0
    drop_after: float = 0.0
    time_out_after: float = 0.0
    too_many: float = 0.0
    too_many_unsaid: float = 0.0
    server_error: float = 0.0
    bad_gateway: float = 0.0
    slow: float = 0.0
    expired_token: float = 0.0
    partial: float = 0.0
    hubspot_limits: bool = False
    pipedrive_limits: bool = False
    slack_limits: bool = False
    search_lag_seconds: float = 0.0

    # What they send.
    reorder: float = 0.0
    redeliver: float = 0.0
    shared_event_id: float = 0.0
    burst: float = 0.0
    duplicate_within: float = 0.0
    duplicate_across: float = 0.0
    clock_skew_seconds: float = 0.0
    pipedrive_retries: bool = False
    pipedrive_ban: bool = False
    echo: bool = False

    def on(self) -> tuple[str, ...]:
        """The names of those that are on."""
        return tuple(name for name in TABLE if getattr(self, name))


@dataclass(frozen=True)
class Habit:
    """What it does, and how much of it where only its name is given."""

    means: str
    usual: float | bool


# Together the faulty answers stay near one in five: more, and a loop that does everything right no longer gets forward.
TABLE: dict[str, Habit] = {
    "drop_before": Habit("the connection breaks before the work is done", 0.02),
    "drop_after": Habit("the work is done, then the connection breaks", 0.02),
    "time_out_after": Habit("the work is done, and no answer ever comes", 0.01),
    "too_many": Habit("429 with Retry-After", 0.03),
    "too_many_unsaid": Habit("429 without Retry-After", 0.02),
    "server_error": Habit("500", 0.02),
    "bad_gateway": Habit("502 with a page of HTML", 0.02),
    "slow": Habit("the answer takes a second", 0.02),
    "expired_token": Habit("from a request on, 401 to all of a vendor until its token is renewed or a while is over", 0.002),
    "partial": Habit("207: a row of a HubSpot batch is refused for now, the others are done", 0.02),
    "hubspot_limits": Habit("HubSpot's limits of ten seconds, of a day and of searches are enforced", usual=True),
    "pipedrive_limits": Habit("Pipedrive's limits of two seconds and of a day's tokens are enforced", usual=True),
    "slack_limits": Habit("Slack takes one message a second and channel, and few calls a minute of its other methods", usual=True),
    "search_lag_seconds": Habit("HubSpot's search finds a change only so many seconds later", 3.0),
    "reorder": Habit("an event is sent later than others that came after it", 0.1),
    "redeliver": Habit("a POST that was taken is sent again, with a higher attempt number", 0.05),
    "shared_event_id": Habit("an event carries the eventId of the one before it", 0.1),
    "burst": Habit("a hundred events wait for one another and come in one POST", 0.02),
    "duplicate_within": Habit("an event is twice in its POST", 0.05),
    "duplicate_across": Habit("an event comes again in a later POST", 0.05),
    "clock_skew_seconds": Habit("the sender's clock is off: its events' times and its signatures'", 90.0),
    "pipedrive_retries": Habit("Pipedrive sends up to four times what is not taken", usual=True),
    "pipedrive_ban": Habit("ten messages that fail at first: 30 minutes of silence, then lost; three days: deleted", usual=True),
    "echo": Habit("what is written through the API comes back as webhooks", usual=True),
}


def named(names: Iterable[str], *, seed: int = 0, hurry: float = 1.0) -> Habits:
    """Habits by their names, each as usual; `all` means every one.

    Raises:
        ValueError: a name is not in TABLE.
    """
    wanted = dict.fromkeys(names)
    if unknown := sorted(wanted.keys() - TABLE.keys() - {"all"}):
        raise ValueError(f"there is no habit {unknown[0]!r}; there are {', '.join(TABLE)}, and all")
    chosen = TABLE if "all" in wanted else {name: TABLE[name] for name in wanted}
    amounts: dict[str, Any] = {name: habit.usual for name, habit in chosen.items()}
    return Habits(seed=seed, hurry=hurry, **amounts)
