"""The predictor: scores that are the sum of their factors, and champions that change without a gap."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.prediction import Label
from data.domain.traffic import Mode, Traffic, Variant
from data.errors import BadInput, NotFound, NotReady
from data.samples.leads import NAMES
from ml.features.inputs import typed_rows
from ml.learners import xgb
from ml.learners.base import probability
from ml.serving import predictor as predictor_module
from ml.serving.predictor import Predictor, Served
from ml.version import CHAMPION, load, read_card, write_atomically, write_card
from tests.support import COLD, HOT, NOON, put_variation

MODEL = "lead_score"
LEADS = st.fixed_dictionaries(
    {},
    optional={
        "sessions": st.none() | st.integers(0, 50) | st.integers(0, 50).map(str),
        "engaged_sessions": st.none() | st.integers(0, 50),
        "page_views": st.none() | st.floats(0, 500),
        "channel": st.none() | st.sampled_from(NAMES) | st.text(),
        "is_first_visit": st.none() | st.booleans() | st.sampled_from(["yes", "no"]),
    },
)


def predictor_of(folder: Path, threshold: float | str = 0.5) -> Predictor:
    made = Predictor(folder, hot_threshold=threshold, hot_share=0.05)
    made.refresh()
    return made


@pytest.fixture(scope="module")
def served(trained_models: Path) -> Served:
    return predictor_of(trained_models).champion(MODEL)


@pytest.fixture(scope="module")
def second(trained_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another version: the same with half of its trees."""
    return put_variation(trained_models / MODEL / "1", tmp_path_factory.mktemp("second") / "2", trees=50)


