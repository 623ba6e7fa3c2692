"""The verdict on two versions in service: by what really happened, and no sooner than it can be told."""

import numpy as np
import pytest

from data.domain.traffic import Mode, Traffic, Variant, changed
from ml.learners.base import probability
from ml.training.verdict import FEWEST_OF_EACH, Scored, ScoredTwice, of_live, of_shadow
from tests.support import NOON

TRAFFIC = Traffic(model="lead_score", champion="1", challenger="2", mode=Mode.SHADOW, share=1.0, since=NOON)


def world(rows: int, noise: float, seed: int = 0) -> list[ScoredTwice]:
    """The champion knows the truth, the challenger with this much noise."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(-1, 1.2, rows)
    won = generator.random(rows) < probability(truth)
    guess = truth + generator.normal(0, noise, rows)
    return [ScoredTwice(*each) for each in zip(probability(truth).tolist(), probability(guess).tolist(), won.tolist(), strict=True)]


def alternately(rows: list[ScoredTwice]) -> list[Scored]:
    """The same, each entity scored by one of the two only."""
    return [
        Scored(Variant.CHALLENGER, row.challenger, row.won) if place % 2 else Scored(Variant.CHAMPION, row.champion, row.won)
        for place, row in enumerate(rows)
    ]


def test_in_the_shadow_both_are_compared_on_the_same_entities() -> None:
    worse = of_shadow(TRAFFIC, world(600, 1.0))
    assert worse.said.startswith("the challenger is worse: log-loss +")
    assert [(arm.variant, arm.version, arm.outcomes) for arm in worse.arms] == [
        (Variant.CHAMPION, "1", 600), (Variant.CHALLENGER, "2", 600),
    ]  # fmt: skip
    turned = [ScoredTwice(row.challenger, row.champion, row.won) for row in world(600, 1.0)]
    assert of_shadow(TRAFFIC, turned).said.startswith("the challenger is better: log-loss -")
    assert "cannot tell" in of_shadow(TRAFFIC, world(200, 0.05)).said


def test_live_needs_more_outcomes_for_the_same_verdict() -> None:
    rows = world(600, 0.6)
    assert of_shadow(TRAFFIC, rows).said.startswith("the challenger is worse")
    assert "cannot tell" in of_live(TRAFFIC, alternately(rows)).said
    found = of_live(TRAFFIC, alternately(world(6_000, 1.0)))
    assert found.said.startswith("the challenger is worse")
    assert found.auc is not None
    assert found.auc.high < 0
    assert found.arms[0].low < found.arms[0].won / found.arms[0].outcomes < found.arms[0].high


@pytest.mark.parametrize("rows", [0, 1, 15])
def test_with_few_outcomes_nothing_is_said(rows: int) -> None:
    for found in (of_shadow(TRAFFIC, world(rows, 1.0)), of_live(TRAFFIC, alternately(world(rows, 1.0)))):
        assert found.log_loss is None
        assert f"{FEWEST_OF_EACH} won and {FEWEST_OF_EACH} lost" in found.said


def test_another_share_goes_on_with_the_comparison_and_another_pair_or_mode_begins_anew() -> None:
    later = TRAFFIC.since.replace(hour=20)
    assert changed(None, TRAFFIC) == TRAFFIC
    assert changed(TRAFFIC, TRAFFIC.model_copy(update={"share": 0.5, "since": later})).since == TRAFFIC.since
    for change in ({"mode": Mode.LIVE}, {"challenger": "3"}, {"champion": "2"}):
        assert changed(TRAFFIC, TRAFFIC.model_copy(update={**change, "since": later})).since == later
