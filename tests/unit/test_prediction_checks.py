"""What is checked of a prediction: each check finds its fault, and what Leadloop makes itself has none."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.domain.entity import EntityKind, EntityRef
from data.domain.prediction import Grade, Label, Prediction
from data.errors import BadInput
from ml.features.build import given as as_given
from ml.features.inputs import Input, InputKind
from ml.models.base import of_user_table
from ml.models.prediction_checks import CLOCKS_DIFFER, Given, logistic
from ml.models.prediction_schema import PROBABILITY, SCHEMAS
from ml.models.registry import MODELS, schema_of
from ml.scorer import Scorer
from ml.serving.predictor import Served
from ml.training.ladder import TypedTable
from ml.training.train import train
from ml.version import Card, Version, load
from tests.support import HOT, NOON, put_variation

ADA = EntityRef(source="hubspot", kind=EntityKind.CONTACT, id="901")
MOST_AGE = timedelta(hours=24)
Row = dict[str, Any]


def served_of(folder: Path, threshold: float = 0.5) -> Served:
    return Served(load(folder), threshold)


@pytest.fixture(scope="module")
def champion(trained_models: Path) -> Served:
    return served_of(trained_models / "lead_score" / "1")


@pytest.fixture(scope="module")
def challenger(trained_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    return served_of(put_variation(trained_models / "lead_score" / "1", tmp_path_factory.mktemp("more") / "2", trees=20), 0.3)


@pytest.fixture(scope="module")
def own_table() -> Served:
    """A user's own table with a column of every kind."""
    inputs = tuple(Input(name=kind, kind=kind) for kind in InputKind)
    rows = 60
    numbers = np.arange(rows, dtype=np.float64)
    columns = {
        "number": numbers, "boolean": numbers % 2, "category": ["a", "b", "c"] * 20, "date": 19_000 + numbers,
        "text": ["asked for a price", "said no", "will call again"] * 20,
    }  # fmt: skip
    table = TypedTable(inputs, pl.DataFrame(columns), (numbers % 5 > 2).astype(np.int64))
    model = replace(of_user_table("own", "won"), learners={"logistic": ({"C": 1.0},)})
    return Served(train(model, table, data_hash="", now=NOON).version, 0.4)


def signed(served: Served, row: Row, prediction: Prediction) -> Prediction:
    """As the loop hands it out: whose it is, as of when, and the inputs that it had."""
    told = as_given(served.card.inputs, row)
    return prediction.model_copy(update={"entity": ADA, "as_of": NOON, "features": told})


def asked(served: Served, row: Row) -> Prediction:
    return signed(served, row, served.predict([row])[0])


def handed_in(served: Served, prediction: Prediction, **more: Any) -> Given:
    facts: dict[str, Any] = {"entity": ADA, "happened_at": NOON, "now": NOON, "max_age": MOST_AGE}
    return Given(prediction, served.card, **facts | more)


def fewer_digits(value: Any) -> Any:
    """JSON as a program may write it that keeps 15 digits, no sign of a zero, and no point in whole numbers."""
    if isinstance(value, dict):
        return {name: fewer_digits(item) for name, item in value.items()}
    if isinstance(value, list):
        return [fewer_digits(item) for item in value]
    if isinstance(value, float):
        number = float(f"{value:.15g}")
        return int(number) if number == int(number) else number
    return value


def passes(served: Served, prediction: Prediction) -> None:
    schema = schema_of(served.card.model)
    for rewrite in (lambda value: value, fewer_digits):
        read = schema.read(rewrite(json.loads(prediction.model_dump_json())))
        assert schema.fault(handed_in(served, read)) is None


NUMBERS = st.none() | st.integers(0, 50) | st.floats(-1e6, 1e6) | st.integers(0, 50).map(str) | st.sampled_from(["many", "", "n/a"])
CELLS: dict[InputKind, st.SearchStrategy[Any]] = {
    InputKind.NUMBER: NUMBERS | st.floats(-1e15, 1e15),
    InputKind.BOOLEAN: st.none() | st.booleans() | st.sampled_from(["yes", "no", "perhaps"]),
    InputKind.CATEGORY: st.none() | st.sampled_from(["a", "b", "1.0", "True"]) | st.text(max_size=5) | st.integers(),
    InputKind.DATE: st.none()
    | st.dates().map(str)
    | st.datetimes().map(str)
    | st.integers(10**12, 2 * 10**12)
    | st.text(max_size=5),
    InputKind.TEXT: st.none() | st.text(max_size=30),
}
LEAD = st.fixed_dictionaries(
    {}, optional={name: NUMBERS | st.booleans() if name != "channel" else st.text(max_size=5) for name in HOT}
)


