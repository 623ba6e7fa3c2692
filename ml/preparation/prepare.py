"""Fits and applies a whole preparation: TABLE of which step each kind of input gets in each form."""

from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from ml.features.inputs import Input, InputKind
from ml.preparation.base import AS_OF, Column, Form, Ints, Matrix
from ml.preparation.categorical import (
    BinnedCodes,
    Codes,
    OneHot,
    TargetCode,
    fit_binned_codes,
    fit_codes,
    fit_one_hot,
    fit_target_code,
    has_many_levels,
)
from ml.preparation.derived import DateParts, Topics, fit_topics
from ml.preparation.numeric import AsIs, Binned, Scaled, fit_binned, fit_scaled

AnyStep = Annotated[AsIs | Scaled | Binned | Codes | BinnedCodes | OneHot | TargetCode, Field(discriminator="step")]
AnyDerived = Annotated[DateParts | Topics, Field(discriminator="derived")]


class Preparation(BaseModel):
    """All that was learned about cleaning, as plain data: it is stored with the version and served with it."""

    model_config = ConfigDict(frozen=True)

    form: Form
    derived: tuple[AnyDerived, ...]
    steps: tuple[AnyStep, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for step in self.steps for column in step.columns)

    def levels_of(self, name: str) -> tuple[str, ...]:
        """The levels of a category that were common in training; none for other inputs."""
        return next((step.levels for step in self.steps if step.input == name and hasattr(step, "levels")), ())

    def apply(self, frame: pl.DataFrame) -> Matrix:
        """A typed frame -> rows x columns; float32 for trees, which compute in it."""
        series = with_derived(frame, self.derived)
        parts = [step.apply(series[step.input, step.source]) for step in self.steps]
        return _joined(parts, self.form, len(frame))


def fit(
    form: Form, inputs: tuple[Input, ...], frame: pl.DataFrame, labels: Ints, *, seed: int, groups: NDArray[Any] | None = None
) -> tuple[Preparation, Matrix]:
    """Learns the cleaning from the training rows; returns it and their matrix (target encodings out of fold, by group)."""
    derived = tuple(found for column in inputs if (found := _derive(column, frame, seed)) is not None)
    series = with_derived(frame, derived)
    steps: list[AnyStep] = []
    parts: list[Matrix] = []
    for column in inputs:
        for source in _sources(column, derived):
            step, part = _fit_step(form, column, source, series[column.name, source], labels, seed, groups)
            steps.append(step)
            parts.append(part)
    preparation = Preparation(form=form, derived=derived, steps=tuple(steps))
    return preparation, _joined(parts, form, len(frame))


def with_derived(frame: pl.DataFrame, derived: tuple[AnyDerived, ...]) -> dict[tuple[str, str], pl.Series]:
    """(input, source) -> values. By both names: a user's own column may be called `month of signup` too."""
    own = {(name, name): frame[name] for name in frame.columns}
    return own | {(one.input, series.name): series for one in derived for series in one.apply(frame)}


def _derive(column: Input, frame: pl.DataFrame, seed: int) -> AnyDerived | None:
    if column.kind is InputKind.DATE:
        return DateParts(input=column.name)
    if column.kind is InputKind.TEXT:
        return fit_topics(column.name, frame[column.name], seed=seed)
    return None


def _sources(column: Input, derived: tuple[AnyDerived, ...]) -> tuple[str, ...]:
    if column.kind in (InputKind.DATE, InputKind.TEXT):
        return next((one.sources for one in derived if one.input == column.name), ())
    return (column.name,)


def _fit_step(
    form: Form, column: Input, source: str, values: pl.Series, labels: Ints, seed: int, groups: NDArray[Any] | None
) -> tuple[AnyStep, Matrix]:
    name = column.name
    step: AnyStep
    if column.kind is InputKind.CATEGORY:
        if form is not Form.BINNED and has_many_levels(values) and 0 < labels.sum() < len(labels):
            return fit_target_code(name, source, values, labels, seed=seed, scaled=form is Form.SCALED, groups=groups)
        if form is Form.NATIVE:
            return fit_codes(name, source, values, seed=seed)
        step = (fit_one_hot if form is Form.SCALED else fit_binned_codes)(name, source, values)
    elif form is Form.NATIVE:
        step = AsIs(input=name, source=source)
    else:
        step = (fit_scaled if form is Form.SCALED else fit_binned)(name, source, values)
    return step, step.apply(values)


def _joined(parts: list[Matrix], form: Form, rows: int) -> Matrix:
    dtype = np.float32 if form is Form.NATIVE else np.float64
    joined = np.empty((rows, sum(part.shape[1] for part in parts)), dtype=dtype)
    at = 0
    for part in parts:
        joined[:, at : at + part.shape[1]] = part
        at += part.shape[1]
    return joined


__all__ = ["AS_OF", "Preparation", "fit", "with_derived"]
