"""Invented tables of a sales team, honest and leaking, for measuring the leak guard.

Each world is one mechanism: how a strong honest column comes about, or how an answer gets into a column. The first
lists were looked at while the guard was made. The HELD_OUT lists were written afterwards: no number of the guard was moved
for them, and one rule was narrowed (that words support a copy only).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from ml.features.inputs import Input, InputKind


@dataclass
class World:
    """A table under construction: `leaks` are the columns that know the answer, `options` go to the guard."""

    generator: np.random.Generator
    rows: int
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    columns: dict[str, pl.Series] = field(default_factory=dict)
    kinds: dict[str, InputKind] = field(default_factory=dict)
    leaks: set[str] = field(default_factory=set)
    options: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, values: Any, kind: InputKind = InputKind.NUMBER, *, leak: bool = False) -> None:
        if kind in {InputKind.CATEGORY, InputKind.TEXT}:
            series = pl.Series(name, list(values), dtype=pl.String)
        else:
            series = pl.Series(name, np.asarray(values, dtype=float)).fill_nan(None)
        self.columns[name], self.kinds[name] = series, kind
        if leak:
            self.leaks.add(name)

    def decide(self, log_odds: np.ndarray) -> None:
        self.labels = (self.generator.uniform(size=self.rows) < expit(log_odds)).astype(np.int64)

    def background(self, strength: float = 0.3) -> np.ndarray:
        """Six plain columns, and the log-odds that they carry together."""
        g, n = self.generator, self.rows
        size, age = g.lognormal(3, 1.2, n).round(), g.normal(40, 12, n)
        visits = g.negative_binomial(1.2, 0.3, n)
        channel, country = g.integers(0, 5, n), g.choice(12, n, p=np.arange(12, 0, -1) / 78)
        consent = g.uniform(size=n) < 0.4
        self.add("employees", np.where(g.uniform(size=n) < 0.2, np.nan, size))
        self.add("age", age.round())
        self.add("visits", visits)
        self.add("channel", np.array(["ads", "mail", "fair", "web", "phone"])[channel], InputKind.CATEGORY)
        self.add("country", np.char.add("land ", country.astype(str)), InputKind.CATEGORY)
        self.add("consent", consent, InputKind.BOOLEAN)
        effects = g.normal(0, 1, 5)
        return strength * (
            np.log(np.maximum(size, 1)) - 3 + (age - 40) / 12 + 0.4 * visits - 1 + effects[channel] + 2 * consent - 0.8
        )

    @property
    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(list(self.columns.values()))

    @property
    def inputs(self) -> tuple[Input, ...]:
        return tuple(Input(name=name, kind=kind) for name, kind in self.kinds.items())


Maker = Callable[[World], None]


def make(maker: Maker, rows: int, seed: int) -> World:
    world = World(np.random.default_rng(seed), rows)
    maker(world)
    return world


# Honest tables: every column was known before the outcome.


def one_strong_number(world: World) -> None:
    strong = world.generator.normal(size=world.rows)
    world.decide(world.background() + 2.3 * strong)
    world.add("fit", strong)


def one_strong_flag(world: World) -> None:
    flag = world.generator.uniform(size=world.rows) < 0.5
    world.decide(world.background() + np.log(20) * (flag - 0.5))
    world.add("has_budget", flag, InputKind.BOOLEAN)


def rare_very_good_level(world: World) -> None:
    source = world.generator.choice(6, world.rows, p=[0.3, 0.25, 0.2, 0.12, 0.1, 0.03])
    world.decide(np.where(source == 5, 2.9, world.background() - 1.4))
    world.add("source", np.array(["a", "b", "c", "d", "e", "partner"])[source], InputKind.CATEGORY)


def engaged_customers(world: World) -> None:
    g = world.generator
    engaged = g.normal(size=world.rows)
    world.decide(world.background() + 2.6 * engaged - 1)
    for number in range(6):
        world.add(f"usage {number}", np.exp(engaged + g.normal(0, 0.5 + 0.2 * number, world.rows)).round(1))


def strong_category(world: World) -> None:
    codes = world.generator.integers(0, 9, world.rows)
    world.decide(world.background() + np.linspace(-3, 3, 9)[codes])
    world.add("segment", np.char.add("segment ", codes.astype(str)), InputKind.CATEGORY)


def telling_gaps(world: World) -> None:
    g = world.generator
    world.decide(world.background() - 0.5)
    missing = g.uniform(size=world.rows) < np.where(world.labels == 1, 0.2, 0.6)
    world.add("phone_prefix", np.where(missing, np.nan, g.integers(10, 90, world.rows)))


def earlier_purchases(world: World) -> None:
    g = world.generator
    bought = g.uniform(size=world.rows) < 0.3
    world.decide(world.background() - 1 + np.log(9) * bought)
    world.add("spent_before", np.where(bought, g.lognormal(6, 1, world.rows).round(2), 0.0))


def rare_outcome(world: World) -> None:
    strong = world.generator.normal(size=world.rows)
    world.decide(world.background() + 1.9 * strong - 5)
    world.add("risk", strong)


def rating(world: World) -> None:
    grade = world.generator.integers(1, 11, world.rows)
    world.decide(world.background() + 0.75 * (grade - 5.5))
    world.add("grade", grade)


def many_places(world: World) -> None:
    g = world.generator
    place = g.zipf(1.3, world.rows) % 900
    world.decide(world.background() + g.normal(0, 1.2, 900)[place] - 1)
    world.add("place", np.char.add("place ", place.astype(str)), InputKind.CATEGORY)
    words = np.array(["call", "again", "about", "the", "offer", "next", "week", "and", "send", "price", "list", "to", "office"])
    world.add("note", [" ".join(g.choice(words, 7)) for _ in range(world.rows)], InputKind.TEXT)


def nothing_but_noise(world: World) -> None:
    world.decide(np.zeros(world.rows))
    for number in range(120):
        world.add(f"noise {number}", world.generator.normal(size=world.rows))


def market_turns(world: World) -> None:
    strong = world.generator.normal(size=world.rows)
    world.decide(world.background(0.6) + 1.5 * strong + np.linspace(-2.5, 1, world.rows))
    world.add("interest", np.exp(strong))


# Leaking tables.


def _plain(world: World) -> None:
    world.decide(world.background(0.5) - 0.3)


def reason_for_lost(world: World) -> None:
    _plain(world)
    filled = (world.labels == 0) & (world.generator.uniform(size=world.rows) < 0.7)
    reasons = world.generator.choice(["price", "timing", "rival"], world.rows)
    world.add("field_a", np.where(filled, reasons, None), InputKind.CATEGORY, leak=True)


def date_for_won(world: World) -> None:
    _plain(world)
    days = 20_000 + world.generator.uniform(0, 300, world.rows)
    world.add("field_b", np.where(world.labels == 1, days, np.nan), InputKind.DATE, leak=True)


def invoiced(world: World) -> None:
    _plain(world)
    world.add("field_c", np.where(world.labels == 1, world.generator.lognormal(8, 1, world.rows), 0), leak=True)


def noisy_copy(world: World) -> None:
    _plain(world)
    wrong = world.generator.uniform(size=world.rows) < 0.05
    world.add("field_d", np.where(wrong, 1 - world.labels, world.labels), leak=True)


def blurred_copy(world: World) -> None:
    _plain(world)
    world.add("field_e", world.labels + world.generator.normal(0, 0.35, world.rows), leak=True)


def stage(world: World) -> None:
    _plain(world)
    names = np.where(world.labels == 1, "closedwon", world.generator.choice(["closedlost", "rejected"], world.rows))
    world.add("field_f", names, InputKind.CATEGORY, leak=True)


def record_ids(world: World) -> None:
    _plain(world)
    g, n = world.generator, world.rows
    world.add("field_g", [f"{key:08x}" for key in g.integers(0, 2**32, n)], InputKind.TEXT, leak=True)
    world.add("field_h", g.permutation(n) + 1_000, leak=True)
    world.add("lead_id", g.choice(10**9, n, replace=False) + 10**9, leak=True)


def running_number(world: World) -> None:
    _plain(world)
    times = np.sort(world.generator.uniform(20_000, 20_400, world.rows))
    world.options["times"] = times
    world.add("field_i", np.cumsum(world.generator.integers(1, 60, world.rows)), leak=True)


def changed_after_the_end(world: World) -> None:
    _plain(world)
    g, n = world.generator, world.rows
    closed = g.uniform(20_000, 20_400, n)
    late = g.uniform(size=n) < 0.5
    world.add("field_j", g.normal(size=n) + 0.8 * world.labels * late, leak=True)
    world.options |= {
        "closed_at": closed,
        "changed_at": {
            "field_j": closed + np.where(late, g.exponential(2, n), -g.exponential(20, n)),
            "age": np.where(g.uniform(size=n) < 0.8, np.nan, closed - g.exponential(20, n)),
            "employees": closed + np.where(g.uniform(size=n) < 0.02, 3.0, -30.0),
        },
    }


def length_of_the_talk(world: World) -> None:
    g = world.generator
    minutes = g.normal(size=world.rows)
    world.decide(world.background(0.7) + 3.4 * minutes - 2)
    world.add("field_k", np.exp(minutes + 1).round(1), leak=True)


def probability_of_the_crm(world: World) -> None:
    _plain(world)
    open_ = world.generator.uniform(size=world.rows) < 0.1
    world.add("field_l", np.where(open_, world.generator.choice([20, 40, 60], world.rows), 100 * world.labels), leak=True)


def sloppy_churn_reason(world: World) -> None:
    world.decide(world.background(0.5) - 1.8)
    share = np.where(world.labels == 1, 0.85, 0.01)
    filled = world.generator.uniform(size=world.rows) < share
    world.add("field_m", np.where(filled, "moved away", None), InputKind.CATEGORY, leak=True)


HONEST: tuple[Maker, ...] = (
    one_strong_number, one_strong_flag, rare_very_good_level, engaged_customers, strong_category, telling_gaps,
    earlier_purchases, rare_outcome, rating, many_places, nothing_but_noise, market_turns,
)  # fmt: skip
LEAKING: tuple[Maker, ...] = (
    reason_for_lost, date_for_won, invoiced, noisy_copy, blurred_copy, stage, record_ids, running_number,
    changed_after_the_end, length_of_the_talk, probability_of_the_crm, sloppy_churn_reason,
)  # fmt: skip


# Held out: written when the numbers of the guard stood.


def a_step(world: World) -> None:
    seats = world.generator.lognormal(2, 1, world.rows).round()
    world.decide(world.background() + np.where(seats > 7, 1.3, -1.7))
    world.add("seats", seats)


def best_in_the_middle(world: World) -> None:
    price = world.generator.normal(size=world.rows)
    world.decide(world.background() + 2 - 2.5 * price**2)
    world.add("price_gap", price)


def two_strong_relatives(world: World) -> None:
    g = world.generator
    first = g.normal(size=world.rows)
    second = 0.7 * first + 0.7 * g.normal(size=world.rows)
    world.decide(world.background() + 1.6 * first + 1.6 * second)
    world.add("fit", first)
    world.add("intent", np.exp(second))


def silence(world: World) -> None:
    days = world.generator.exponential(30, world.rows).round()
    world.decide(world.background() + 1.8 - 0.08 * days)
    world.add("days_since_contact", days)


def dead_country(world: World) -> None:
    g = world.generator
    market = g.choice(5, world.rows, p=[0.4, 0.25, 0.2, 0.1, 0.05])
    world.decide(np.where(market == 4, -6.0, world.background()))
    world.add("market", np.array(["de", "fr", "us", "uk", "xx"])[market], InputKind.CATEGORY)


def gaps_by_source(world: World) -> None:
    g = world.generator
    web = g.uniform(size=world.rows) < 0.5
    world.decide(world.background() + 1.2 * web - 0.6)
    for number in range(4):
        world.add(f"web answer {number}", np.where(web, g.integers(1, 6, world.rows), np.nan))


def season(world: World) -> None:
    month = world.generator.integers(0, 12, world.rows)
    world.decide(world.background() + np.array([-2, -1, 0, 0, 1, 0, -1, -3, 2, 0, 2, 3])[month])
    world.add("month", np.char.add("m", month.astype(str)), InputKind.CATEGORY)


def honest_names_that_sound_late(world: World) -> None:
    g = world.generator
    terms, last = g.choice([12, 24, 36], world.rows), g.choice(3, world.rows, p=[0.75, 0.17, 0.08])
    world.decide(world.background() - 1.5 + np.array([0, 0.4, 2.7])[last] + 0.02 * terms)
    world.add("contract_duration", terms)
    world.add("last_campaign_outcome", np.array(["unknown", "failure", "success"])[last], InputKind.CATEGORY)


def meetings_held(world: World) -> None:
    g = world.generator
    meetings = g.poisson(0.9, world.rows)
    world.decide(world.background() - 2 + 1.6 * meetings)
    world.add("meetings", meetings)


def usage_that_falls_to_zero(world: World) -> None:
    g = world.generator
    use = np.where(g.uniform(size=world.rows) < 0.4, 0.0, g.lognormal(4, 1, world.rows))
    world.decide(world.background() - 1.5 + np.where(use == 0, 2.4, 0) - 0.003 * use)
    world.add("minutes_last_month", use)


def amounts_without_repeats(world: World) -> None:
    world.decide(world.background() - 0.5)
    world.add("turnover", world.generator.lognormal(13, 1, world.rows).round())
    world.add("first_seen", 20_000 + world.generator.uniform(0, 900, world.rows), InputKind.DATE)
    names = world.generator.choice(["Ada", "Bo", "Cy", "Di"], world.rows)
    world.add("owner", names, InputKind.CATEGORY)


def crossed_effects(world: World) -> None:
    g = world.generator
    one, other = g.uniform(size=world.rows) < 0.5, g.normal(size=world.rows)
    world.decide(world.background() + np.where(one, 3.0, -3.0) * other)
    world.add("is_partner", one, InputKind.BOOLEAN)
    world.add("discount", other)


def mails_after_the_win(world: World) -> None:
    _plain(world)
    world.add("field_a", world.generator.poisson(np.where(world.labels == 1, 7, 0.3)), leak=True)


def onboarding(world: World) -> None:
    _plain(world)
    begun = (world.labels == 1) & (world.generator.uniform(size=world.rows) < 0.6)
    days = 20_000 + world.generator.uniform(0, 300, world.rows)
    world.add("field_b", np.where(begun, days, np.nan), InputKind.DATE, leak=True)


def handed_over(world: World) -> None:
    _plain(world)
    over = (world.labels == 1) & (world.generator.uniform(size=world.rows) < 0.85)
    owners = np.where(over, "success team", world.generator.choice(["ada", "bo", "cy", "di", "ed"], world.rows))
    world.add("field_c", owners, InputKind.CATEGORY, leak=True)


def status_codes(world: World) -> None:
    _plain(world)
    world.add("field_d", np.where(world.labels == 1, 4, world.generator.choice([1, 3, 7], world.rows)), leak=True)


def twice_the_same_leak(world: World) -> None:
    length_of_the_talk(world)
    world.add("field_l", world.columns["field_k"].to_numpy() * 60 + world.generator.uniform(0, 6, world.rows), leak=True)


def two_amounts(world: World) -> None:
    _plain(world)
    g, won = world.generator, world.labels == 1
    for name, present in (("field_e", won & (g.uniform(size=world.rows) < 0.9)), ("field_f", won)):
        world.add(name, np.where(present, g.lognormal(7, 1, world.rows), 0), leak=True)


def asked_for_a_refund(world: World) -> None:
    world.decide(world.background(0.5) - 1.5)
    asked = world.generator.uniform(size=world.rows) < np.where(world.labels == 1, 0.6, 0.002)
    world.add("field_g", asked, InputKind.BOOLEAN, leak=True)


def written_by_the_end(world: World) -> None:
    _plain(world)
    g, n = world.generator, world.rows
    closed = np.where(g.uniform(size=n) < 0.9, g.uniform(20_000, 20_100, n), np.nan)
    world.add("field_h", g.choice(["low", "mid", "high"], n), InputKind.CATEGORY, leak=True)
    world.options |= {"closed_at": closed, "changed_at": {"field_h": closed, "visits": closed - 1}}


def days_until_the_end(world: World) -> None:
    _plain(world)
    g = world.generator
    days = np.where(world.labels == 1, g.gamma(9, 3, world.rows), g.gamma(9, 12, world.rows))
    world.add("field_i", days.round(), leak=True)


def other_words(world: World) -> None:
    _plain(world)
    world.add("field_j", np.where(world.labels == 1, "B", "A"), InputKind.CATEGORY, leak=True)


def keys_of_the_shop(world: World) -> None:
    _plain(world)
    g, n = world.generator, world.rows
    world.add("mail", [f"{key:x}@example.org" for key in g.integers(0, 2**40, n)], InputKind.TEXT, leak=True)
    world.add("field_m", 500_000 + g.choice(3 * n, n, replace=False), leak=True)


def score_of_another_model(world: World) -> None:
    _plain(world)
    score = expit(4 * (world.labels - 0.5) + world.generator.normal(0, 1.1, world.rows))
    world.add("field_n", score.round(3), leak=True)


HELD_OUT_HONEST: tuple[Maker, ...] = (
    a_step, best_in_the_middle, two_strong_relatives, silence, dead_country, gaps_by_source, season,
    honest_names_that_sound_late, meetings_held, usage_that_falls_to_zero, amounts_without_repeats, crossed_effects,
)  # fmt: skip
HELD_OUT_LEAKING: tuple[Maker, ...] = (
    mails_after_the_win, onboarding, handed_over, status_codes, twice_the_same_leak, two_amounts, asked_for_a_refund,
    written_by_the_end, days_until_the_end, other_words, keys_of_the_shop, score_of_another_model,
)  # fmt: skip
