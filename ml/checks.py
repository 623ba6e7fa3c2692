"""The contract that every learner must pass, as a TABLE of checks; the tests run each of them on each learner.

A check takes a learner and fails by an AssertionError that says what was expected. Learners see their rows as they do
in a training: through the preparation of their form. (The idea of such a suite: river's `river/checks/`.)
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ml.check_tables import (
    ADDS_UP,
    INPUTS,
    ROWS,
    assert_learns_soundly,
    assert_sound,
    assert_survives,
    auc,
    examples_for,
    fewer,
    learned,
    learned_margins,
    odd_rows,
    prepared_for,
    table,
    unseen_losses,
)
from ml.features.inputs import Input, InputKind
from ml.learners import prior
from ml.learners.base import Examples, Learner, Tunable, probability

Check = Callable[[Learner], None]

SAME = 1e-9  # the same sum in another order
# On noise, over the prior's log-loss: a learner before calibration repeats some of it, and is not to be beside itself.
MORE_ON_NOISE = 0.15
CLEARLY_BETTER = 0.05  # under the prior's log-loss where the signal is plain
MIRRORED = 0.03  # between the AUC of a table and that of its mirror; trees resample their rows
FOLLOWS = 0.8  # the correlation of a factor with its column, of which the log-odds are a straight line
RARE = 0.2  # of the outcomes
LEVEL = 0.1  # between what is expected and what was seen; few trees, and trees of resampled rows, are not exact
PICKLED = b"\x80"


def same_seed_same_result(learner: Learner) -> None:
    first, second = (learned(learner, examples_for(learner), seed=3) for _ in range(2))
    matrix = examples_for(learner).matrix
    assert (first.margins(matrix) == second.margins(matrix)).all(), "two fits with one seed differ"


def contributions_add_up(learner: Learner) -> None:
    """On rows like those of training, on none, on one, and on rows like no other."""
    preparation, examples = prepared_for(learner, INPUTS, *table())
    fitted = learned(learner, examples)
    odd = preparation.apply(odd_rows())
    for matrix in (examples.matrix, examples.matrix[:0], examples.matrix[:1], odd, odd[:1]):
        assert_sound(fitted, matrix, examples.columns)


def factors_belong_to_their_columns(learner: Learner) -> None:
    """What raises the score is the factor of the column that does it; one that never changes has none."""
    frame, labels = table(2 * ROWS)
    inputs = (*INPUTS[:1], INPUTS[3], Input(name="constant", kind=InputKind.NUMBER))
    preparation, examples = prepared_for(learner, inputs, frame.with_columns(pl.lit(1.0).alias("constant")), labels)
    shares = learned(learner, examples).contributions(examples.matrix)[:, :-1]
    by_input = {name: np.zeros(len(shares)) for name in ("visits", "is_first", "constant")}
    for place, column in enumerate(preparation.columns):
        by_input[column.input] += shares[:, place]
    assert np.abs(by_input["constant"]).max() < ADDS_UP, "a column that never changes has a factor"
    if learner.name == prior.LEARNER.name:
        return
    visits = frame["visits"].to_numpy()
    assert np.corrcoef(by_input["visits"], visits)[0, 1] > FOLLOWS, "the factor does not follow its column"
    assert by_input["is_first"].std() < by_input["visits"].std() / 3, "a column of noise has as large a factor as the signal"


def saved_and_loaded_is_the_same(learner: Learner) -> None:
    examples = examples_for(learner)
    assert_survives(learner, learned(learner, examples), examples.matrix)


def file_is_native_text(learner: Learner) -> None:
    """A pickle runs what it likes when it is read, and only in the version that wrote it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / learner.file
        learned(learner, examples_for(learner)).save(path)
        assert [found.name for found in Path(folder).iterdir()] == [learner.file], "more than one file was written"
        content = path.read_bytes()
    assert not content.startswith(PICKLED), "the file is a pickle"
    assert content.decode("utf-8").isprintable() or b"\n" in content, "the file is no text"


