"""What the checks of `ml/checks.py` are made of: small tables, a learner fitted on them, and what every fit must be."""

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import roc_auc_score

from data.domain.prediction import LARGEST_LOG_ODDS
from ml.features.inputs import LARGEST_NUMBER, Input, InputKind
from ml.learners import prior
from ml.learners.base import Examples, Fitted, Learner, Params, probability
from ml.preparation import prepare
from ml.preparation.base import Column, Floats, Ints, Matrix
from ml.preparation.prepare import Preparation

ROWS = 400
ADDS_UP = 1e-6  # contributions against the log-odds
FEWER: Params = {"n_estimators": 40, "trees": 40}  # enough trees for a check
INPUTS = (
    Input(name="visits", kind=InputKind.NUMBER),
    Input(name="income [EUR] <net>", kind=InputKind.NUMBER),
    Input(name="channel", kind=InputKind.CATEGORY),
    Input(name="is_first", kind=InputKind.BOOLEAN),
    Input(name="seen", kind=InputKind.DATE),
)


def table(rows: int = ROWS, *, seed: int = 0) -> tuple[pl.DataFrame, Ints]:
    """A typed frame of INPUTS with gaps, a skewed column, a rare level and a plain signal; its labels have both outcomes."""
    generator = np.random.default_rng(seed)
    visits = generator.normal(3, 2, rows)
    channels = generator.choice(["mail", "search", "social", "rare"], rows, p=[0.4, 0.3, 0.27, 0.03])
    margins = 0.8 * (visits - 3) + np.where(channels == "mail", 1.0, -0.7)
    labels = (generator.random(rows) < probability(margins)).astype(np.int64)
    labels[:2] = (0, 1)
    gaps = generator.random((rows, 2)) < 0.1
    frame = pl.DataFrame(
        {
            "visits": visits,
            "income [EUR] <net>": pl.Series(generator.lognormal(8, 2, rows)).set(pl.Series(gaps[:, 0]), None),
            "channel": pl.Series(channels).set(pl.Series(gaps[:, 1]), None),
            "is_first": generator.integers(0, 2, rows).astype(np.float64),
            "seen": 20_000.0 + generator.integers(0, 400, rows),
        }
    )
    return frame, labels


def odd_rows() -> pl.DataFrame:
    """Nothing known at all, a level never seen, and the largest numbers that are let in."""
    least, most = -LARGEST_NUMBER, LARGEST_NUMBER
    return pl.DataFrame(
        {
            "visits": [None, 3.0, most, least],
            "income [EUR] <net>": [None, 1.0, most, least],
            "channel": [None, "never seen", "mail", ""],
            "is_first": [None, 1.0, 0.0, 1.0],
            "seen": [None, 20_100.0, most, least],
        },
        schema=table(2)[0].schema,
    )


def fewer(params: Params) -> Params:
    """The same parameters with so few trees that a check takes no time."""
    return {name: min(value, FEWER[name]) if name in FEWER else value for name, value in params.items()}


def prepared_for(learner: Learner, inputs: tuple[Input, ...], frame: pl.DataFrame, labels: Ints) -> tuple[Preparation, Examples]:
    preparation, matrix = prepare.fit(learner.form, inputs, frame, labels, seed=0)
    return preparation, Examples(matrix, preparation.columns, labels)


def examples_for(learner: Learner) -> Examples:
    return prepared_for(learner, INPUTS, *table())[1]


def learned(learner: Learner, examples: Examples, *, seed: int = 0) -> Fitted:
    return learner.fit(examples, fewer(learner.settings[0]), seed=seed)


def learned_margins(learner: Learner, inputs: tuple[Input, ...], frame: pl.DataFrame, labels: Ints) -> Floats:
    examples = prepared_for(learner, inputs, frame, labels)[1]
    return learned(learner, examples).margins(examples.matrix)


def assert_learns_soundly(learner: Learner, inputs: tuple[Input, ...], frame: pl.DataFrame, labels: Ints) -> None:
    examples = prepared_for(learner, inputs, frame, labels)[1]
    assert_sound(learned(learner, examples), examples.matrix, examples.columns)


def assert_sound(fitted: Fitted, matrix: Matrix, columns: tuple[Column, ...]) -> None:
    """Finite log-odds, and as many finite contributions that add up to them and are no larger than a factor may be."""
    margins, shares = fitted.margins(matrix), fitted.contributions(matrix)
    assert margins.shape == (len(matrix),), f"{margins.shape} log-odds for {len(matrix)} rows"
    assert shares.shape == (len(matrix), len(columns) + 1), f"{shares.shape} contributions for {len(matrix)} x {len(columns)}"
    assert margins.dtype == shares.dtype == np.float64, "not 64-bit numbers"
    assert np.isfinite(margins).all(), "log-odds that are not finite"
    assert (np.abs(shares) <= LARGEST_LOG_ODDS).all(), "a contribution that is not finite, or larger than a factor may be"
    assert np.allclose(shares.sum(axis=1), margins, rtol=0, atol=ADDS_UP), "contributions do not add up"


def assert_survives(learner: Learner, fitted: Fitted, matrix: Matrix) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / learner.file
        fitted.save(path)
        loaded = learner.load(path)
        assert np.array_equal(loaded.margins(matrix), fitted.margins(matrix)), "log-odds change by saving and loading"
        assert np.array_equal(loaded.contributions(matrix), fitted.contributions(matrix)), "factors change by saving and loading"


def unseen_losses(learner: Learner, frame: pl.DataFrame, labels: Ints) -> tuple[float, float]:
    """The learner's log-loss on the second half of the rows, and the prior's."""
    half = len(frame) // 2
    preparation, examples = prepared_for(learner, INPUTS, frame[:half], labels[:half])
    margins = learned(learner, examples).margins(preparation.apply(frame[half:]))
    base = prior.LEARNER.fit(examples, {}, seed=0).intercept
    return _log_loss(margins, labels[half:]), _log_loss(np.full(len(frame) - half, base), labels[half:])


def _log_loss(margins: Floats, labels: Ints) -> float:
    return float(np.logaddexp(0, np.where(labels == 1, -margins, margins)).mean())


def auc(labels: Ints, scores: Floats) -> float:
    return float(roc_auc_score(labels, scores))
