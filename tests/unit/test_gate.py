"""The gate: who passes, who does not, and why."""

from typing import Any

import numpy as np
import pytest

from ml.learners.base import probability
from ml.preparation.base import Floats, Ints
from ml.training.evaluate import ece_by_chance
from ml.training.gate import AUC_MARGIN, MOST_ECE, Contest, Decision, decide

ROWS = 4_000
SEGMENT = "channel"


def table(rows: int = ROWS, seed: int = 0) -> tuple[Ints, Floats, Any]:
    """Labels, the true log-odds that made them, and a channel for each row."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(-1.5, 1.2, rows)
    labels = (generator.random(rows) < probability(truth)).astype(np.int64)
    channels = generator.choice(np.array(["email", "search", "social", None], dtype=object), rows, p=[0.5, 0.3, 0.1, 0.1])
    return labels, truth, channels


def noisy(margins: Floats, noise: float, seed: int = 7) -> Floats:
    return margins + np.random.default_rng(seed).normal(0, noise, len(margins))


def decided(candidate: Floats, labels: Ints, champion: Floats | None, **options: Any) -> Decision:
    given = {"base_rate": 0.25, "champion_version": None if champion is None else "1"}
    asked = {name: options.pop(name) for name in ("not_served",) if name in options}
    return decide(Contest(labels, candidate, champion, **(given | options)), rounds=200, **asked)


@pytest.fixture(scope="module")
def world() -> tuple[Ints, Floats, Any]:
    return table()


def in_social(channels: Any, there: Floats, elsewhere: Floats) -> Floats:
    return np.where(channels == "social", there, elsewhere)


# name -> the candidate of (true log-odds, channels), whether it passes, and what the reasons say
CANDIDATES: dict[str, tuple[Any, bool, str]] = {
    "better": (lambda truth, _: truth, True, "against champion 1: better"),
    "as good": (lambda truth, _: noisy(truth, 0.3, seed=8), True, "cannot tell them apart"),
    "the same": (lambda truth, _: noisy(truth, 0.3), True, "the same scores as champion 1"),
    "slightly worse": (lambda truth, _: noisy(truth, 0.55), False, "log-loss"),
    "much worse": (lambda truth, _: noisy(truth, 1.5), False, "AUC"),
    "random": (lambda truth, _: np.random.default_rng(3).permutation(truth), False, "AUC"),
    "overconfident": (lambda truth, _: 2 * truth, False, "calibration error"),
    "too high": (lambda truth, _: truth + 0.5, False, "calibration error"),
    "blind for one segment": (
        lambda truth, channels: in_social(channels, noisy(truth, 2.0), truth), False, "where channel is social",
    ),
    "the base rate": (lambda truth, _: np.full(len(truth), -1.1), False, "AUC"),
}  # fmt: skip


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_candidate_against_a_champion(world: tuple[Ints, Floats, Any], name: str) -> None:
    labels, truth, channels = world
    make, promote, said = CANDIDATES[name]
    decision = decided(make(truth, channels), labels, noisy(truth, 0.3), levels={SEGMENT: channels})
    assert decision.promote is promote, decision.reasons
    assert said in decision.summary
    assert decision.champion == "1"
    assert (decision.rows, decision.won) == (ROWS, labels.sum())


def test_a_segment_that_collapses_is_refused_even_where_the_whole_is_better(world: tuple[Ints, Floats, Any]) -> None:
    labels, truth, channels = world
    candidate = in_social(channels, noisy(truth, 1.5), truth)
    decision = decided(candidate, labels, noisy(truth, 0.8), levels={SEGMENT: channels})
    assert decision.log_loss is not None
    assert decision.log_loss.passed
    assert not decision.promote
    assert [part.level for part in decision.segments if part.collapsed] == ["social"]
    assert len(decision.reasons) == 1
    assert decided(candidate, labels, noisy(truth, 0.8)).promote, "without the segments nobody sees it"


def test_of_many_segments_the_worst_are_told_and_all_are_stored(world: tuple[Ints, Floats, Any]) -> None:
    labels, truth, channels = world
    levels = {f"column {number}": channels for number in range(5)}
    decision = decided(in_social(channels, noisy(truth, 1.5), truth), labels, noisy(truth, 0.8), levels=levels)
    assert sum(part.collapsed for part in decision.segments) == 5
    assert len(decision.reasons) == 4
    assert decision.reasons[-1] == "and worse for certain in 2 more segments"


def test_the_figures_are_stored_with_their_intervals(world: tuple[Ints, Floats, Any]) -> None:
    labels, truth, channels = world
    decision = decided(noisy(truth, 0.5), labels, truth, levels={SEGMENT: channels}, notes=("as it is",))
    assert decision.log_loss is not None
    assert decision.auc is not None
    for check in (decision.log_loss, decision.auc):
        assert check.found.low <= check.found.difference <= check.found.high
    assert decision.auc.margin == AUC_MARGIN
    assert decision.calibration is not None
    assert decision.calibration.most >= MOST_ECE
    assert {part.level for part in decision.segments} == {"email", "search", "social", "(missing)"}
    assert decision.notes == ("as it is",)
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


@pytest.mark.parametrize(("rows", "noise", "promote"), [(50, 0.1, True), (50, 0.5, True), (50, 4.0, False)])
def test_with_few_rows_only_what_can_be_told_is_held_against_a_candidate(rows: int, noise: float, promote: bool) -> None:
    labels, truth, channels = table(rows, seed=4)
    decision = decided(noisy(truth, noise), labels, truth, levels={SEGMENT: channels})
    assert decision.promote is promote, decision.reasons
    assert decision.segments == ()


def test_what_chance_makes_of_a_perfect_model_is_allowed() -> None:
    _, truth, _ = table(100)
    few, many = ece_by_chance(probability(truth)), ece_by_chance(probability(table(20_000)[1]))
    assert few > MOST_ECE > many
    labels = (np.random.default_rng(0).random(100) < probability(truth)).astype(np.int64)
    assert decided(truth, labels, truth).promote


@pytest.mark.slow
def test_a_champion_that_gains_little_is_not_given_up_for_less() -> None:
    """Half a percent of the log-loss would be most of what it knows."""
    generator = np.random.default_rng(0)
    truth = generator.normal(-1.5, 0.15, 50_000)
    labels = (generator.random(len(truth)) < probability(truth)).astype(np.int64)
    base_rate = float(labels.mean())
    prior = np.full(len(truth), float(np.log(base_rate / (1 - base_rate))))
    decision = decided(prior, labels, truth, base_rate=base_rate)
    assert decision.log_loss is not None
    assert decision.log_loss.found.difference < 0.005 * decision.log_loss.found.champion
    assert not decision.log_loss.passed


@pytest.mark.parametrize(
    ("candidate", "promote"),
    [(lambda truth: truth, True), (lambda truth: np.full(len(truth), np.log(0.25 / 0.75)), True),
     (lambda truth: -truth, False)],
    ids=["a good one", "the base rate itself", "one that is worse than it"],
)  # fmt: skip
def test_the_first_version_must_only_be_as_good_as_the_base_rate(
    world: tuple[Ints, Floats, Any], candidate: Any, promote: bool
) -> None:
    labels, truth, _ = world
    decision = decided(candidate(truth), labels, None)
    assert decision.promote is promote
    assert "the base rate" in decision.summary
    assert decision.champion is None


def test_without_any_row_the_first_is_taken_and_a_second_is_not() -> None:
    nothing: Floats = np.zeros(0)
    none = np.zeros(0, dtype=np.int64)
    assert decided(nothing, none, None).promote
    assert not decided(nothing, none, nothing).promote


@pytest.mark.parametrize("first", [True, False])
def test_an_input_that_serving_does_not_give_is_a_reason(world: tuple[Ints, Floats, Any], first: bool) -> None:
    labels, truth, _ = world
    decision = decided(truth, labels, None if first else truth, not_served=["shoe size"])
    assert not decision.promote
    assert "'shoe size'" in decision.reasons[0]
    assert len(decision.reasons) == 1


def test_rows_of_one_identity_do_not_count_as_many() -> None:
    """Ten leads seen a hundred times each are ten witnesses."""
    labels, truth, _ = table(10, seed=1)
    many = [np.repeat(values, 100) for values in (labels, truth, noisy(truth, 0.8, seed=2))]
    groups = np.repeat(np.arange(10), 100)
    alone, together = decided(many[2], many[0], many[1]), decided(many[2], many[0], many[1], groups=groups)
    assert alone.log_loss is not None
    assert together.log_loss is not None
    assert together.log_loss.found.error > 5 * alone.log_loss.found.error
