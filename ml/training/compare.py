"""Two stored versions side by side: on the rows that judged both, or each on its own rows, which is said."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from ml.learners.base import probability
from ml.training import bootstrap, evaluate
from ml.training.bootstrap import Difference
from ml.training.rows import Rows, read_rows
from ml.version import read_card

# On fewer common rows an interval says nothing.
FEWEST_COMMON = 50
SHOWN = ("log_loss", "auc", "brier", "ece")


class Comparison(BaseModel):
    """Both versions' figures on the rows that judged both, and the second's less the first's with intervals.

    With too few `common` rows: each one's figures on its own rows, and no differences.
    """

    model_config = ConfigDict(frozen=True)

    versions: tuple[str, str]
    rows: tuple[int, int]
    common: int
    metrics: dict[str, tuple[float | None, float | None]]
    log_loss: Difference | None = None
    auc: Difference | None = None
    said: str


def compare(first: Path, second: Path, *, seed: int = 0) -> Comparison:
    """Compares the versions in two folders by the rows and log-odds that are stored with them."""
    cards = read_card(first), read_card(second)
    rows = read_rows(first), read_rows(second)
    names = cards[0].version, cards[1].version
    counts = _count(rows[0]), _count(rows[1])
    common = None
    if rows[0] is not None and rows[1] is not None:
        # Of each row both labels are known; where one was corrected since, the second's holds.
        common = rows[0].holdout.join(rows[1].holdout, on="key", suffix="_too")
    shared = 0 if common is None else len(common)
    if common is None or shared < FEWEST_COMMON or common["label_too"].n_unique() < 2:
        own = {name: (cards[0].metrics.get(name), cards[1].metrics.get(name)) for name in SHOWN}
        said = "each judged by rows of its own: their figures are not comparable one to one"
        return Comparison(versions=names, rows=counts, common=shared, metrics=own, said=said)
    labels = common["label_too"].to_numpy().astype(np.int64)
    margins = common["margin"].to_numpy(), common["margin_too"].to_numpy()
    figures = [evaluate.figures(labels, probability(each)) for each in margins]
    found = bootstrap.paired(labels, *margins, seed=seed)
    return Comparison(
        versions=names, rows=counts, common=shared, metrics={name: (figures[0][name], figures[1][name]) for name in SHOWN},
        log_loss=found.log_loss, auc=found.auc, said=f"on the {shared:,} rows that judged both",
    )  # fmt: skip


def _count(rows: Rows | None) -> int:
    return 0 if rows is None else len(rows.holdout)