@pytest.fixture
def models(trained_models: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder of versions to change."""
    return shutil.copytree(trained_models, tmp_path / "models")


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_base_value_and_factors_add_up_to_the_score(served: Served) -> None:
    @given(LEADS)
    def holds(lead: dict[str, Any]) -> None:
        (prediction,) = served.predict([lead])
        total = prediction.base_value + sum(factor.contribution for factor in prediction.factors)
        assert total == pytest.approx(logit(prediction.score), abs=1e-9)
        points = sum(factor.points or 0 for factor in prediction.factors)
        assert points == pytest.approx(100 * (prediction.score - probability(prediction.base_value)), abs=1e-6)

    holds()


def test_the_score_is_the_learners_own_after_calibration(served: Served) -> None:
    rows = [HOT, COLD, {}, {"sessions": 3, "channel": "email"}]
    first_visits = [False, True, None, False]
    complete = [{**row, "is_first_visit": first} for row, first in zip(rows, first_visits, strict=True)]
    scorer = served.version.scorer
    (member,) = scorer.members
    matrix = scorer.preparations[member.form].apply(typed_rows(served.card.inputs, complete))
    own = probability(scorer.calibration.apply(member.fitted.margins(matrix)))
    assert [prediction.score for prediction in served.predict(rows)] == pytest.approx(own.tolist(), abs=1e-12)


def test_factors_name_each_feature_once_and_the_strongest_first(served: Served) -> None:
    (prediction,) = served.predict([HOT])
    assert {factor.feature: factor.value for factor in prediction.factors} == HOT
    strengths = [abs(factor.contribution) for factor in prediction.factors]
    assert strengths == sorted(strengths, reverse=True)


def test_a_hot_lead_scores_higher_than_a_cold_one(served: Served) -> None:
    hot, cold = served.predict([HOT, COLD])
    assert (hot.label, cold.label) == (Label.HIGH, Label.LOW)
    assert hot.score > cold.score
    assert hot.grade < cold.grade
    assert (cold.confidence, hot.confidence) == (1 - cold.score, hot.score)
    assert (hot.model, hot.model_version) == (MODEL, "1")


def test_rows_do_not_touch_each_other(served: Served) -> None:
    leads = [HOT, {}, COLD, HOT]
    assert served.predict(leads) == [served.predict([lead])[0] for lead in leads]
    assert served.predict([]) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sessions", "many"), ("sessions", []), ("sessions", 1e400), ("page_views", 10**400), ("engaged_sessions", {"value": 3}),
        ("is_first_visit", "perhaps"), ("is_first_visit", 2), ("channel", ["email"]),
    ],
)  # fmt: skip
def test_a_wrong_type_is_named_when_strict_and_missing_otherwise(served: Served, field: str, value: Any) -> None:
    with pytest.raises(BadInput, match=f"^{field}: must be") as refused:
        served.predict([COLD, {**HOT, field: value}], strictly=True)
    assert refused.value.field == field
    assert math.isfinite(served.predict([{**HOT, field: value}])[0].score)
    if field != "is_first_visit":  # which follows from the sessions where it is not told
        assert served.predict([{**HOT, field: value}])[0].score == served.predict([{**HOT, field: None}])[0].score


def test_unknown_fields_are_ignored(served: Served) -> None:
    plain = served.predict([HOT], strictly=True)
    assert served.predict([{**HOT, "favourite_colour": ["blue"], "": None}], strictly=True) == plain


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_missing_fields_are_missing_values(served: Served, nothing: Any) -> None:
    (absent,) = served.predict([{"sessions": 3}], strictly=True)
    (empty,) = served.predict([{**dict.fromkeys(HOT, nothing), "sessions": 3}], strictly=True)
    assert empty.score == absent.score


def test_numbers_as_text_score_as_numbers(served: Served) -> None:
    as_text = {name: str(value) for name, value in HOT.items()}
    assert served.predict([as_text])[0].score == served.predict([HOT])[0].score


@pytest.mark.parametrize(
    ("row", "nothing"),
    [({}, True), ({"firstname": "Ada"}, True), (dict.fromkeys(HOT), True), ({"channel": "unseen"}, True),
     ({"page_views": "x"}, True), ({"page_views": 0}, False), ({"channel": "Email"}, False),
     ({"is_first_visit": False}, False), (COLD, False)],
    ids=str,
)  # fmt: skip
def test_a_row_of_which_nothing_is_known(served: Served, row: dict[str, Any], nothing: bool) -> None:
    assert served.knows_nothing_of(row) is nothing


def test_auto_takes_the_threshold_from_the_hold_out(trained_models: Path, served: Served) -> None:
    automatic = predictor_of(trained_models, "auto").champion(MODEL)
    quantiles = served.card.holdout_quantiles
    assert automatic.threshold == automatic.card.threshold("auto", 0.05)
    assert sum(score > automatic.threshold for score in quantiles) == pytest.approx(0.05 * len(quantiles), abs=len(quantiles) / 100)
    assert automatic.predict([HOT])[0].threshold == automatic.threshold != served.threshold == 0.5


def test_a_model_without_a_champion_is_not_ready(tmp_path: Path) -> None:
    empty = predictor_of(tmp_path / "nothing")
    assert (empty.refresh(), empty.served()) == ([], {})
    with pytest.raises(NotReady, match="leadloop train lead_score"):
        empty.champion(MODEL)


def test_a_new_champion_is_swapped_in(models: Path, second: Path) -> None:
    predictor = predictor_of(models)
    before = predictor.champion(MODEL)
    shutil.copytree(second, models / MODEL / "2")
    assert predictor.refresh() == []
    write_atomically(models / MODEL / CHAMPION, "2\n")
    assert predictor.refresh() == [MODEL]
    after = predictor.champion(MODEL)
    assert (before.card.version, after.card.version) == ("1", "2")
    assert before.predict([HOT])[0].model_version == "1"
    assert after.predict([HOT])[0].score != before.predict([HOT])[0].score
    assert predictor.refresh() == []


@pytest.mark.parametrize("broken", ["no folder", "no card", "half a card", "no trees", "half the trees", "unknown learner"])
def test_a_broken_copy_leaves_the_old_champion(models: Path, second: Path, broken: str) -> None:
    predictor = predictor_of(models)
    folder = models / MODEL / "2"
    if broken != "no folder":
        shutil.copytree(second, folder)
    card, trees = folder / "card.json", folder / xgb.LEARNER.file
    if broken == "no card":
        card.unlink()
    elif broken == "half a card":
        card.write_text(card.read_text()[:200])
    elif broken == "no trees":
        trees.unlink()
    elif broken == "half the trees":
        trees.write_bytes(trees.read_bytes()[:1_000])
    elif broken == "unknown learner":
        card.write_text(card.read_text().replace('"xgb"', '"oracle"'))
    write_atomically(models / MODEL / CHAMPION, "2")
    assert predictor.refresh() == []
    assert [(error.model, error.version, error.variant) for error in predictor.load_errors()] == [(MODEL, "2", Variant.CHAMPION)]
    assert predictor.load_errors()[0].reason
    assert predictor.champion(MODEL).card.version == "1"
    assert predictor.champion(MODEL).predict([HOT])[0].label is Label.HIGH


@pytest.mark.parametrize("file", ["model.json", "preparation.json"])
def test_a_file_that_was_changed_is_no_version(models: Path, second: Path, file: str) -> None:
    """Even one that its library would read: half a model may be a model too."""
    shutil.copytree(second, models / MODEL / "2")
    (models / MODEL / "2" / file).write_bytes((models / MODEL / "1" / file).read_bytes() + b" ")
    write_atomically(models / MODEL / CHAMPION, "2")
    with pytest.raises(NotReady, match="cannot be loaded here"):
        predictor_of(models).champion(MODEL)
    assert "is not the file that was stored" in predictor_of(models).load_errors()[0].reason


def test_a_broken_copy_is_tried_again_when_its_files_change_or_if_told_to(
    models: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    monkeypatch.setattr(predictor_module, "load", lambda folder: tried.append(folder) or load(folder))
    predictor = predictor_of(models)
    write_atomically(models / MODEL / CHAMPION, "2")
    for again in (False, False, True, False):
        predictor.refresh(again=again)
    assert len(tried) == 1 + 2
    shutil.copytree(second, models / MODEL / "2")
    assert predictor.refresh() == [MODEL]
    assert predictor.load_errors() == []


def test_a_champion_that_is_put_back_leaves_no_error(models: Path) -> None:
    predictor = predictor_of(models)
    for version, errors in (("2", 1), ("1", 0)):
        write_atomically(models / MODEL / CHAMPION, version)
        predictor.refresh()
        assert len(predictor.load_errors()) == errors


def test_a_broken_copy_of_one_model_does_not_hold_up_another(models: Path, second: Path) -> None:
    shutil.copytree(models / MODEL, models / "a_first_model")
    predictor = predictor_of(models)
    write_atomically(models / "a_first_model" / CHAMPION, "missing")
    shutil.copytree(second, models / MODEL / "2")
    write_atomically(models / MODEL / CHAMPION, "2")
    assert predictor.refresh() == [MODEL]
    assert [error.model for error in predictor.load_errors()] == ["a_first_model"]
    assert predictor.champion(MODEL).card.version == "2"


def traffic(mode: Mode, share: float = 1.0, challenger: str = "2") -> dict[str, Traffic]:
    return {MODEL: Traffic(model=MODEL, champion="1", challenger=challenger, mode=mode, share=share, since=NOON)}


@pytest.fixture
def both(models: Path, second: Path) -> Predictor:
    """A champion, and a copy of a challenger beside it."""
    shutil.copytree(second, models / MODEL / "2")
    return predictor_of(models)


def chosen(predictor: Predictor, key: str | None = "ada") -> tuple[str, Variant, str | None]:
    choice = predictor.choose(MODEL, key)
    return choice.served.card.version, choice.variant, choice.shadow.card.version if choice.shadow else None


def test_without_traffic_the_champion_answers_and_no_challenger_is_loaded(both: Predictor) -> None:
    assert chosen(both) == ("1", Variant.CHAMPION, None)
    assert both.challengers() == {}


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        (traffic(Mode.LIVE), ("2", Variant.CHALLENGER, None)),
        (traffic(Mode.LIVE, 0.0), ("1", Variant.CHAMPION, None)),
        (traffic(Mode.SHADOW), ("1", Variant.CHAMPION, "2")),
        (traffic(Mode.SHADOW, 0.0), ("1", Variant.CHAMPION, None)),
        (traffic(Mode.OFF), ("1", Variant.CHAMPION, None)),
    ],
)
def test_traffic_says_who_answers_and_who_is_asked_besides(
    both: Predictor, setting: dict[str, Traffic], wanted: tuple[str, Variant, str | None]
) -> None:
    both.set_traffic(setting)
    both.refresh()
    assert chosen(both) == wanted
    assert chosen(both, None) == ("1", Variant.CHAMPION, None), "without an entity there is nothing to draw by"
    both.set_traffic({})
    both.refresh()
    assert chosen(both) == ("1", Variant.CHAMPION, None)


def test_a_share_of_the_entities_gets_the_challenger_and_each_always_the_same(both: Predictor) -> None:
    both.set_traffic(traffic(Mode.LIVE, 0.3))
    both.refresh()
    got = {f"lead {number}": chosen(both, f"lead {number}")[0] for number in range(400)}
    assert 0.2 < sum(version == "2" for version in got.values()) / len(got) < 0.4
    assert all(chosen(both, key)[0] == version for key, version in got.items())


def test_a_challenger_that_cannot_be_loaded_gets_nothing(both: Predictor) -> None:
    both.set_traffic(traffic(Mode.LIVE, challenger="3"))
    both.refresh()
    assert chosen(both) == ("1", Variant.CHAMPION, None)
    assert [(error.version, error.variant) for error in both.load_errors()] == [("3", Variant.CHALLENGER)]


def test_a_challenger_that_became_champion_has_no_traffic_besides(both: Predictor, models: Path) -> None:
    both.set_traffic(traffic(Mode.SHADOW))
    both.refresh()
    write_atomically(models / MODEL / CHAMPION, "2")
    both.refresh()
    assert chosen(both) == ("2", Variant.CHAMPION, None)
    assert both.challengers() == {}


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.SHADOW])
def test_a_setting_ends_with_the_champion_that_it_was_made_for(both: Predictor, models: Path, mode: Mode) -> None:
    both.set_traffic(traffic(mode, 1.0))
    both.refresh()
    assert chosen(both)[0] == ("2" if mode is Mode.LIVE else "1")
    shutil.copytree(models / MODEL / "1", models / MODEL / "3")
    card = read_card(models / MODEL / "3").model_copy(update={"version": "3"})
    write_card(card, models / MODEL / "3")
    write_atomically(models / MODEL / CHAMPION, "3")
    both.refresh()
    assert chosen(both) == ("3", Variant.CHAMPION, None)
    assert both.challengers() == {}


def test_scores_without_factors_are_the_same_scores(served: Served) -> None:
    rows = [HOT, COLD, {}, {"sessions": "3"}]
    assert served.scores(rows).tolist() == pytest.approx([one.score for one in served.predict(rows)], abs=1e-9)
    with pytest.raises(BadInput, match=r"^sessions: must be"):
        served.scores([{"sessions": "many"}], strictly=True)


def test_the_card_of_any_copy_can_be_read(models: Path, second: Path) -> None:
    predictor = predictor_of(models)
    shutil.copytree(second, models / MODEL / "2")
    assert [predictor.card(MODEL, version).version for version in ("1", "2")] == ["1", "2"]


@pytest.mark.parametrize(
    "name", ["../lead_score", "..", ".", "a/b", "", "/", "\\", "lead_score/1", "~", "a b", "%2e%2e", "card.json"]
)
def test_no_name_climbs_out_of_the_folder(models: Path, name: str) -> None:
    predictor = predictor_of(models)
    for model, version in ((name, "1"), (MODEL, name), (name, name)):
        if name != "/":
            # A card lies where the name leads.
            (models / model / version).mkdir(parents=True, exist_ok=True)
            shutil.copy(models / MODEL / "1" / "card.json", models / model / version / "card.json")
        with pytest.raises(NotFound, match="has no version"):
            predictor.card(model, version)


@pytest.mark.parametrize("name", ["\x00", "1" * 300, "none", "²"])
def test_a_version_that_is_not_here_is_not_found(models: Path, name: str) -> None:
    for model, version in ((name, "1"), (MODEL, name)):
        with pytest.raises(NotFound, match="has no version"):
            predictor_of(models).card(model, version)
