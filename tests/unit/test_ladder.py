"""The ladder: the simplest that is as good serves, the base rate is always a candidate, and any table gets an answer."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import checks
from ml.features.inputs import Input, InputKind
from ml.learners.base import log_odds, probability
from ml.learners.registry import LEARNERS
from ml.preparation.base import Floats, Form, Ints
from ml.training import split, stack
from ml.training.choose import choose
from ml.training.fit import fit_table
from ml.training.ladder import STACK, Prepared, Tried, TypedTable, as_row, stacked
from ml.training.split import Fold, Plan, plan

QUICK = {name: LEARNERS[name].settings for name in ("naive_bayes", "logistic")}


FOLDS_OF_MANY = Plan((Fold(np.arange(1), np.arange(1)),), "one fold")  # many rows: validated once
FOLDS_OF_FEW = Plan(tuple(Fold(np.arange(1), np.arange(1), repeat) for repeat in (0, 0, 1, 1)), "two folds, 2 times")


def tried(learner: str, losses: list[float]) -> Tried:
    nothing = np.zeros((1, len(losses)))
    return Tried(learner, {}, nothing, nothing, np.array(losses), 0.0)


def table(rows: int, seed: int = 0) -> TypedTable:
    frame, labels = checks.table(rows, seed=seed)
    return TypedTable(checks.INPUTS, frame, labels)


def unseen(members: int, rows: int, seed: int = 0) -> tuple[Floats, Ints]:
    """Log-odds of members that each know the truth with an error of their own, and the outcomes."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(0, 1.5, rows)
    labels = (generator.random(rows) < probability(truth)).astype(np.int64)
    return truth[:, None] + generator.normal(0, 1, (rows, members)), labels


def test_of_two_that_are_as_good_the_simpler_serves() -> None:
    generator = np.random.default_rng(0)
    losses = generator.uniform(0, 1, 400)
    a_hair_better = losses - 0.001 + generator.normal(0, 0.1, 400)
    assert choose([tried("prior", losses), tried("xgb", a_hair_better)], FOLDS_OF_MANY).learner == "prior"


def test_one_that_is_no_better_than_the_prior_is_not_let_in_by_a_better_one() -> None:
    """With few rows all are within an error of the best, also those that do harm."""
    generator = np.random.default_rng(0)
    losses = generator.uniform(0.4, 0.6, 60)
    harm, good = losses + generator.normal(0.001, 0.5, 60), losses - 0.02
    candidates = [tried("prior", losses), tried("naive_bayes", harm), tried("svm", good)]
    for folds in (FOLDS_OF_MANY, FOLDS_OF_FEW):
        assert choose(candidates, folds).learner == "svm"


def test_clearly_better_serves_however_complex() -> None:
    losses = np.random.default_rng(0).uniform(0.5, 1, 400)
    assert (
        choose([tried("prior", losses), tried("logistic", losses - 0.1), tried("xgb", losses - 0.3)], FOLDS_OF_MANY).learner
        == "xgb"
    )


def test_the_more_complex_never_serves_when_it_is_worse() -> None:
    assert choose([tried("prior", [0.5] * 20), tried("xgb", [0.6] * 20)], FOLDS_OF_MANY).learner == "prior"


def test_what_tuning_has_found_must_be_ahead_by_more_for_it_is_the_best_of_many() -> None:
    generator = np.random.default_rng(0)
    prior = generator.uniform(0.5, 1, 3_000)
    noise = generator.normal(0, 0.3, len(prior))
    ahead = prior - (noise - noise.mean() + 3 * noise.std(ddof=1) / np.sqrt(len(noise)))
    for found, serves in ((False, "xgb"), (True, "prior")):
        one = replace(tried("xgb", ahead), is_found=found)
        assert choose([tried("prior", prior), one], FOLDS_OF_MANY).learner == serves
        stack = replace(tried("stack", ahead), members=(tried("logistic", prior), one))
        assert choose([tried("prior", prior), stack], FOLDS_OF_MANY).learner == ("stack" if not found else "prior")