@pytest.mark.parametrize("whose", ["champion", "challenger"])
def test_what_a_version_says_of_any_lead_passes(whose: str, request: pytest.FixtureRequest) -> None:
    served: Served = request.getfixturevalue(whose)

    @settings(max_examples=40)
    @given(LEAD)
    def holds(row: Row) -> None:
        passes(served, asked(served, row))

    holds()


def test_what_a_version_of_an_own_table_says_passes(own_table: Served) -> None:
    @given(st.fixed_dictionaries({kind.value: cells for kind, cells in CELLS.items()}))
    def holds(row: Row) -> None:
        passes(own_table, asked(own_table, row))

    holds()


@st.composite
def models(draw: st.DrawFn, card: Card) -> tuple[Served, Row]:
    """A version that says anything, of any inputs, with a row of them."""
    names = draw(st.lists(st.text("abc_", min_size=1, max_size=4), min_size=1, max_size=6, unique=True))
    inputs = tuple(Input(name=name, kind=draw(st.sampled_from(InputKind))) for name in names)
    shares = draw(st.lists(st.floats(-30, 30), min_size=len(names) + 1, max_size=len(names) + 1))

    class Oracle:
        def contributions(self, frame: pl.DataFrame) -> Any:
            return np.array([shares])

    other = card.model_copy(update={"model": "any", "inputs": inputs, "base_rate": draw(st.floats(0.001, 0.999))})
    served = Served(Version(other, cast(Scorer, Oracle())), draw(st.floats(0.01, 0.99)))
    return served, {column.name: draw(CELLS[column.kind]) for column in inputs}


def test_what_any_version_says_of_any_row_passes(champion: Served) -> None:
    @settings(max_examples=120)
    @given(models(champion.card))
    def holds(drawn: tuple[Served, Row]) -> None:
        passes(drawn[0], asked(*drawn))

    holds()


def changed(**update: Any) -> Callable[[Prediction], Prediction]:
    return lambda prediction: prediction.model_copy(update=update)


def with_factors(change: Callable[[list[Any]], list[Any]]) -> Callable[[Prediction], Prediction]:
    return lambda prediction: prediction.model_copy(update={"factors": tuple(change(list(prediction.factors)))})


def moved(prediction: Prediction) -> Prediction:
    """A score that is right in all but what it is made of."""
    score = prediction.score - 1e-4
    return prediction.model_copy(update={"score": score, "confidence": max(score, 1 - score)})


def pointed(factors: list[Any]) -> list[Any]:
    return [factors[0].model_copy(update={"points": factors[0].points + 0.01}), *factors[1:]]


# check -> what of a good prediction is changed, what else is known, the field that is named and a word of what is said
FAULTS: dict[str, list[tuple[Callable[[Prediction], Prediction], dict[str, Any], str, str]]] = {
    "version": [(changed(), {"found": None}, "model_version", "no version '1' here")],
    "identity": [
        (changed(entity=None), {}, "entity", "nobody"),
        (changed(entity=ADA.model_copy(update={"id": "902"})), {}, "entity", "hubspot contact 902"),
    ],
    "freshness": [
        (changed(as_of=NOON + CLOCKS_DIFFER + timedelta(seconds=1)), {}, "as_of", "in the future"),
        (changed(as_of=NOON - CLOCKS_DIFFER - timedelta(seconds=1)), {}, "as_of", "before the event"),
        (changed(), {"now": NOON + MOST_AGE + timedelta(seconds=1)}, "as_of", "more than 24 hours old"),
        (changed(as_of=None), {"now": NOON + MOST_AGE + timedelta(seconds=1)}, "as_of", "is missing, and its event"),
    ],
    "finite": [
        (changed(features={"sessions": float("nan")}), {}, "features", "no"),
        (with_factors(lambda all_: [all_[0].model_copy(update={"value": [float("inf")]}), *all_[1:]]), {}, "factors", "infinite"),
    ],
    "inputs": [
        (changed(features={"shoe_size": 43}), {}, "features", "'shoe_size' is no input of lead_score 1"),
        (changed(features={"sessions": "many"}), {}, "features.sessions", "must be a number"),
        (changed(features={"channel": ["email"]}), {}, "features.channel", "a single value"),
    ],
    "factors": [
        (with_factors(lambda all_: [*all_[1:], all_[0].model_copy(update={"feature": "x"})]), {}, "factors", "'x' is no input"),
        (with_factors(lambda all_: [*all_, all_[0]]), {}, "factors", "is there 2 times"),
    ],
    "confidence": [(changed(confidence=0.5), {}, "confidence", "larger one")],
    "label": [(changed(label=Label.LOW), {}, "label", "is high at the threshold of 0.5, not low")],
    "grade": [(changed(grade=Grade.E), {}, "grade", "not E")],
    "explanation": [
        (moved, {}, "factors", "add up to a score of"),
        (with_factors(lambda all_: all_[1:]), {}, "factors", "every factor must be there"),
        (changed(base_value=0.123), {}, "factors", "add up"),
    ],
    "points": [(with_factors(pointed), {}, "factors", "the points add up to")],
}


