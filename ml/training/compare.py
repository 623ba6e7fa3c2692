"""Two stored versions side by side: on the rows that judged both, or each on its own rows, which is said."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from ml.training import bootstrap
from ml.training.bootstrap import Difference
from ml.training.rows import read_rows
from ml.version import read_card

# On fewer common rows an interval says nothing.
FEWEST_COMMON = 50
SHOWN = ("log_loss", "auc", "brier", "ece")


class Comparison(BaseModel):
    """`log_loss` and `auc` are the second less the first, on `common` rows; None where they have too few in common."""

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
    metrics = {name: (cards[0].metrics.get(name), cards[1].metrics.get(name)) for name in SHOWN}
    counts = tuple(0 if found is None else len(found.holdout) for found in rows)
    common = None
    if rows[0] is not None and rows[1] is not None:
        # Of each row both labels are known; where one was corrected since, the second's holds.
        common = rows[0].holdout.join(rows[1].holdout, on="key", suffix="_too")
    said = "each was judged by rows of its own: their figures are not comparable one to one"
    if common is None or len(common) < FEWEST_COMMON or common["label_too"].n_unique() < 2:
        return Comparison(
            versions=names, rows=(counts[0], counts[1]), common=0 if common is None else len(common), metrics=metrics, said=said
        )
    found = bootstrap.paired(
        common["label_too"].to_numpy().astype(np.int64), common["margin"].to_numpy(), common["margin_too"].to_numpy(), seed=seed
    )
    return Comparison(
        versions=names, rows=(counts[0], counts[1]), common=len(common), metrics=metrics, log_loss=found.log_loss, auc=found.auc,
        said=f"on the {len(common):,} rows that judged both",
    )  # fmt: skip