def test_the_base_rate_is_not_left_for_a_gain_that_nobody_would_see() -> None:
    losses = np.random.default_rng(0).uniform(0.5, 1, 100_000)
    assert choose([tried("prior", losses), tried("xgb", losses - 0.001)], FOLDS_OF_MANY).learner == "prior"


def test_trees_that_were_stopped_by_the_rows_that_judge_must_be_surer() -> None:
    generator = np.random.default_rng(0)
    losses = generator.uniform(0.5, 1, 400)
    noise = generator.normal(0, 0.4, 400)
    better = losses - 0.035 + noise - noise.mean()  # one and three quarters of a standard error
    assert choose([tried("prior", losses), tried("logistic", better)], FOLDS_OF_MANY).learner == "logistic"
    assert choose([tried("prior", losses), tried("lgbm", better)], FOLDS_OF_MANY).learner == "prior"


def test_boosted_trees_are_on_one_rung_and_the_best_of_them_serves() -> None:
    generator = np.random.default_rng(0)
    prior, xgb = generator.uniform(1, 1.5, 400), generator.uniform(0, 1, 400)
    noise = generator.normal(0, 0.1, 400)
    a_hair_better = xgb - 0.001 + noise - noise.mean()
    candidates = [tried("prior", prior), tried("forest", xgb + 0.2), tried("xgb", xgb), tried("lgbm", a_hair_better)]
    assert choose(candidates, FOLDS_OF_MANY).learner == "lgbm"
    assert choose(candidates, FOLDS_OF_FEW).learner == "xgb"  # the best of many is ahead by chance
    simple = [candidates[0], tried("forest", xgb), *candidates[2:]]
    assert choose(simple, FOLDS_OF_MANY).learner == "forest"


def test_a_candidate_says_how_far_behind_it_is() -> None:
    row = as_row(tried("prior", [1.0, 2.0, 3.0]), tried("xgb", [1.0, 1.0, 1.0]))
    assert (row["learner"], row["log_loss"], row["behind"]) == ("prior", 2.0, 1.0)
    assert row["behind_error"] == pytest.approx(1 / np.sqrt(3))


@given(st.integers(1, 5), st.sampled_from([1, 5, 400]), st.integers(0, 5))
def test_no_member_of_a_stack_weighs_less_than_nothing(members: int, rows: int, seed: int) -> None:
    margins, labels = unseen(members, rows, seed)
    shares, shift = stack.weights(margins, labels)
    assert shares.shape == (members,)
    assert (shares >= 0).all()
    assert np.isfinite(shift)


@given(st.integers(2, 5), st.integers(0, 5))
def test_copies_of_one_member_share_alike(members: int, seed: int) -> None:
    margins, labels = unseen(1, 600, seed)
    shares, _ = stack.weights(np.repeat(margins, members, axis=1), labels)
    assert np.allclose(shares, shares[0], atol=1e-4)


@settings(max_examples=10)
@given(st.integers(0, 20))
def test_a_member_that_is_noise_hardly_weighs(seed: int) -> None:
    margins, labels = unseen(1, 3_000, seed)
    noise = np.random.default_rng(seed + 100).normal(0, 1, (3_000, 1))
    shares, _ = stack.weights(np.hstack([margins, noise]), labels)
    assert shares[0] > 5 * shares[1]


def test_a_wave_of_the_past_is_no_lesson_for_the_level_of_today() -> None:
    """The outcome came more and more often, then less: the models of the past were behind each time, the last one is not."""
    examples = table(6_000)
    times = np.arange(6_000.0)
    often = 0.35 + 0.3 * np.sin(times / 6_000 * np.pi)
    rare = examples.labels * (np.random.default_rng(0).random(6_000) < often)
    made = fit_table(replace(examples, labels=rare, times=times), settings={"logistic": LEARNERS["logistic"].settings[:1]})
    assert made.plan.in_time
    assert made.chosen.learner == "logistic"
    behind = probability(made.chosen.margins[0, 2_400:]).mean() - rare[2_400:].mean()
    now = probability(made.scorer.margins(examples.frame)).mean() - rare.mean()
    assert abs(behind) > 0.01, "the models of the past saw nothing of the wave"
    assert abs(now) < abs(behind) / 3