def any_column_name_will_do(learner: Learner) -> None:
    """A user's columns are called as they are called; two of the matrix may share a name."""
    examples = examples_for(learner)
    hostile = ("", "a", "a", "a #1", "[é] <\U0001f600>", 'x"\n\t\\', "Column_0")
    names = [hostile[place % len(hostile)] for place in range(len(examples.columns))]
    columns = tuple(column.model_copy(update={"name": name}) for column, name in zip(examples.columns, names, strict=True))
    renamed = Examples(examples.matrix, columns, examples.labels)
    assert_survives(learner, learned(learner, renamed), renamed.matrix)


def rows_do_not_depend_on_each_other(learner: Learner) -> None:
    preparation, examples = prepared_for(learner, INPUTS, *table())
    fitted = learned(learner, examples)
    matrix = np.concatenate([examples.matrix[:20], preparation.apply(odd_rows())])
    together, shares = fitted.margins(matrix), fitted.contributions(matrix)
    for place in range(len(matrix)):
        row = matrix[place : place + 1]
        assert np.allclose(fitted.margins(row), together[place], atol=SAME), "a row's log-odds depend on its neighbours"
        assert np.allclose(fitted.contributions(row), shares[place], atol=ADDS_UP), "a row's factors depend on its neighbours"


def inputs_are_left_alone(learner: Learner) -> None:
    examples = examples_for(learner)
    matrix, labels = examples.matrix.copy(), examples.labels.copy()
    fitted = learned(learner, examples)
    fitted.margins(examples.matrix)
    fitted.contributions(examples.matrix)
    assert np.array_equal(examples.matrix, matrix, equal_nan=True), "the matrix was changed"
    assert np.array_equal(examples.labels, labels), "the labels were changed"
    matrix.setflags(write=False)
    labels.setflags(write=False)
    learned(learner, Examples(matrix, examples.columns, labels)).margins(matrix)


def one_column_is_enough(learner: Learner) -> None:
    frame, labels = table()
    for column in INPUTS:
        assert_learns_soundly(learner, (column,), frame, labels)


def constant_column_changes_nothing(learner: Learner) -> None:
    frame, labels = table()
    odd = Input(name="constant", kind=InputKind.NUMBER)
    assert_learns_soundly(learner, (*INPUTS, odd), frame.with_columns(pl.lit(0.1).alias(odd.name)), labels)
    assert_learns_soundly(learner, (odd,), frame.with_columns(pl.lit(0.1).alias(odd.name)), labels)


def missing_column_changes_nothing(learner: Learner) -> None:
    frame, labels = table()
    for kind in InputKind:
        odd = Input(name="gone", kind=kind)
        dtype = pl.String if kind in (InputKind.CATEGORY, InputKind.TEXT) else pl.Float64
        wide = frame.with_columns(pl.lit(None, dtype=dtype).alias(odd.name))
        assert_learns_soundly(learner, (INPUTS[0], odd), wide, labels)


def twelve_rows_are_enough(learner: Learner) -> None:
    """A customer's first ones. The ladder would not ask most learners, but none may break."""
    for seed in range(3):
        assert_learns_soundly(learner, INPUTS, *table(12, seed=seed))


def level_is_right(learner: Learner) -> None:
    """On the rows that taught, as many outcomes are expected as there were: columns that repeat each other, a rare outcome."""
    frame, labels = table(5 * ROWS)
    echoes = tuple(Input(name=f"visits {place}", kind=InputKind.NUMBER) for place in range(4))
    wide = frame.with_columns(frame["visits"].alias(echo.name) for echo in echoes)
    rare = labels * (np.random.default_rng(1).random(len(labels)) < RARE)
    scores = probability(learned_margins(learner, (*INPUTS, *echoes), wide, rare))
    assert abs(scores.mean() / rare.mean() - 1) < LEVEL, f"{scores.mean():.3f} expected, {rare.mean():.3f} seen"


