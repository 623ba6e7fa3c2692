"""Random tables: some weak columns, none to two strong honest ones, none to two leaks, each of a random make.

What a seed gives is not designed, so some honest columns are as good as a copy of the outcome with 6 % mistakes, and no
guard can tell them apart. The tables measure the rates of both mistakes; no single one of them is right or wrong.
"""

import numpy as np

from ml.features.inputs import InputKind
from tests.models.leak_worlds import World

SIZES = (40, 150, 400, 1_500, 6_000)
FEWEST_OF_CLASS = 5
Column = tuple[np.ndarray, InputKind]


def mixture(seed: int) -> World | None:
    """The table of a seed, its honest columns called `weak ...` and `strong ...`; nothing where one outcome hardly occurs."""
    generator = np.random.default_rng(seed)
    world = World(generator, int(generator.choice(SIZES)))
    common, share = generator.normal(size=world.rows), generator.uniform(0, 0.8)
    log_odds = np.zeros(world.rows)
    for number in range(int(generator.integers(3, 15))):
        trait = _trait(generator, common, share)
        log_odds += generator.normal(0, 0.35) * trait
        world.add(f"weak {number}", *_weak(generator, trait))
    for number in range(int(generator.integers(0, 3))):
        cells, kind, effect = _strong(generator, _trait(generator, common, share))
        log_odds += effect
        world.add(f"strong {number}", cells, kind)
    world.decide(log_odds - log_odds.mean() - generator.choice([0, 0, 1, 2.5]))
    if min(world.labels.sum(), (1 - world.labels).sum()) < FEWEST_OF_CLASS:
        return None
    for number in range(int(generator.integers(0, 3))):
        world.add(f"field {number}", *_leak(generator, world.labels), leak=True)
    return world


def _trait(generator: np.random.Generator, common: np.ndarray, share: float) -> np.ndarray:
    return share * common + np.sqrt(1 - share**2) * generator.normal(size=len(common))


def _weak(generator: np.random.Generator, trait: np.ndarray) -> Column:
    makes: list[Column] = [
        (trait, InputKind.NUMBER),
        (np.exp(1.5 * trait).round(1), InputKind.NUMBER),
        (np.maximum(0, np.floor(2 * trait)), InputKind.NUMBER),
        ((trait > generator.normal(0, 0.5)) * 1.0, InputKind.BOOLEAN),
        (np.digitize(trait, [-1, 0, 0.7]).astype(str), InputKind.CATEGORY),
    ]
    make = int(generator.integers(0, len(makes)))
    cells, kind = makes[make]
    has_gaps = kind is InputKind.NUMBER and generator.uniform() < 0.3
    return (np.where(generator.uniform(size=len(trait)) < 0.3, np.nan, cells), kind) if has_gaps else (cells, kind)


def _strong(generator: np.random.Generator, trait: np.ndarray) -> tuple[np.ndarray, InputKind, np.ndarray]:
    rows, slope = len(trait), generator.uniform(1, 2.5) * generator.choice([-1, 1])
    codes, counts, absent = generator.integers(0, 7, rows), generator.poisson(1.2, rows), generator.uniform(size=rows) < 0.5
    makes = [
        (trait, InputKind.NUMBER, slope * trait),
        ((trait > 0) * 1.0, InputKind.BOOLEAN, 1.2 * slope * np.sign(trait)),
        (np.char.add("level ", codes.astype(str)), InputKind.CATEGORY, generator.normal(0, 1.5, 7)[codes]),
        (counts * 1.0, InputKind.NUMBER, 0.8 * slope * (counts - 1.2)),
        (np.where(absent, 0, np.exp(trait + 4)), InputKind.NUMBER, np.where(absent, -0.6 * slope, 0.6 * slope)),
    ]
    return makes[int(generator.integers(0, len(makes)))]


def _leak(generator: np.random.Generator, labels: np.ndarray) -> Column:
    rows, one = len(labels), labels == generator.integers(0, 2)
    often, nearly, wrong = generator.uniform(0.4, 1), generator.uniform(0.7, 1), generator.uniform(0, 0.06)
    chance = generator.uniform(size=rows)
    makes: list[Column] = [
        (np.where(one & (chance < often), generator.choice(["a", "b", "c"], rows), None), InputKind.CATEGORY),
        (np.where(one & (chance < nearly), generator.gamma(3, 9, rows), np.nan), InputKind.NUMBER),
        (np.where(one & (chance < 0.97), generator.lognormal(5, 1, rows), 0), InputKind.NUMBER),
        (np.where(chance < wrong, 1 - labels, labels) * 1.0, InputKind.BOOLEAN),
        (labels + generator.normal(0, generator.uniform(0.1, 0.4), rows), InputKind.NUMBER),
        (np.where(one, "x", generator.choice(["p", "q", "r"], rows)), InputKind.CATEGORY),
        (generator.permutation(rows) + 1_000.0, InputKind.NUMBER),
        (generator.poisson(np.where(one, 6, 0.4)) * 1.0, InputKind.NUMBER),
    ]
    return makes[int(generator.integers(0, len(makes)))]
