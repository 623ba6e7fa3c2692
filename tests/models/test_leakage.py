"""The leak guard on real tables, and its precision and recall over invented ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data import settings
from ml.features.inputs import Input, InputKind
from ml.training.leakage import Findings, Reason, RowReason, find_leaks
from tests.models import leak_worlds as worlds
from tests.models import leak_worlds_held_out as held_out
from tests.models.leak_mixtures import mixture

SHARED = Path(settings.ROOT).parent / "shared" / "data"
YES, NO = ("yes", "true", "1"), ("no", "false", "0")
NAMES = ("bank_marketing", "online_shoppers", "iranian_churn", "telco_churn")
TARGETS = dict(zip(NAMES, ("y", "Revenue", "Churn", "Churn"), strict=True))
KNOWN = dict(zip(NAMES, ({"duration"}, {"PageValues"}, set(), {"customerID"}), strict=True))
Table = tuple[pl.DataFrame, tuple[Input, ...], np.ndarray]


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    if not (SHARED / f"{request.param}.csv.gz").is_file():
        pytest.skip(f"{SHARED} has no {request.param}.csv.gz")
    return str(request.param)


@pytest.fixture(scope="module")
def table(name: str) -> Table:
    return _read(name)


def _read(name: str) -> Table:
    separator = ";" if name == "bank_marketing" else ","
    cells = pl.read_csv(SHARED / f"{name}.csv.gz", separator=separator, infer_schema=False)
    labels = cells[TARGETS[name]].str.to_lowercase().is_in(YES).cast(pl.Int64).to_numpy()
    typed = [_typed(cells[column].str.strip_chars()) for column in cells.columns if column != TARGETS[name]]
    return pl.DataFrame([series for series, _ in typed]), tuple(column for _, column in typed), labels


def _typed(cells: pl.Series) -> tuple[pl.Series, Input]:
    cells = cells.set(cells == "", None)
    numbers, words = cells.cast(pl.Float64, strict=False), cells.str.to_lowercase()
    if numbers.null_count() == cells.null_count():
        return numbers, Input(name=cells.name, kind=InputKind.NUMBER)
    if words.drop_nulls().is_in(YES + NO).all():
        return words.is_in(YES).cast(pl.Float64), Input(name=cells.name, kind=InputKind.BOOLEAN)
    return cells, Input(name=cells.name, kind=InputKind.CATEGORY)


def test_the_known_leak_of_a_real_table_is_all_that_is_found(name: str, table: Table) -> None:
    frame, inputs, labels = table
    for cut in (len(labels), int(0.8 * len(labels))):
        assert find_leaks(frame, inputs, labels, cut=cut).left_out == KNOWN[name]


@pytest.mark.parametrize("rows", [12, 40, 100, 400, 2_000])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.slow
def test_a_part_of_a_real_table_has_no_other_suspects(name: str, table: Table, rows: int, seed: int) -> None:
    frame, inputs, labels = table
    part = np.sort(np.random.default_rng(seed).choice(len(labels), rows, replace=False))
    assert find_leaks(frame[part], inputs, labels[part], seed=seed).left_out <= KNOWN[name]


def test_on_shuffled_outcomes_only_the_identifier_is_left(name: str, table: Table) -> None:
    frame, inputs, labels = table
    found = find_leaks(frame, inputs, np.random.default_rng(0).permutation(labels))
    assert {suspect.column for suspect in found.suspects} == KNOWN[name] & {"customerID"}


def test_a_leak_is_known_without_its_name(name: str, table: Table) -> None:
    frame, inputs, labels = table
    codes = {column.name: f"column {place}" for place, column in enumerate(inputs)}
    renamed = tuple(column.model_copy(update={"name": codes[column.name]}) for column in inputs)
    for cut in (len(labels), int(0.8 * len(labels))):
        found = find_leaks(frame.rename(codes), renamed, labels, cut=cut)
        assert found.left_out == {codes[leak] for leak in KNOWN[name]}


def test_planted_leaks_are_found_beside_the_known_ones(name: str, table: Table) -> None:
    frame, inputs, labels = table
    generator = np.random.default_rng(0)
    planted = pl.DataFrame({
        "a": pl.Series(np.where((labels == 0) & (generator.uniform(size=len(labels)) < 0.7), "price", None), dtype=pl.String),
        "b": np.where(labels == 1, generator.lognormal(6, 1, len(labels)), 0.0),
        "c": np.where(generator.uniform(size=len(labels)) < 0.05, 1 - labels, labels).astype(float),
    })  # fmt: skip
    kinds = (InputKind.CATEGORY, InputKind.NUMBER, InputKind.NUMBER)
    more = tuple(Input(name=name, kind=kind) for name, kind in zip("abc", kinds, strict=True))
    found = find_leaks(frame.hstack(planted), inputs + more, labels)
    assert found.left_out == KNOWN[name] | {"a", "b", "c"}


def test_duplicates_of_a_real_table_are_counted() -> None:
    if not (SHARED / "iranian_churn.csv.gz").is_file():
        pytest.skip(f"{SHARED} has no iranian_churn.csv.gz")
    frame, inputs, labels = _read("iranian_churn")
    cut = int(0.8 * len(labels))
    keyed = [(*row, label) for row, label in zip(frame.rows(), labels.tolist(), strict=True)]
    older = set(keyed[:cut])
    found = find_leaks(frame, inputs, labels, cut=cut)
    assert [(row.reason, row.rows) for row in found.rows] == [(RowReason.DUPLICATES, sum(row in older for row in keyed[cut:]))]


# Invented tables

# Smooth power among a rest that knows something: the same numbers could be honest. Seen in large tables, mostly.
BY_POWER_ALONE = {worlds.length_of_the_talk, held_out.twice_the_same_leak}
each_honest = pytest.mark.parametrize("maker", worlds.HONEST + held_out.HONEST, ids=lambda maker: maker.__name__)
each_leaking = pytest.mark.parametrize(
    "maker", [maker for maker in worlds.LEAKING + held_out.LEAKING if maker not in BY_POWER_ALONE], ids=lambda m: m.__name__
)


def _look(world: worlds.World, seed: int) -> Findings:
    return find_leaks(world.frame, world.inputs, world.labels, seed=seed, **world.options)


@each_honest
@pytest.mark.parametrize("rows", [60, 1_000])
def test_honest_columns_are_left_alone(maker: worlds.Maker, rows: int) -> None:
    assert _look(worlds.make(maker, rows, 1), 1).suspects == ()


@each_leaking
def test_leaking_columns_are_found(maker: worlds.Maker) -> None:
    world = worlds.make(maker, 2_000, 2)
    found = _look(world, 2)
    assert found.left_out == world.leaks
    assert all(isinstance(suspect.reason, Reason) for suspect in found.suspects)


@dataclass
class Tally:
    """Columns by what they are and what the guard made of them."""

    found: int = 0
    accused: int = 0
    missed: int = 0
    honest: int = 0

    def add(self, world: worlds.World, seed: int) -> None:
        left_out = _look(world, seed).left_out
        self.found += len(left_out & world.leaks)
        self.accused += len(left_out - world.leaks)
        self.missed += len(world.leaks - left_out)
        self.honest += len(world.kinds) - len(world.leaks)

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.accused)

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed)


@pytest.mark.slow
@pytest.mark.parametrize(("honest", "leaking"), [(worlds.HONEST, worlds.LEAKING), (held_out.HONEST, held_out.LEAKING)])
def test_precision_and_recall_over_invented_tables(
    honest: tuple[worlds.Maker, ...], leaking: tuple[worlds.Maker, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    tally = Tally()
    for rows in (200, 1_000, 5_000):
        for maker in honest + leaking:
            for seed in range(1_000, 1_005):
                tally.add(worlds.make(maker, rows, seed), seed)
    with capsys.disabled():
        print(f"\n{tally}: precision {tally.precision:.3f}, recall {tally.recall:.3f}")
    assert tally.precision >= 0.99
    assert tally.recall >= 0.85


@pytest.mark.slow
def test_precision_and_recall_over_random_tables(capsys: pytest.CaptureFixture[str]) -> None:
    small, large = Tally(), Tally()
    for seed in range(300):
        world = mixture(seed)
        if world is not None:
            (small if world.rows < 400 else large).add(world, seed)
    with capsys.disabled():
        for name, tally in (("up to 150 rows", small), ("400 rows and more", large)):
            print(f"\n{name}: {tally}: precision {tally.precision:.3f}, recall {tally.recall:.3f}")
    assert small.accused / small.honest <= 0.002
    assert large.accused / large.honest <= 0.004
    assert small.recall >= 0.5
    assert large.recall >= 0.97
