"""Which outcome a target column says, and which rows say none; where nothing tells, a person is asked."""

from typing import Any

import polars as pl
import pytest

from data.errors import BadInput
from ml.tables.label_words import LOST_WORDS, OPEN_WORDS, WON_WORDS, read_labels


def series(cells: list[Any]) -> pl.Series:
    return pl.Series("won", cells)


@pytest.mark.parametrize(
    ("won", "lost"),
    [
        ("1", "0"), ("1.0", "0.0"), (1, 0), (1.0, 0.0), (True, False), ("yes", "no"), ("TRUE", "FALSE"), ("t", "f"),
        ("Won", "Lost"), ("closedwon", "closedlost"), ("Closed Won", "closed lost"), ("Customer", "none"), (" y ", "n"),
        ("churned", "retained"), ("Ja", "Nein"), ("Oui", "Non"), ("Sí", "No"), ("gewonnen", "verloren"), ("churn", "not churn"),
        ("Purchase", "No purchase"), ("renewed", "not_renewed"), ("Subscribed", "Unsubscribed"),
    ],
)  # fmt: skip
def test_the_words_of_a_label_are_understood(won: Any, lost: Any) -> None:
    labelled, labels, meaning = read_labels(series([lost, won, won, lost]))
    assert labelled.tolist() == [True] * 4
    assert labels.tolist() == [0, 1, 1, 0]
    assert meaning.startswith("won: predicts ")


def test_the_meaning_is_said_with_the_counts() -> None:
    assert read_labels(series(["Won", "Lost", "Lost", "lost"]))[2] == "won: predicts won (25.0% of 4 rows) against lost"


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    labelled, labels, meaning = read_labels(series(["Won", None, "", "Lost", "n/a", "Open", "in progress", "lost"]))
    assert labelled.tolist() == [True, False, False, True, False, False, False, True]
    assert labels.tolist() == [1, 0, 0]
    assert meaning.endswith("; 5 rows without a label (nothing there, in progress, open) are left out")


def test_no_word_means_both() -> None:
    assert not WON_WORDS & LOST_WORDS
    assert not OPEN_WORDS & (WON_WORDS | LOST_WORDS)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([None, None], "the target has no value in any row"),
        (["", "n/a"], "the target has no value in any row"),
        (["1", "1", None], "the target has one value only, 1 (2 rows)"),
        (["no", "No"], "the target has one value only, no (2 rows)"),
        (["won", "open"], "cannot tell which is the outcome to predict: "),
        (["b", "a", "b"], "cannot tell which is the outcome to predict: b (2 rows), a (1 row)"),
        ([1, 2, 2], "cannot tell which is the outcome to predict: 2 (2 rows), 1 (1 row)"),
        (["yes", "maybe"], "cannot tell which is the outcome to predict: "),
        (["1", "0", "maybe"], "must have two classes and has 3 different values: "),
        ([0, 1, 2, 2], "must have two classes and has 3 different values: 2 (2 rows), "),
        (list(range(300)), "and has 300 different values: "),
        ([0.5 * n for n in range(50)], "and has 50 different values: "),
    ],
)
def test_labels_that_are_not_two_classes_are_refused(cells: list[Any], said: str) -> None:
    with pytest.raises(BadInput, match=r"^won: ") as refused:
        read_labels(series(cells))
    assert said in refused.value.detail
    assert refused.value.field == "won"
    assert len(refused.value.detail) < 300
