"""A version's card, and files that are never half written."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.entity import EntityKind
from ml import checks
from ml.calibration import Calibration
from ml.features.inputs import Input, InputKind
from ml.learners.registry import LEARNERS
from ml.models.base import Model
from ml.monitoring.reference import REFERENCE, read_reference
from ml.preparation.base import Form
from ml.training.ladder import TypedTable
from ml.training.train import save_trained, train
from ml.version import CARD, QUANTILES, Card, MemberCard, load, read_card, save, write_atomically, write_card


def card(**changes: Any) -> Card:
    parts: dict[str, Any] = {
        "model": "lead_score", "version": "1", "learner": "xgb", "entity": EntityKind.CONTACT, "target": "is_won",
        "inputs": (Input(name="größe", kind=InputKind.CATEGORY),), "base_rate": 0.13,
        "holdout_quantiles": tuple(n / (QUANTILES - 1) for n in range(QUANTILES)),
        "members": (MemberCard(learner="xgb", form=Form.NATIVE, weight=1.0, file="model.json"),),
        "intercept": 0.0, "calibration": Calibration(),
        "metrics": {"auc": 0.8}, "params": {"max_depth": 5},
        "rows_train": 80, "rows_holdout": 20, "seed": 0, "data_hash": "d", "code_version": "c",
        "trained_at": datetime(2026, 3, 2, tzinfo=UTC),
    }  # fmt: skip
    return Card(**parts | changes)


def test_a_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_card(card(), tmp_path / "lead_score" / "1")
    assert read_card(tmp_path / "lead_score" / "1") == card()


@given(st.floats(0, 1), st.floats(0.001, 0.999))
def test_a_given_threshold_is_taken_as_it_is(threshold: float, share: float) -> None:
    assert card().threshold(threshold, share) == threshold


@pytest.mark.parametrize(("share", "threshold"), [(0.05, 0.95), (0.5, 0.5), (0.001, 0.999), (0.999, 0.001)])
def test_auto_is_the_quantile_that_leaves_the_hot_share_above(share: float, threshold: float) -> None:
    assert card().threshold("auto", share) == pytest.approx(threshold)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50).map(sorted), st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_a_larger_hot_share_never_has_a_higher_threshold(quantiles: list[float], one: float, other: float) -> None:
    made = card(holdout_quantiles=tuple(quantiles))
    less, more = sorted((one, other))
    assert made.threshold("auto", more) <= made.threshold("auto", less)
    assert made.threshold("auto", one) in quantiles


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / CARD
    for text in ("old", "the new one"):
        write_atomically(path, text)
        assert path.read_text() == text
    assert [found.name for found in path.parent.iterdir()] == [CARD]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path, texts = tmp_path / CARD, {"a" * 50_000, "b" * 20_000}
    write_atomically(path, min(texts))
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        for text in texts:
            write_atomically(path, text)
    done.set()
    reader.join()
    assert seen
    assert seen <= texts


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / CARD
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_version_is_loaded_as_it_was_saved(learner: str, tmp_path: Path) -> None:
    """Cleaning, learner and calibration: the same log-odds and factors to the last digit, on any rows."""
    frame, labels = checks.table(400)
    inputs = (*checks.INPUTS, Input(name="größe \U0001f600", kind=InputKind.CATEGORY))
    wide = frame.with_columns(pl.Series(inputs[-1].name, [f"é {row % 40}" for row in range(400)]))
    settings = {learner: [checks.fewer(LEARNERS[learner].settings[0])]} if learner != "prior" else {}
    chosen = Model("m", "M", EntityKind.CONTACT, "t", "e", learners=settings)
    trained = train(chosen, TypedTable(inputs, wide, labels), data_hash="", now=datetime(2026, 3, 2, tzinfo=UTC))
    assert trained.card.learner == learner
    save(trained.version, tmp_path)
    again = load(tmp_path)
    assert again.card == trained.card
    assert (again.scorer.margins(wide) == trained.version.scorer.margins(wide)).all()
    assert (again.scorer.contributions(wide) == trained.version.scorer.contributions(wide)).all()


def test_what_its_rows_were_like_is_kept_whole_with_a_version_and_may_be_absent(tmp_path: Path) -> None:
    frame, labels = checks.table(400)
    chosen = Model("m", "M", EntityKind.CONTACT, "t", "e", learners={})
    customers = np.arange(400) // 4
    made = TypedTable(checks.INPUTS, frame, labels, groups=customers)
    trained = train(chosen, made, data_hash="", now=datetime(2026, 3, 2, tzinfo=UTC))
    save_trained(trained, tmp_path)
    found = read_reference(tmp_path)
    assert found is not None
    assert found == trained.reference
    assert (found.witnesses, sum(found.score.counts)) == (100, len(trained.judged))
    assert [one.name for one in found.inputs] == [column.name for column in checks.INPUTS]
    assert all(sum(one.counts) == trained.card.rows_train for one in found.inputs)
    (tmp_path / REFERENCE).write_text("{}")
    with pytest.raises(ValueError, match="reference"):
        load(tmp_path)
    save(trained.version, tmp_path)
    (tmp_path / REFERENCE).unlink()
    assert load(tmp_path).card == trained.card
