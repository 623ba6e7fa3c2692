"""The leads of the synthetic world: what each did on the web site, and the true probability that it is won.

The probability is a function of what the table shows (plus a season and a drift that it does not), so the best
reachable AUC and log-loss are those of the probability itself. The world is not easy on purpose: what a number of
sessions means depends on the channel. From organic search, referrals and e-mail, coming back is interest; from paid
social and display it is bots and comparison shopping. One straight line through all channels misses that.

The constants were fixed before the first model was trained, and are not tuned to any.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLASSIC_ROWS = 93_000
START = datetime(2025, 1, 6, tzinfo=UTC)
DAYS = 420
COLUMNS = ("sessions", "engaged_sessions", "page_views", "channel", "is_first_visit")


@dataclass(frozen=True)
class Channel:
    """One way in. `share` of all leads; `base` log-odds; what engagement and repetition are worth there."""

    name: str
    share: float
    base: float
    per_engaged: float
    per_repeat: float
    sessions_mean: float


CHANNELS: tuple[Channel, ...] = (
    Channel("organic_search", 0.25, -3.15, 1.55, 0.35, 2.6),
    Channel("direct", 0.17, -3.00, 1.15, 0.15, 2.9),
    Channel("paid_search", 0.16, -2.70, 0.75, -0.60, 2.2),
    Channel("paid_social", 0.15, -2.20, -0.70, -1.10, 3.1),
    Channel("email", 0.11, -2.95, 1.60, 0.55, 3.0),
    Channel("referral", 0.08, -2.30, 1.90, 0.40, 2.3),
    Channel("display", 0.08, -2.30, -0.90, -1.20, 3.4),
)
NAMES = tuple(channel.name for channel in CHANNELS)
SEASON_AMPLITUDE = 0.15  # log-odds; a summer dip and an autumn peak
DRIFT_PER_YEAR = 0.12  # log-odds; the market slowly improves


def table(rows: int = CLASSIC_ROWS, seed: int = 0) -> pl.DataFrame:
    """The classic table in time order: `created_at`, the five columns, `is_won`, and `true_probability`.

    The last column is the generator's own knowledge; no model may see it.
    """
    generator = np.random.default_rng(seed)
    moments = np.sort(generator.uniform(0, DAYS, rows))
    lead = behaviour(generator, rows)
    probability = win_probability(lead, moments)
    return pl.DataFrame(
        {
            "created_at": [START + timedelta(days=float(day)) for day in moments],
            **{name: lead[name] for name in COLUMNS},
            "is_won": (generator.uniform(size=rows) < probability).astype(np.int64),
            "true_probability": probability,
        }
    )


def behaviour(generator: np.random.Generator, rows: int) -> dict[str, Any]:
    """What `rows` leads did: a dict of arrays, one per column of the classic table."""
    codes = generator.choice(len(CHANNELS), size=rows, p=[channel.share for channel in CHANNELS])
    intent = generator.beta(1.6, 2.2, rows)
    means = np.array([channel.sessions_mean for channel in CHANNELS])[codes] - 1
    sessions = 1 + generator.negative_binomial(1.3, 1.3 / (1.3 + means))
    engaged = generator.binomial(sessions, 0.1 + 0.8 * intent)
    pages = sessions + generator.poisson(0.6 * sessions + 2.2 * engaged)
    return {
        "sessions": sessions,
        "engaged_sessions": engaged,
        "page_views": pages,
        "channel": np.array(NAMES)[codes],
        "is_first_visit": sessions == 1,
    }


def win_probability(lead: dict[str, Any], days: Floats) -> Floats:
    """The true probability of each lead, from the columns of the classic table and the day since START."""
    codes = np.array([NAMES.index(str(name)) for name in lead["channel"]])
    base, per_engaged, per_repeat = (
        np.array([getattr(channel, field) for channel in CHANNELS])[codes] for field in ("base", "per_engaged", "per_repeat")
    )
    sessions = np.asarray(lead["sessions"], dtype=float)
    engaged = np.asarray(lead["engaged_sessions"], dtype=float)
    depth = np.asarray(lead["page_views"], dtype=float) / np.maximum(sessions, 1)
    odds = base + per_engaged * np.log1p(engaged) + per_repeat * np.log(np.maximum(sessions, 1))
    odds += 0.9 * np.exp(-(((depth - 3.2) / 1.1) ** 2)) - 0.5  # interest reads some pages; nobody reads them all
    odds -= 0.35 * np.asarray(lead["is_first_visit"], dtype=float)
    odds += SEASON_AMPLITUDE * np.sin(2 * np.pi * (days / 365.0 - 0.45)) + DRIFT_PER_YEAR * days / 365.0
    return np.asarray(1 / (1 + np.exp(-odds)), dtype=np.float64)
