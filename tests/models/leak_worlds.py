"""Invented tables of a sales team, honest and leaking, for measuring the leak guard.

Each world is one mechanism: how a strong honest column comes about, or how an answer gets into a column. These
were looked at while the guard was made; those of leak_worlds_held_out.py came afterwards.
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


def old_customers(world: World) -> None:
    begun = np.sort(world.generator.uniform(20_000, 20_400, world.rows))
    years = world.generator.gamma(2, 3, world.rows)
    world.options["times"] = begun
    world.decide(world.background(0.6) + 0.5 * years - 4)
    world.add("first_order", begun - 365 * years, InputKind.DATE)


# Leaking tables.


def plain(world: World) -> None:
    world.decide(world.background(0.5) - 0.3)


def reason_for_lost(world: World) -> None:
    plain(world)
    filled = (world.labels == 0) & (world.generator.uniform(size=world.rows) < 0.7)
    reasons = world.generator.choice(["price", "timing", "rival"], world.rows)
    world.add("field_a", np.where(filled, reasons, None), InputKind.CATEGORY, leak=True)


def date_for_won(world: World) -> None:
    plain(world)
    days = 20_000 + world.generator.uniform(0, 300, world.rows)
    world.add("field_b", np.where(world.labels == 1, days, np.nan), InputKind.DATE, leak=True)


def date_of_the_end(world: World) -> None:
    plain(world)
    g, n = world.generator, world.rows
    begun = np.sort(g.uniform(20_000, 20_400, n))
    lasted = np.where(world.labels == 1, g.lognormal(2.5, 0.6, n), g.lognormal(4.5, 0.6, n))
    world.options["times"] = begun
    world.add("field_n", begun + lasted, InputKind.DATE, leak=True)


def invoiced(world: World) -> None:
    plain(world)
    world.add("field_c", np.where(world.labels == 1, world.generator.lognormal(8, 1, world.rows), 0), leak=True)


def noisy_copy(world: World) -> None:
    plain(world)
    wrong = world.generator.uniform(size=world.rows) < 0.05
    world.add("field_d", np.where(wrong, 1 - world.labels, world.labels), leak=True)


def blurred_copy(world: World) -> None:
    plain(world)
    world.add("field_e", world.labels + world.generator.normal(0, 0.35, world.rows), leak=True)


def stage(world: World) -> None:
    plain(world)
    names = np.where(world.labels == 1, "closedwon", world.generator.choice(["closedlost", "rejected"], world.rows))
    world.add("field_f", names, InputKind.CATEGORY, leak=True)


def record_ids(world: World) -> None:
    plain(world)
    g, n = world.generator, world.rows
    world.add("field_g", [f"{key:08x}" for key in g.integers(0, 2**32, n)], InputKind.TEXT, leak=True)
    world.add("field_h", g.permutation(n) + 1_000, leak=True)
    world.add("lead_id", g.choice(10**9, n, replace=False) + 10**9, leak=True)


def running_number(world: World) -> None:
    plain(world)
    times = np.sort(world.generator.uniform(20_000, 20_400, world.rows))
    world.options["times"] = times
    world.add("field_i", np.cumsum(world.generator.integers(1, 60, world.rows)), leak=True)


def changed_after_the_end(world: World) -> None:
    plain(world)
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
    plain(world)
    open_ = world.generator.uniform(size=world.rows) < 0.1
    world.add("field_l", np.where(open_, world.generator.choice([20, 40, 60], world.rows), 100 * world.labels), leak=True)


def sloppy_churn_reason(world: World) -> None:
    world.decide(world.background(0.5) - 1.8)
    share = np.where(world.labels == 1, 0.85, 0.01)
    filled = world.generator.uniform(size=world.rows) < share
    world.add("field_m", np.where(filled, "moved away", None), InputKind.CATEGORY, leak=True)


HONEST: tuple[Maker, ...] = (
    one_strong_number, one_strong_flag, rare_very_good_level, engaged_customers, strong_category, telling_gaps,
    earlier_purchases, rare_outcome, rating, many_places, nothing_but_noise, market_turns, old_customers,
)  # fmt: skip
LEAKING: tuple[Maker, ...] = (
    reason_for_lost, date_for_won, date_of_the_end, invoiced, noisy_copy, blurred_copy, stage, record_ids, running_number,
    changed_after_the_end, length_of_the_talk, probability_of_the_crm, sloppy_churn_reason,
)  # fmt: skip
