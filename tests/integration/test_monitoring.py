"""A model is looked at: drift, live performance, and whether it is time to train."""

import httpx
import pytest

from automation import monitoring, retraining
from automation.jobs import watch_process
from automation.pipeline.context import Loop
from data.domain.training import TrainingState
from data.errors import LeadloopError
from data.settings import Scope
from data.warehouse import model_checks
from ml.monitoring.reference import REFERENCE
from ml.monitoring.when import Why
from ml.training.rows import HOLDOUT
from ml.version import CHECKSUMS
from tests.conftest import LoopFactory
from tests.support import FakeClock, bearer, until  # noqa: F401 the tests of retraining take it from here
from tests.watched import BY_HAND, FEW, MODEL, places_won, remember, sample, scored, states, won


@pytest.mark.slow
def test_leads_like_those_of_the_training_raise_no_alarm_and_others_do(loop: Loop, clock: FakeClock) -> None:
    scored(loop, sample(FEW))
    found = monitoring.check(loop, MODEL)
    assert (found.drift.rows, found.drift.drifted) == (FEW, ())
    clock.move(days=31)
    scored(loop, sample(FEW), "other", channel="billboard", page_views=40)
    drifted = {shift.name for shift in monitoring.check(loop, MODEL).drift.drifted}
    assert {"channel", "page_views", "score"} <= drifted
    assert monitoring.newest(loop, MODEL) == monitoring.check(loop, MODEL)


@pytest.mark.slow
def test_a_busy_lead_counts_once(loop: Loop, clock: FakeClock) -> None:
    scored(loop, sample(FEW))
    for _ in range(20):
        clock.move(seconds=1)
        scored(loop, sample(3), channel="billboard")
    found = monitoring.check(loop, MODEL).drift
    assert (found.rows, found.drifted) == (FEW, ())


def test_with_few_answers_it_says_how_many_are_needed(loop: Loop) -> None:
    scored(loop, sample(20))
    found = monitoring.check(loop, MODEL)
    assert "20 scored of the 200 that are needed" in found.drift.said
    assert found.live is not None
    assert "not enough to tell" in found.live.said
    assert found.decided.reason is None


@pytest.mark.slow
def test_only_answers_whose_end_is_in_sight_are_judged(loop: Loop, clock: FakeClock) -> None:
    """The wins of the newest are known already, their losses are not: with them the rate would be far too high."""
    old, new = sample(300), sample(300, seed=6)
    scored(loop, old, "old")
    clock.move(days=3)
    won(loop, places_won(old), "old")
    clock.move(days=50)
    scored(loop, new, "new")
    clock.move(days=3)
    won(loop, places_won(new), "new")
    clock.move(days=7)
    live = monitoring.check(loop, MODEL).live
    assert live is not None
    assert (live.version, live.rows, live.won, live.young) == ("1", 300, len(places_won(old)), 300)
    assert live.promised_rate is not None
    assert live.low < live.promised_rate < live.high
    assert not live.has_dropped, live.said


@pytest.mark.slow
def test_answers_that_come_true_the_other_way_round_are_a_reason_to_train(loop: Loop, clock: FakeClock) -> None:
    rows = sample(350)
    scored(loop, rows)
    clock.move(days=3)
    worst = rows.with_row_index().sort("true_probability")["index"].head(45).to_list()
    won(loop, worst)
    clock.move(days=60)
    found = monitoring.check(loop, MODEL)
    assert found.live is not None
    assert found.live.has_dropped
    assert found.decided.reason is not None
    assert found.decided.reason.why is Why.LIVE_DROP


@pytest.mark.slow
def test_what_the_last_training_has_learned_from_is_not_judged_again(loop: Loop, clock: FakeClock) -> None:
    scored(loop, sample(FEW))
    clock.move(days=61)
    remember(loop, TrainingState.CHALLENGER, examples=FEW)
    clock.move(days=2)
    found = monitoring.check(loop, MODEL)
    assert found.live is not None
    assert found.live.rows == 0
    assert "0 finished examples are new" in found.decided.said


@pytest.mark.slow
def test_a_version_from_before_there_were_references_is_judged_by_its_scores(loop: Loop) -> None:
    folder = loop.settings.models_dir / MODEL / "1"
    (folder / REFERENCE).unlink()
    (folder / CHECKSUMS).unlink()
    scored(loop, sample(FEW), channel="referral", page_views=40, sessions=9, engaged_sessions=9)
    found = monitoring.check(loop, MODEL).drift
    assert [shift.name for shift in found.drifted] == ["score"]
    assert found.inputs == ()


@pytest.mark.slow
def test_a_look_is_due_again_after_its_hours_or_when_what_it_asked_for_was_not_done(loop: Loop, clock: FakeClock) -> None:
    assert monitoring.is_due(loop, MODEL)
    scored(loop, sample(FEW))
    clock.move(days=61)
    asked = monitoring.check(loop, MODEL)
    assert asked.decided.reason is not None
    assert asked.decided.reason.why is Why.GROWN
    assert monitoring.is_due(loop, MODEL), "nobody has trained yet"
    clock.move(seconds=1)
    remember(loop, TrainingState.INTERRUPTED)
    assert monitoring.is_due(loop, MODEL), "the service was stopped meanwhile"
    remember(loop, TrainingState.PROMOTED, examples=FEW)
    assert not monitoring.is_due(loop, MODEL)
    clock.move(hours=loop.settings.watch_hours)
    assert monitoring.is_due(loop, MODEL)


@pytest.mark.slow
def test_a_training_may_be_left_to_people(make_loop: LoopFactory, clock: FakeClock) -> None:
    loop = make_loop(retrain=False)
    scored(loop, sample(FEW))
    clock.move(days=61)
    assert watch_process.watch(loop)
    assert states(loop) == []
    assert not monitoring.is_due(loop, MODEL)


def test_one_model_that_cannot_be_looked_at_is_told(loop: Loop) -> None:
    (loop.settings.models_dir / MODEL / "1" / REFERENCE).write_text("{")
    assert not watch_process.watch(loop)
    with loop.database.read() as session:
        assert model_checks.newest(session, MODEL) is None


def test_rows_of_a_version_that_cannot_be_read_are_no_reason_not_to_look(loop: Loop) -> None:
    path = loop.settings.models_dir / MODEL / "1" / HOLDOUT
    path.write_bytes(path.read_bytes()[:-20])
    assert monitoring._rows(loop.settings.models_dir, MODEL, "1") is None


@pytest.mark.slow
def test_the_last_look_is_shown_over_http(api: httpx.Client, loop: Loop) -> None:
    before = api.get(f"/models/{MODEL}", headers=bearer(Scope.READ)).json()["monitoring"]
    assert before == {"check": None, "training": None}
    scored(loop, sample(FEW), channel="billboard")
    monitoring.check(loop, MODEL)
    with pytest.raises(LeadloopError), retraining.remembered(loop.database, loop.clock, MODEL, BY_HAND, 5):
        raise LeadloopError("the disk is full")
    shown = api.get(f"/models/{MODEL}", headers=bearer(Scope.READ)).json()["monitoring"]
    assert shown["check"]["drift"]["inputs"][0]["name"] == "channel"
    assert shown["check"]["drift"]["inputs"][0]["drifted"] is True
    assert "drift in 200 scored: " in shown["check"]["drift"]["said"]
    assert "not enough to tell" in shown["check"]["live"]["said"]
    assert "nothing new to learn from" in shown["check"]["decided"]["said"]
    assert (shown["training"]["state"], shown["training"]["error"]) == ("failed", "the disk is full")
