"""A version: one trained artefact. Its card says all that serving must know, beside the learner's own file.

On disk a version is a folder `<model>/<version>/` with `card.json` and the learner's native file, in the registry as
well as in the local copies that serving starts from.
"""

import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from data.domain.entity import EntityKind
from ml.features.inputs import Input

CARD = "card.json"
CHAMPION = "champion"
QUANTILES = 1001
LONGEST_NAME = 100


class Card(BaseModel):
    """Everything about a version but the trees. `holdout_quantiles` are the scores of the newest hold-out, in order."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model: str
    version: str
    learner: str
    entity: EntityKind
    target: str
    inputs: tuple[Input, ...]
    base_rate: float
    holdout_quantiles: tuple[float, ...]
    metrics: dict[str, float]
    params: dict[str, Any]
    rows_train: int
    rows_holdout: int
    seed: int
    data_hash: str
    code_version: str
    trained_at: datetime

    def threshold(self, hot_threshold: float | str, hot_share: float) -> float:
        """The score above which a lead is hot: the given number, or for `auto` the hold-out's own quantile."""
        if isinstance(hot_threshold, float | int):
            return float(hot_threshold)
        place = (1 - hot_share) * (len(self.holdout_quantiles) - 1)
        return self.holdout_quantiles[min(round(place), len(self.holdout_quantiles) - 1)]


def is_plain(name: str) -> bool:
    """Whether a model's or version's name may be a folder's: letters, digits, - and _, and not too long.

    Names come from outside, and none may climb out of the folder.
    """
    return 0 < len(name) <= LONGEST_NAME and name.replace("_", "").replace("-", "").isalnum()


def read_card(folder: Path) -> Card:
    return Card.model_validate_json((folder / CARD).read_text())


def write_card(card: Card, folder: Path) -> None:
    write_atomically(folder / CARD, card.model_dump_json(indent=1))


def write_atomically(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, prefix=f".{path.name}.") as handle:
        try:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
            Path(handle.name).replace(path)
        except BaseException:
            Path(handle.name).unlink()
            raise
