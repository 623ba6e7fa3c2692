"""How often the gate errs, by simulation: equal models mostly pass, clearly worse ones hardly ever.

`python -m tests.models.test_gate_rates` prints the table of docs/models.md.
"""

import numpy as np
import pytest

from ml.learners.base import probability
from ml.training.gate import Contest, decide

pytestmark = pytest.mark.slow
DRAWS = 60
# Three standard errors of a share of 0.05 over so many draws.
ALLOWANCE = 3 * float(np.sqrt(0.05 * 0.95 / DRAWS))


def pass_rate(rows: int, champion_noise: float, candidate_noise: float, shift: float = 0.0) -> float:
    """The share of draws in which a candidate passes that knows the truth with this much noise."""
    passed = 0
    for seed in range(DRAWS):
        generator = np.random.default_rng(seed)
        truth = generator.normal(-1.9, 1.2, rows)
        labels = (generator.random(rows) < probability(truth)).astype(np.int64)
        champion, candidate = (truth + generator.normal(0, noise, rows) for noise in (champion_noise, candidate_noise))
        channels = generator.choice(np.array(list("abcdef"), dtype=object), rows)
        contest = Contest(labels, candidate + shift, champion, 0.2, champion_version="1", levels={"channel": channels})
        passed += decide(contest, rounds=150, seed=seed).promote
    return passed / DRAWS


@pytest.mark.parametrize(("rows", "least"), [(50, 0.6), (200, 0.6), (1_000, 0.6), (5_000, 0.8)])
def test_a_model_that_is_as_good_passes_in_most_draws(rows: int, least: float) -> None:
    assert pass_rate(rows, 0.2, 0.2) > least


@pytest.mark.parametrize(("rows", "champion", "candidate", "shift"), [
    (1_000, 0.2, 0.7, 0.0), (5_000, 0.2, 0.5, 0.0), (1_000, 0.2, 0.2, 0.6), (200, 0.2, 1.5, 0.0),
])  # fmt: skip
def test_a_clearly_worse_one_passes_in_at_most_one_draw_of_twenty(
    rows: int, champion: float, candidate: float, shift: float
) -> None:
    assert pass_rate(rows, champion, candidate, shift) <= 0.05 + ALLOWANCE


def test_a_clearly_better_one_passes() -> None:
    assert pass_rate(1_000, 0.7, 0.2) > 0.95


def main() -> None:
    print("rows, passes: as good, worse, much worse, better")
    for rows in (50, 200, 1_000, 5_000):
        print(rows, *(f"{pass_rate(rows, *noise):.2f}" for noise in ((0.2, 0.2), (0.2, 0.6), (0.2, 1.0), (0.6, 0.2))), flush=True)


if __name__ == "__main__":
    main()
