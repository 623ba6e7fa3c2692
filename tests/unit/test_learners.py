"""Every learner keeps the contract."""

import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml import checks
from ml.checks import CHECKS, Check
from ml.learners.base import Examples, Learner, Params
from ml.learners.registry import LEARNERS
from ml.preparation.base import Floats, Form, Matrix


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("learner", LEARNERS.values(), ids=lambda learner: learner.name)
def test_a_learner_keeps_the_contract(learner: Learner, check: Check) -> None:
    check(learner)


@dataclass(frozen=True)
class Broken:
    """A straight line with one promise broken: each check must notice its own."""

    how: str
    name: str = "broken"
    form: Form = Form.SCALED
    file: str = "broken.json"
    fewest_rows: int = 0
    settings: tuple[Params, ...] = ({"C": 1.0},)

    def fit(self, examples: Examples, params: Params, *, seed: int, watch: Examples | None = None) -> Any:
        line = LEARNERS["logistic"].fit(examples, params, seed=seed)
        if self.how == "never the same":
            return replace(line, intercept=line.intercept + float(np.random.default_rng().normal()))
        if self.how == "one outcome only":
            return replace(line, weights=np.abs(line.weights))
        if self.how == "changes its input":
            examples.matrix[:] = 0
        if self.how == "learns nothing":
            return LEARNERS["prior"].fit(examples, {}, seed=seed)
        if self.how == "believes anything":
            return replace(line, weights=100 * line.weights)
        if self.how == "forgets a column":
            return replace(line, weights=np.append(line.weights[:-1], np.nan))
        return BrokenLine(line, self.how)

    def load(self, path: Path) -> Any:
        if self.how == "a pickle":
            return BrokenLine(pickle.loads(path.read_bytes()), self.how)  # noqa: S301
        loaded = LEARNERS["logistic"].load(path)
        return replace(loaded, intercept=round(loaded.intercept, 3)) if self.how == "loses digits" else loaded


@dataclass(frozen=True)
class BrokenLine:
    line: Any
    how: str

    def margins(self, matrix: Matrix) -> Floats:
        if self.how == "looks around":
            return self.line.margins(matrix) + matrix.mean()
        return self.line.margins(matrix)

    def contributions(self, matrix: Matrix) -> Floats:
        shares = self.line.contributions(matrix)
        return shares * 1.01 if self.how == "does not add up" else shares

    def save(self, path: Path) -> None:
        if self.how == "a pickle":
            path.write_bytes(pickle.dumps(self.line))
        else:
            self.line.save(path)


@pytest.mark.parametrize(
    ("how", "check"),
    [
        ("never the same", checks.same_seed_same_result),
        ("does not add up", checks.contributions_add_up),
        ("forgets a column", checks.one_column_is_enough),
        ("loses digits", checks.saved_and_loaded_is_the_same),
        ("a pickle", checks.file_is_native_text),
        ("looks around", checks.rows_do_not_depend_on_each_other),
        ("changes its input", checks.inputs_are_left_alone),
        ("one outcome only", checks.mirrored_outcomes_mirror_the_scores),
        ("learns nothing", checks.signal_is_found),
        ("believes anything", checks.noise_is_not_believed),
    ],
)
def test_a_check_notices_a_broken_promise(how: str, check: Check) -> None:
    check(Broken("nothing"))
    with pytest.raises(AssertionError):
        check(Broken(how))
