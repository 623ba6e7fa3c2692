"""How often the alarms err, by simulation. `python -m tests.models.test_monitoring_rates` prints the tables of docs/models.md."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from ml.features.inputs import Input, InputKind
from ml.learners.base import probability
from ml.monitoring import drift, live
from ml.monitoring.reference import SCORE, refer
from ml.preparation.base import Floats, Ints

pytestmark = pytest.mark.slow

LETTERS, SHARES = list("abcdefghij"), [0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.04, 0.03, 0.02, 0.01]
# Twenty columns of the sorts that a CRM has, four of each; every third of them has missing values.
SORTS: dict[str, tuple[InputKind, Callable[[np.random.Generator, int], np.ndarray]]] = {
    "normal": (InputKind.NUMBER, lambda generator, rows: generator.normal(0, 1, rows)),
    "count": (InputKind.NUMBER, lambda generator, rows: generator.poisson(2, rows).astype(float)),
    "mostly_zero": (
        InputKind.NUMBER,
        lambda generator, rows: np.where(generator.random(rows) < 0.8, 0.0, generator.lognormal(0, 1, rows)),
    ),
    "category": (InputKind.CATEGORY, lambda generator, rows: generator.choice(LETTERS, rows, p=SHARES)),
    "boolean": (InputKind.BOOLEAN, lambda generator, rows: (generator.random(rows) < 0.1).astype(float)),
}
INPUTS = tuple(Input(name=f"{sort}_{number}", kind=kind) for number in range(4) for sort, (kind, _) in SORTS.items())
MISSING = 0.05


def table(generator: np.random.Generator, rows: int, *, moved: float = 0.0) -> pl.DataFrame:
    """`moved`: by how many standard deviations the mean of the first column is off."""
    columns = {column.name: SORTS[column.name.rpartition("_")[0]][1](generator, rows) for column in INPUTS}
    columns[INPUTS[0].name] = columns[INPUTS[0].name] + moved
    frame = pl.DataFrame(columns)
    for column in INPUTS[::3]:
        gone = pl.Series(generator.random(rows) < MISSING)
        frame = frame.with_columns(pl.when(gone).then(None).otherwise(pl.col(column.name)).alias(column.name))
    return frame


def drift_rates(
    taught: int, recent: int, *, moved: float = 0.0, draws: int = 100, level: float = drift.LEVEL
) -> tuple[float, float]:
    """The share of looks with an alarm of any column, and of the one that has moved."""
    anything = the_moved = 0
    for seed in range(draws):
        generator = np.random.default_rng(seed)
        old = refer(INPUTS, table(generator, taught), generator.beta(1, 5, taught), groups=None, score_groups=None)
        found = drift.measure(old, INPUTS, table(generator, recent, moved=moved), generator.beta(1, 5, recent), level=level)
        names = {shift.name for shift in found.drifted}
        assert names <= {SCORE, *(column.name for column in INPUTS)}
        anything += bool(names)
        the_moved += INPUTS[0].name in names
    return anything / draws, the_moved / draws


def answered(generator: np.random.Generator, rows: int, *, spoilt: float = 0.0, shift: float = 0.0) -> tuple[Ints, Floats]:
    """Labels, and the log-odds of a model that knows the truth but for the spoilt share of what it knew."""
    truth = generator.normal(0, 1, rows)
    labels = (generator.random(rows) < probability(-2 + shift + truth)).astype(np.int64)
    return labels, -2 + np.sqrt(1 - spoilt) * truth + np.sqrt(spoilt) * generator.normal(0, 1, rows)


def live_rate(promised: int, settled: int, *, draws: int = 60, **changed: float) -> float:
    """The share of looks that tell of a drop."""
    dropped = 0
    for seed in range(draws):
        generator = np.random.default_rng(seed)
        before = answered(generator, promised)
        labels, margins = answered(generator, settled, **changed)
        dropped += live.judge("1", labels, probability(margins), before, seed=seed).has_dropped
    return dropped / draws


@pytest.mark.parametrize(("taught", "recent"), [(500, 200), (5_000, 200), (5_000, 1_000)])
def test_without_drift_an_alarm_is_a_matter_of_a_thousand_looks(taught: int, recent: int) -> None:
    assert drift_rates(taught, recent)[0] <= 0.01


@pytest.mark.parametrize("shares", [[1.0] * 10, [0.095] * 10 + [0.05], [*SHARES[:6], 0.1], [0.8, 0.05, 0.05, 0.1, 0.001]])
@pytest.mark.parametrize("recent", [drift.FEWEST_ROWS, 1_000])
def test_the_far_tail_of_one_column_is_as_heavy_as_it_is_said_to_be(shares: list[float], recent: int) -> None:
    generator, draws, level = np.random.default_rng(0), 60_000, 0.001
    share = np.array(shares) / sum(shares)
    before, now = generator.multinomial(5_000, share, draws), generator.multinomial(recent, share, draws)
    limit = {bins: drift.chance(bins, 5_000, recent, level) for bins in range(1, len(shares) + 1)}
    used = ((before + now) > 0).sum(axis=1)
    above = sum(drift.psi(*each) > limit[bins] for each, bins in zip(zip(before, now, strict=True), used.tolist(), strict=True))
    assert above / draws < 2 * level


def test_the_limit_of_chance_holds_at_its_level() -> None:
    """At 5 % for all columns together, with the fewest rows that are judged."""
    assert drift_rates(5_000, 200, draws=200, level=0.05)[0] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_a_mean_that_moved_by_three_quarters_of_a_deviation_is_seen_in_three_hundred_rows() -> None:
    assert drift_rates(5_000, 300, moved=0.75, draws=30)[1] > 0.9


def test_a_drop_is_told_by_chance_once_in_a_hundred_looks_at_most() -> None:
    assert live_rate(5_000, 1_000) <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 60)


def test_a_model_that_has_lost_what_it_knew_is_told_by_a_thousand_settled_answers() -> None:
    assert live_rate(5_000, 1_000, spoilt=1.0, draws=15) == 1
    assert live_rate(5_000, 1_000, shift=0.8, draws=15) > 0.8


def main() -> None:
    print("drift: taught, recent, false alarms at 0.001, at 0.05, seen 0.25, 0.5, 0.75, 1 deviations")
    for taught, recent in ((500, 200), (500, 1_000), (5_000, 200), (5_000, 300), (5_000, 1_000), (50_000, 5_000)):
        false = drift_rates(taught, recent)[0], drift_rates(taught, recent, draws=200 if taught <= 5_000 else 100, level=0.05)[0]
        seen = [drift_rates(taught, recent, moved=moved, draws=50)[1] for moved in (0.25, 0.5, 0.75, 1.0)]
        print(taught, recent, *false, *seen, flush=True)
    print("live: promised, settled, false, AUC 0.71, 0.68, 0.63, 0.50, rate 0.16 -> 0.27, -> 0.085")
    for promised, settled in ((500, 200), (500, 1_000), (5_000, 200), (5_000, 1_000), (5_000, 5_000)):
        spoilt = [live_rate(promised, settled, spoilt=share, draws=40) for share in (0.3, 0.5, 0.7, 1.0)]
        rates = [live_rate(promised, settled, shift=shift, draws=40) for shift in (0.8, -0.75)]
        print(promised, settled, live_rate(promised, settled, draws=200), *spoilt, *rates, flush=True)


if __name__ == "__main__":
    main()
