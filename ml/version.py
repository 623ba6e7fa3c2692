"""A version: one trained artefact. Its card says all that serving must know; the learners' own files lie beside it.

On disk a version is a folder `<model>/<version>/`, the same in the registry and in the local copies that serving starts
from: `card.json`, `preparation.json`, one native file per member, `reference.json`, `checksums.json` of these, and for people
`report.html`.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from data.domain.entity import EntityKind
from data.domain.prediction import Observed
from ml.calibration import Calibration
from ml.features.inputs import Input
from ml.features.momentum import Norms
from ml.learners.registry import LEARNERS
from ml.monitoring.reference import REFERENCE, Reference
from ml.preparation.base import Form
from ml.preparation.prepare import Preparation
from ml.scorer import Member, Scorer

CARD = "card.json"
PREPARATION = "preparation.json"
CHECKSUMS = "checksums.json"
REPORT = "report.html"  # for people
CHAMPION, CHALLENGER = "champion", "challenger"
QUANTILES = 1001
LONGEST_NAME = 100


class MemberCard(BaseModel):
    """One learner's part in a version, and the file that holds it."""

    model_config = ConfigDict(frozen=True)

    learner: str
    form: Form
    weight: float
    file: str


class Card(BaseModel):
    """Everything about a version but what the learners learned. `holdout_quantiles`: the scores of unseen rows, in order."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model: str
    version: str
    learner: str  # the rung: a learner's name, or "stack"
    entity: EntityKind
    target: str
    inputs: tuple[Input, ...]
    moment: Input | None = None  # the column that dates each row of a user's table
    id_column: str | None = None
    norms: Norms = Norms()
    """What was usual when it was trained: its features are built by these."""
    members: tuple[MemberCard, ...]
    intercept: float
    calibration: Calibration
    base_rate: float
    holdout_quantiles: tuple[float, ...]
    observed: tuple[Observed, ...] = ()
    metrics: dict[str, float]
    params: dict[str, Any]
    rows_train: int
    rows_holdout: int  # 0: too few rows for a hold-out, the folds judged
    seed: int
    data_hash: str
    code_version: str
    trained_at: datetime

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.inputs)

    @property
    def columns(self) -> tuple[Input, ...]:
        """What a row to be scored may bring: the inputs, and its own moment where dates are durations up to it."""
        return self.inputs if self.moment is None else (*self.inputs, self.moment)

    def threshold(self, hot_threshold: float | str, hot_share: float) -> float:
        """The score above which a lead is hot: the given number, or for `auto` the hold-out's own quantile."""
        if isinstance(hot_threshold, float | int):
            return float(hot_threshold)
        place = (1 - hot_share) * (len(self.holdout_quantiles) - 1)
        return self.holdout_quantiles[min(round(place), len(self.holdout_quantiles) - 1)]


@dataclass(frozen=True)
class Version:
    """A card with the scorer that it describes."""

    card: Card
    scorer: Scorer


class _Preparations(RootModel[dict[Form, Preparation]]):
    pass


def is_plain(name: str) -> bool:
    """Whether a model's or version's name may be a folder's: letters, digits, - and _, and not too long.

    Names come from outside, and none may climb out of the folder.
    """
    return 0 < len(name) <= LONGEST_NAME and name.replace("_", "").replace("-", "").isalnum()


def member_cards(scorer: Scorer) -> tuple[MemberCard, ...]:
    return tuple(
        MemberCard(learner=one.learner, form=one.form, weight=one.weight, file=LEARNERS[one.learner].file) for one in scorer.members
    )


def save(version: Version, folder: Path, *, reference: Reference | None = None) -> None:
    """Writes all that serving needs into an existing folder, and what the version's rows were like."""
    for member, card in zip(version.scorer.members, version.card.members, strict=True):
        member.fitted.save(folder / card.file)
    write_atomically(folder / PREPARATION, _Preparations(version.scorer.preparations).model_dump_json())
    names = {PREPARATION, *(card.file for card in version.card.members)}
    if reference is not None:
        write_atomically(folder / REFERENCE, reference.model_dump_json())
        names.add(REFERENCE)
    write_atomically(folder / CHECKSUMS, json.dumps({name: _checksum(folder / name) for name in sorted(names)}, indent=1))
    write_card(version.card, folder)


def load(folder: Path) -> Version:
    """Reads a version back for serving.

    Raises:
        OSError, ValueError, and the learners' own errors: the folder is not whole.
    """
    check_whole(folder)
    card = read_card(folder)
    preparations = _Preparations.model_validate_json((folder / PREPARATION).read_text("utf-8")).root
    members = tuple(
        Member(one.learner, one.form, LEARNERS[one.learner].load(folder / one.file), one.weight) for one in card.members
    )
    return Version(card, Scorer(card.inputs, preparations, members, card.intercept, card.calibration))


def check_whole(folder: Path) -> None:
    """Raises ValueError if a file is not the one that was stored: a learner's own reader takes some halves for wholes.

    Raises:
        OSError: a file is not there.
    """
    if not (folder / CHECKSUMS).is_file():
        return  # stored before there were any
    for name, checksum in json.loads((folder / CHECKSUMS).read_text()).items():
        if _checksum(folder / name) != checksum:
            raise ValueError(f"{folder / name} is not the file that was stored: it is cut off or was changed")


def read_card(folder: Path) -> Card:
    """The card alone.

    Raises:
        OSError: it is not there. ValueError: it is damaged; names the file.
    """
    try:
        return Card.model_validate_json((folder / CARD).read_text("utf-8"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{folder / CARD} is damaged: {where}: {first['msg']}") from None


def write_card(card: Card, folder: Path) -> None:
    write_atomically(folder / CARD, card.model_dump_json(indent=1))


def write_atomically(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, prefix=f".{path.name}.", encoding="utf-8") as handle:
        try:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
            Path(handle.name).replace(path)
        except BaseException:
            Path(handle.name).unlink()
            raise


def _checksum(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
