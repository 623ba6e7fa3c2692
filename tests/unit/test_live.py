"""Live performance: a drop is told when it is sure and matters, and not when only the mix of leads has changed."""

import numpy as np
import pytest

from ml.learners.base import log_odds, probability
from ml.monitoring.live import Live, judge
from ml.preparation.base import Floats, Ints
from ml.training.conclusion import FEWEST_TO_TRUST
from ml.training.verdict import FEWEST_OF_EACH


def world(rows: int, seed: int, *, centre: float = -1.5, spread: float = 1.2, spoilt: float = 0.0) -> tuple[Ints, Floats]:
    """Labels, and the log-odds that a model says which knows the truth but for the spoilt share of its variance."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(0, spread, rows)
    labels = (generator.random(rows) < probability(centre + truth)).astype(np.int64)
    guess = np.sqrt(1 - spoilt) * truth + np.sqrt(spoilt) * generator.normal(0, spread, rows)
    return labels, centre + guess


def judged(live: tuple[Ints, Floats], promised: tuple[Ints, Floats] | None = None) -> Live:
    return judge("3", live[0], probability(live[1]), promised or world(3_000, 1), young=7)


def test_answers_that_come_true_as_promised_are_no_drop() -> None:
    for seed in range(2, 8):
        found = judged(world(800, seed))
        assert not found.has_dropped, found.said
    assert found.is_enough
    assert found.low < found.won / 800 < found.high
    assert "as good as promised" in found.said


def test_a_model_that_has_lost_its_grip_is_told_with_old_and_new() -> None:
    found = judged(world(1_500, 2, spoilt=0.9))
    assert found.has_dropped
    assert any("in the right order (promised 7" in reason for reason in found.reasons)
    assert any("log-loss" in reason for reason in found.reasons)


def test_scores_that_are_too_high_are_told_though_the_order_holds() -> None:
    labels, margins = world(2_000, 2)
    found = judged((labels, margins + 0.9))
    assert not any("right order" in reason for reason in found.reasons)
    assert any("points (promised" in reason for reason in found.reasons)


def test_leads_that_are_nearer_to_fifty_fifty_are_no_drop() -> None:
    """Each answer costs more, and yet each is as right as promised."""
    live = world(1_500, 2, centre=-0.3)
    found = judged(live)
    assert found.log_loss is not None
    assert found.log_loss.low > 0, "the log-loss has risen for certain"
    assert not any("log-loss" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("rows", "won"), [(FEWEST_TO_TRUST - 1, 40), (500, FEWEST_OF_EACH - 1), (500, 500 - FEWEST_OF_EACH + 1), (0, 0)]
)
def test_too_few_say_how_many_are_needed(rows: int, won: int) -> None:
    labels = np.array([1] * won + [0] * (rows - won), dtype=np.int64)
    found = judge("3", labels, np.full(rows, 0.2), world(3_000, 1), young=7)
    assert not found.is_enough
    assert not found.has_dropped
    assert f"{FEWEST_TO_TRUST} with {FEWEST_OF_EACH} of each are needed, and 7 are too young" in found.said


def test_the_base_rate_for_everybody_can_be_judged() -> None:
    labels = world(1_000, 2)[0]
    same = np.full(1_000, float(labels.mean()))
    found = judge("3", labels, same, (labels, log_odds(same)))
    assert found.is_enough
    assert not found.has_dropped