def test_every_check_has_its_faults_here() -> None:
    assert list(FAULTS) == [check.name for schema in SCHEMAS.values() for check in schema.checks]


@pytest.mark.parametrize(("name", "case"), [(name, case) for name, cases in FAULTS.items() for case in cases])
def test_a_fault_is_found_by_its_check_and_names_the_field(champion: Served, name: str, case: Any) -> None:
    change, more, field, said = case
    good = asked(champion, HOT)
    assert PROBABILITY.fault(handed_in(champion, good)) is None
    given_ = replace(handed_in(champion, change(good)), **more)
    (check,) = [one for one in PROBABILITY.checks if one.name == name]
    for fault in (check.fault(given_), PROBABILITY.fault(given_)):
        assert fault is not None
        assert (fault.field, fault.status) == (field, check.status)
        assert said in fault.detail


def test_of_what_is_stored_already_the_age_does_not_matter(champion: Served) -> None:
    late = {"now": NOON + timedelta(days=900)}
    assert PROBABILITY.fault(handed_in(champion, asked(champion, HOT), repeat=True, **late)) is None


def test_a_moment_that_is_not_told_is_not_needed_while_the_event_is_fresh_itself(champion: Served) -> None:
    untold = asked(champion, HOT).model_copy(update={"as_of": None})
    assert PROBABILITY.fault(handed_in(champion, untold, now=NOON + MOST_AGE)) is None
    assert PROBABILITY.fault(handed_in(champion, untold, now=NOON + timedelta(days=900), repeat=True)) is None


@pytest.mark.parametrize("dates", [19_782.5, "2024-02-29", "1709164800000", None])
def test_a_date_among_the_inputs_is_days_or_a_date(own_table: Served, dates: Any) -> None:
    prediction = asked(own_table, {}).model_copy(update={"features": {"date": dates}})
    assert PROBABILITY.fault(handed_in(own_table, prediction)) is None


@pytest.mark.parametrize("dates", [True, 1e9, "soon", [1]])
def test_what_is_no_date_is_none(own_table: Served, dates: Any) -> None:
    prediction = asked(own_table, {}).model_copy(update={"features": {"date": dates}})
    fault = PROBABILITY.fault(handed_in(own_table, prediction))
    assert fault is not None
    assert fault.field == "features.date"


def test_every_model_says_what_its_predictions_look_like() -> None:
    for model in (*MODELS.values(), of_user_table("my_leads", "won")):
        assert SCHEMAS[model.schema.name] is schema_of(model.name) is model.schema


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"score": None}, "score"),
        ({"grade": "F"}, "grade"),
        ({"factors": [{"feature": "a"}]}, "factors.0.contribution"),
        ({}, None),
    ],
)
def test_a_shape_names_the_field_that_does_not_fit(champion: Served, change: Row, field: str | None) -> None:
    raw = json.loads(asked(champion, HOT).model_dump_json())
    if field is None:
        assert PROBABILITY.read(raw) == asked(champion, HOT)
        return
    with pytest.raises(BadInput) as refused:
        PROBABILITY.read(raw | change)
    assert refused.value.field == field


@given(st.floats(-700, 700))
def test_the_curve_is_symmetric(log_odds: float) -> None:
    assert logistic(log_odds) == pytest.approx(1 - logistic(-log_odds), abs=1e-15)
