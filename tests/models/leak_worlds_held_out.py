"""More invented tables, written when the numbers of the guard stood: none was moved for them.

One rule was narrowed after a first look (that words support a copy only).
"""

import numpy as np
from scipy.special import expit

from ml.features.inputs import InputKind
from tests.models.leak_worlds import Maker, World, length_of_the_talk, plain


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
    plain(world)
    world.add("field_a", world.generator.poisson(np.where(world.labels == 1, 7, 0.3)), leak=True)


def onboarding(world: World) -> None:
    plain(world)
    begun = (world.labels == 1) & (world.generator.uniform(size=world.rows) < 0.6)
    days = 20_000 + world.generator.uniform(0, 300, world.rows)
    world.add("field_b", np.where(begun, days, np.nan), InputKind.DATE, leak=True)


def handed_over(world: World) -> None:
    plain(world)
    over = (world.labels == 1) & (world.generator.uniform(size=world.rows) < 0.85)
    owners = np.where(over, "success team", world.generator.choice(["ada", "bo", "cy", "di", "ed"], world.rows))
    world.add("field_c", owners, InputKind.CATEGORY, leak=True)


def status_codes(world: World) -> None:
    plain(world)
    world.add("field_d", np.where(world.labels == 1, 4, world.generator.choice([1, 3, 7], world.rows)), leak=True)


def twice_the_same_leak(world: World) -> None:
    length_of_the_talk(world)
    world.add("field_l", world.columns["field_k"].to_numpy() * 60 + world.generator.uniform(0, 6, world.rows), leak=True)


def two_amounts(world: World) -> None:
    plain(world)
    g, won = world.generator, world.labels == 1
    for name, present in (("field_e", won & (g.uniform(size=world.rows) < 0.9)), ("field_f", won)):
        world.add(name, np.where(present, g.lognormal(7, 1, world.rows), 0), leak=True)


def asked_for_a_refund(world: World) -> None:
    world.decide(world.background(0.5) - 1.5)
    asked = world.generator.uniform(size=world.rows) < np.where(world.labels == 1, 0.6, 0.002)
    world.add("field_g", asked, InputKind.BOOLEAN, leak=True)


def written_by_the_end(world: World) -> None:
    plain(world)
    g, n = world.generator, world.rows
    closed = np.where(g.uniform(size=n) < 0.9, g.uniform(20_000, 20_100, n), np.nan)
    world.add("field_h", g.choice(["low", "mid", "high"], n), InputKind.CATEGORY, leak=True)
    world.options |= {"closed_at": closed, "changed_at": {"field_h": closed, "visits": closed - 1}}


def days_until_the_end(world: World) -> None:
    plain(world)
    g = world.generator
    days = np.where(world.labels == 1, g.gamma(9, 3, world.rows), g.gamma(9, 12, world.rows))
    world.add("field_i", days.round(), leak=True)


def other_words(world: World) -> None:
    plain(world)
    world.add("field_j", np.where(world.labels == 1, "B", "A"), InputKind.CATEGORY, leak=True)


def keys_of_the_shop(world: World) -> None:
    plain(world)
    g, n = world.generator, world.rows
    world.add("mail", [f"{key:x}@example.org" for key in g.integers(0, 2**40, n)], InputKind.TEXT, leak=True)
    world.add("field_m", 500_000 + g.choice(3 * n, n, replace=False), leak=True)


def score_of_another_model(world: World) -> None:
    plain(world)
    score = expit(4 * (world.labels - 0.5) + world.generator.normal(0, 1.1, world.rows))
    world.add("field_n", score.round(3), leak=True)


HONEST: tuple[Maker, ...] = (
    a_step, best_in_the_middle, two_strong_relatives, silence, dead_country, gaps_by_source, season,
    honest_names_that_sound_late, meetings_held, usage_that_falls_to_zero, amounts_without_repeats, crossed_effects,
)  # fmt: skip
LEAKING: tuple[Maker, ...] = (
    mails_after_the_win, onboarding, handed_over, status_codes, twice_the_same_leak, two_amounts, asked_for_a_refund,
    written_by_the_end, days_until_the_end, other_words, keys_of_the_shop, score_of_another_model,
)  # fmt: skip