def very_rare_outcome(learner: Learner) -> None:
    for wins in (1, 2, 3):
        frame, _ = table(200)
        labels = np.zeros(len(frame), dtype=np.int64)
        labels[:: len(frame) // wins][:wins] = 1
        for flipped in (labels, 1 - labels):
            assert_learns_soundly(learner, INPUTS, frame, flipped)


def doubled_column_changes_little(learner: Learner) -> None:
    frame, labels = table()
    twin = Input(name="visits again", kind=InputKind.NUMBER)
    wide = frame.with_columns(frame["visits"].alias(twin.name))
    one, two = (learned_margins(learner, inputs, wide, labels) for inputs in (INPUTS, (*INPUTS, twin)))
    assert abs(auc(labels, one) - auc(labels, two)) < CLEARLY_BETTER, "a column given twice changes the order of the rows"


def mirrored_outcomes_mirror_the_scores(learner: Learner) -> None:
    frame, labels = table()
    straight, mirrored = (learned_margins(learner, INPUTS, frame, one) for one in (labels, 1 - labels))
    assert abs(auc(labels, straight) + auc(labels, mirrored) - 1) < MIRRORED, "wins and losses are not treated alike"


def units_do_not_matter(learner: Learner) -> None:
    """Cents or euros: powers of two, so that no digit is lost on the way."""
    frame, labels = table()
    for factor in (2.0**-20, 2.0**20):
        scaled = frame.with_columns(pl.col("visits") * factor)
        plain, other = (learned_margins(learner, INPUTS[:1], one, labels) for one in (frame, scaled))
        assert np.allclose(plain, other, atol=1e-4), "the unit of a column changes the scores"


def signal_is_found(learner: Learner) -> None:
    loss, base = unseen_losses(learner, *table(2 * ROWS, seed=1))
    if learner.name != prior.LEARNER.name:
        assert loss < base * (1 - CLEARLY_BETTER), f"log-loss {loss:.4f} against the prior's {base:.4f} on a plain signal"


def noise_is_not_believed(learner: Learner) -> None:
    for seed in range(3):
        frame, labels = table(2 * ROWS, seed=seed)
        loss, base = unseen_losses(learner, frame, np.random.default_rng(seed).permutation(labels))
        assert loss < base * (1 + MORE_ON_NOISE), f"log-loss {loss:.4f} against the prior's {base:.4f} on noise"


def each_setting_is_usable(learner: Learner) -> None:
    examples = examples_for(learner)
    assert learner.settings, "there is nothing to start with"
    for params in learner.settings:
        fitted = learner.fit(examples, fewer(params), seed=0, watch=examples.rows(np.arange(100)))
        assert_sound(fitted, examples.matrix, examples.columns)


def fewer_rounds_are_a_model_too(learner: Learner) -> None:
    """Boosters only: a training cuts all folds to one number of rounds."""
    examples = examples_for(learner)
    fitted: Any = learned(learner, examples)
    if not hasattr(fitted, "rounds"):
        return
    for rounds in (1, max(1, fitted.rounds // 2), fitted.rounds, fitted.rounds + 10):
        cut = fitted.cut(rounds)
        assert cut.rounds == min(rounds, fitted.rounds), "cut to another number of rounds"
        assert_sound(cut, examples.matrix, examples.columns)
        assert_survives(learner, cut, examples.matrix)


def suggestions_are_usable(learner: Learner) -> None:
    """Learners that can be tuned only: whatever is suggested can be learned with."""
    import optuna

    if not isinstance(learner, Tunable):
        return
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(dict(learner.bold))
    examples = examples_for(learner)
    for number in range(3):
        trial = study.ask()
        params = learner.suggest(trial)
        assert number or trial.params == learner.bold, "bold names other parameters than are suggested, or is out of their range"
        assert_sound(learner.fit(examples, fewer(params), seed=0), examples.matrix, examples.columns)


CHECKS: tuple[Check, ...] = (
    same_seed_same_result,
    contributions_add_up,
    factors_belong_to_their_columns,
    saved_and_loaded_is_the_same,
    file_is_native_text,
    any_column_name_will_do,
    rows_do_not_depend_on_each_other,
    inputs_are_left_alone,
    one_column_is_enough,
    constant_column_changes_nothing,
    missing_column_changes_nothing,
    twelve_rows_are_enough,
    level_is_right,
    very_rare_outcome,
    doubled_column_changes_little,
    mirrored_outcomes_mirror_the_scores,
    units_do_not_matter,
    signal_is_found,
    noise_is_not_believed,
    each_setting_is_usable,
    fewer_rounds_are_a_model_too,
    suggestions_are_usable,
)