@pytest.mark.parametrize("name", ["xgb", "lgbm"])
def test_trees_are_grown_while_they_help_and_the_last_fit_grows_as_many(name: str) -> None:
    params = {**LEARNERS[name].settings[0], "n_estimators": 400, "learning_rate": 0.3, "early_stopping_rounds": 5}
    made = fit_table(table(600), settings={name: (params,)}, budget_seconds=0)
    rounds = made.chosen.params["n_estimators"]
    assert made.chosen.learner == name
    assert "early_stopping_rounds" not in made.chosen.params
    assert 1 < rounds < 200
    (member,) = made.scorer.members
    assert member.fitted.rounds == rounds  # type: ignore[attr-defined]


def test_an_ensemble_is_fitted_with_its_members_and_its_factors_add_up() -> None:
    """A straight line that few trees draw badly, and two ends that no line sees: neither alone is as good as both."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(3_000, 8))
    margins = values[:, 1:].sum(axis=1) + 4.0 * (np.abs(values[:, 0]) > 0.7) - 2.0
    labels = (generator.random(3_000) < probability(margins)).astype(np.int64)
    inputs = tuple(Input(name=f"c{place}", kind=InputKind.NUMBER) for place in range(8))
    both = TypedTable(inputs, pl.DataFrame(values, schema=[column.name for column in inputs]), labels)
    few = {"n_estimators": 20, "max_depth": 2, "learning_rate": 0.3}
    made = fit_table(both, settings={"logistic": LEARNERS["logistic"].settings, "xgb": (few,)}, budget_seconds=0)
    assert made.chosen.learner == STACK
    assert {member.learner for member in made.scorer.members} == {"logistic", "xgb"}
    shares = made.scorer.contributions(both.frame)
    assert shares.shape == (3_000, 9)
    assert np.allclose(shares.sum(axis=1), made.scorer.margins(both.frame), rtol=0, atol=1e-6)


def test_members_with_errors_of_their_own_are_better_together() -> None:
    margins, labels = unseen(3, 2_000)
    made = plan(labels)
    alone = [
        Tried(name, {}, column[None, :], column[None, :], np.logaddexp(0, np.where(labels == 1, -column, column)), 0.0)
        for name, column in zip(("logistic", "xgb", "lgbm"), margins.T, strict=True)
    ]
    found = stacked(alone, labels, made)
    assert found is not None
    assert found.learner == STACK
    assert found.loss < min(one.loss for one in alone) - 0.02
    assert stacked(alone[:1], labels, made) is None


@pytest.mark.parametrize("rows", [2, 3, 4, 12, 40])
@pytest.mark.slow
def test_any_few_rows_get_an_answer(rows: int) -> None:
    small = table(rows)
    fit = fit_table(small, settings=QUICK, budget_seconds=0)
    assert np.isfinite(fit.scorer.margins(small.frame)).all()
    assert fit.tried[0].learner == "prior"


def test_a_plain_signal_is_taken_and_noise_is_not() -> None:
    honest = table(400)
    noise = replace(honest, labels=np.random.default_rng(1).permutation(honest.labels))
    assert fit_table(honest, settings=QUICK, budget_seconds=0).chosen.learner != "prior"
    fit = fit_table(noise, settings=QUICK, budget_seconds=0)
    assert fit.chosen.learner == "prior"
    assert np.allclose(fit.scorer.margins(noise.frame), log_odds(noise.labels.mean()), atol=0.02)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_no_number_of_candidates_makes_noise_a_signal(seed: int) -> None:
    noise = table(400, seed=seed)
    shuffled = replace(noise, labels=np.random.default_rng(seed).permutation(noise.labels))
    some = {name: LEARNERS[name].settings for name in ("naive_bayes", "logistic", "xgb", "lgbm")}
    assert fit_table(shuffled, settings=some, budget_seconds=0).chosen.learner == "prior"


@pytest.mark.parametrize("rows", [12, 300])
def test_a_table_without_a_usable_column_gets_the_base_rate(rows: int) -> None:
    notes = pl.DataFrame({"note": pl.Series([None] * rows, dtype=pl.String)})
    labels = np.array([0, 0, 1] * (rows // 3))
    fit = fit_table(TypedTable((Input(name="note", kind=InputKind.TEXT),), notes, labels), budget_seconds=0)
    assert fit.chosen.learner == "prior"
    assert fit.scorer.contributions(notes).shape == (rows, 2)


def test_folds_that_have_a_usable_column_and_folds_that_have_none_go_together() -> None:
    """62 texts of 300: some folds see the 50 that topics take, others do not."""
    texts = [f"call {'back soon' if row % 2 else 'never again'}" if row < 62 else None for row in range(300)]
    notes = pl.DataFrame({"note": pl.Series(texts, dtype=pl.String)})
    made = TypedTable((Input(name="note", kind=InputKind.TEXT),), notes, np.array([row % 2 for row in range(300)]))
    fit = fit_table(made, budget_seconds=0)
    assert np.isfinite(fit.scorer.margins(notes)).all()


@pytest.mark.slow
def test_when_the_time_is_up_at_once_one_learner_is_tried_and_the_others_are_named() -> None:
    fit = fit_table(table(400), budget_seconds=1e-6)
    assert [one.learner for one in fit.tried] == ["prior", "naive_bayes"]
    assert fit.untried == tuple(list(LEARNERS)[2:])
    assert fit_table(table(60), settings=QUICK, budget_seconds=0).untried == ()


def test_matrices_that_nobody_needs_any_more_are_let_go() -> None:
    made = Prepared(table(60), plan(table(60).labels).folds, 0)
    before = {form: made.fold(0, form)[0] for form in Form}
    made.keep({Form.NATIVE})
    assert made.fold(0, Form.NATIVE)[0] is before[Form.NATIVE]
    assert made.fold(0, Form.SCALED)[0] is not before[Form.SCALED]  # made anew


@pytest.mark.slow
def test_one_win_in_a_hundred_and_twenty_rows_is_learned_from_without_a_word() -> None:
    rare = table(120)
    for wins in (1, 2, 3):
        labels = np.zeros(120, dtype=np.int64)
        labels[:wins] = 1
        fit = fit_table(replace(rare, labels=labels), budget_seconds=0)
        assert probability(fit.scorer.margins(rare.frame)).mean() < 0.1


def test_factors_add_up_through_a_whole_version() -> None:
    made = table(400)
    scorer = fit_table(made, settings=QUICK, budget_seconds=0).scorer
    for frame in (made.frame, made.frame[:1], made.frame[:0], checks.odd_rows()):
        shares = scorer.contributions(frame)
        assert shares.shape == (len(frame), len(made.inputs) + 1)
        assert np.allclose(shares.sum(axis=1), scorer.margins(frame), rtol=0, atol=1e-6)


def test_identities_of_one_customer_only_are_told_and_get_the_base_rate() -> None:
    made = table(60)
    fit = fit_table(replace(made, groups=np.zeros(60)), settings=QUICK, budget_seconds=0)
    assert fit.chosen.learner == "prior"
    assert "one identity" in fit.plan.how


@pytest.mark.parametrize("said", ["times", "order", None])
def test_validation_goes_along_the_order_that_is_said(said: str | None) -> None:
    rows = split.FEWEST_FOR_TIME
    generator = np.random.default_rng(0)
    moments = {} if said is None else {said: np.arange(rows, dtype=np.float64)}
    frame = pl.DataFrame({"x": generator.normal(size=rows)})
    made = TypedTable((Input(name="x", kind=InputKind.NUMBER),), frame, generator.integers(0, 2, rows), **moments)
    fitted = fit_table(made, settings={"logistic": ({"C": 1.0},)}, budget_seconds=0)
    assert fitted.plan.in_time is (said is not None)
