"""`leadloop score`: a file of rows -> a file of scores, with the factors of each."""

from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console

from data.clock import SystemClock
from data.errors import BadInput, LeadloopError, NotReady
from data.settings import Settings
from ml import copies
from ml.features.inputs import InputKind, typed_frame
from ml.monitoring import drift
from ml.monitoring.reference import read_reference
from ml.serving.batch import PART_ROWS, score_parts, typed_table
from ml.serving.predictor import Predictor, Served
from ml.tables.cell_notes import future_dates, unread_cells
from ml.tables.table_file import read_frame, shown_names
from scripts.environment import OWN_EYES, Usage
from scripts.terminal import plain, progress_bar

ROW = "row"
MOST_UNLIKE_TOLD = 5
ENDINGS = (".csv", ".parquet")


def score_csv(settings: Settings, path: Path, name: str, out: Path, *, id_column: str | None, console: Console) -> None:
    """Scores every row of a file by the champion of a model; writes CSV, or Parquet where OUT ends in .parquet.

    Raises:
        BadInput: the file cannot be read, has none of the model's columns, or not the one that names its rows.
        Usage: OUT is no place.
        NotReady: the model has no champion that can be loaded, or the disk is full.
    """
    _check_out(out)
    served = _champion(settings, name, console)
    frame, notes = read_frame(path)
    for line in (*notes, *_told(served, frame), *_cells(served, frame)):
        console.print(f"  {plain(line)}", markup=False, highlight=False)
    named = id_column or (served.card.id_column if served.card.id_column in frame.columns else None)
    if named is not None and named not in frame.columns:
        raise BadInput(f"{path}: no column {named!r} to name the rows by; the columns are {', '.join(frame.columns)}", field=named)
    for line in _unlike(settings, served, frame, named):
        console.print(f"  {plain(line)}", markup=False, highlight=False)
    parts = []
    with progress_bar(console, "Scoring", len(frame)) as progress:
        for part in score_parts(served.version, frame, threshold=served.threshold):
            parts.append(part)
            progress(len(part))
    keys = frame[named] if named else pl.Series(ROW, range(1, len(frame) + 1))
    scored = pl.concat(parts)
    scored.insert_column(0, keys.alias(f"{named} (row)") if named in scored.columns else keys)
    _write(scored, out)
    hot = int((scored["label"] == "high").sum())
    console.print(
        f"{len(scored):,} rows scored by {name} version {served.card.version} ({served.card.learner}); {hot:,} hot (above "
        f"{served.threshold:.1%}). Written to {out}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    if not hot:
        told = f"None is hot: LEADLOOP_HOT_THRESHOLD=auto before the command, or in .env, takes the best {settings.hot_share:.0%}."
        console.print(told, highlight=False)
    if named is None:
        console.print("Rows are named by their number in the file; --id COLUMN names them by a column.", highlight=False)


def _check_out(out: Path) -> None:
    """Says before the work what would be wrong after it."""
    if out.suffix.lower() not in ENDINGS:
        raise Usage(f"--out {out}: the name must end in {' or '.join(ENDINGS)}", field="out")
    if out.is_dir() or not out.parent.is_dir():
        raise Usage(f"--out {out}: {'this is a folder' if out.is_dir() else 'there is no such folder'}; name a file", field="out")


def _write(scored: pl.DataFrame, out: Path) -> None:
    """All of the file or nothing of it: what was there stays until the new one is whole. Only its owner may read it.

    Raises:
        NotReady: the disk does not take it.
    """
    part = out.with_name(f".{out.name}.part")
    try:
        part.touch(OWN_EYES)
        scored.write_parquet(part) if out.suffix.lower() == ".parquet" else scored.write_csv(part, float_precision=6)
        part.replace(out)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise NotReady(f"--out {out} cannot be written ({error}); make room, or name another place") from error
    finally:
        part.unlink(missing_ok=True)


def _champion(settings: Settings, name: str, console: Console) -> Served:
    """The champion from the copy that is here; from MLflow where that is damaged."""
    predictor = Predictor(settings.models_dir, hot_threshold=settings.hot_threshold, hot_share=settings.hot_share)
    predictor.refresh()
    broken = next((error for error in predictor.load_errors() if error.model == name), None)
    if broken is not None:
        _fetch_anew(settings, name, broken.version)
        console.print(
            f"  the copy of version {broken.version} was damaged here, and has been fetched anew from MLflow", markup=False
        )
        predictor.refresh(again=True)
    if name not in predictor.served():
        raise NotReady(_nobody(settings.models_dir, name))
    return predictor.champion(name)


def _fetch_anew(settings: Settings, name: str, version: str) -> None:
    from ml import tracking
    from ml.pull import ensure_copy

    with copies.locked(settings.models_dir):
        try:
            mlflow = tracking.connect(settings.mlflow_tracking_uri, settings.mlflow_artifacts_dir)
            ensure_copy(mlflow, name, version, settings.models_dir)
        except LeadloopError as error:
            raise NotReady(
                f"champion {version} of {name} is damaged here, and cannot be had from MLflow ({error.detail}); "
                f"go back to the one before: leadloop models rollback {name}, or train again"
            ) from error


def _nobody(models_dir: Path, name: str) -> str:
    """Why there is nobody to score, and what to do."""
    if versions := copies.versions(models_dir, name):
        return (
            f"model {name} has no champion: no version has passed the gate (see leadloop models show {name}); "
            f"to take one all the same: leadloop models promote {name} {versions[0]} --force"
        )
    known = ", ".join(copies.models(models_dir)) or "none yet"
    return (
        f"there is no model {name!r} here; there are: {known}. Train one with leadloop train --csv F --target COLUMN --name {name}"
    )


def _told(served: Served, frame: pl.DataFrame) -> list[str]:
    """What the model misses in the file, and what of the file it does not use.

    Raises:
        BadInput: none of the model's columns is there.
    """
    wanted, moment = served.card.input_names, served.card.moment
    gone = [name for name in wanted if name not in frame.columns]
    if len(gone) == len(wanted):
        raise BadInput(f"none of the model's columns is in the file: it was trained on {shown_names(wanted)}")
    used = {column.name for column in served.card.columns} | {served.card.id_column, served.card.target}
    unused = [name for name in frame.columns if name not in used]
    told = [f"not in the file, counted as missing: {shown_names(gone)}; no score is as good as it could be"] if gone else []
    if moment is not None and moment.name not in frame.columns:
        told.append(f"{moment.name} is not in the file: every row is taken as of now")
    return [*told, f"not used by the model: {shown_names(unused)}"] if unused else told


def _cells(served: Served, frame: pl.DataFrame) -> list[str]:
    """What is odd about the cells, from the first rows: written otherwise than in training, or dated in the future."""
    first = frame.head(PART_ROWS)
    columns = served.card.columns
    typed = typed_frame(columns, first)
    strange = [
        f"{column.name}: none of its values was known in training"
        for column in served.card.inputs
        if column.kind is InputKind.CATEGORY and typed[column.name].count() and not _known(served, typed[column.name])
    ]
    return [*unread_cells(columns, first, typed), *strange, *future_dates(columns, typed, SystemClock().now())]


def _unlike(settings: Settings, served: Served, frame: pl.DataFrame, named: str | None) -> list[str]:
    """Columns whose values are not spread as in the rows that taught, the worst first. Whoever has several rows counts once."""
    card = served.card
    if (reference := read_reference(settings.models_dir / card.model / card.version)) is None:
        return []
    rows = frame if named is None else frame.unique(named, keep="first", maintain_order=True)
    rows = rows.gather_every(max(1, len(rows) // PART_ROWS))
    found = drift.measure(reference, card.inputs, typed_table(card, rows), np.empty(0))
    unlike = [shift for shift in found.drifted if shift.name in frame.columns]
    told = [
        f"{shift.name}: unlike the rows that taught; {shift.most} was {shift.before:.0%} of them, is {shift.now:.0%} here"
        for shift in unlike[:MOST_UNLIKE_TOLD]
    ]
    if len(unlike) > MOST_UNLIKE_TOLD:
        told.append(f"and {len(unlike) - MOST_UNLIKE_TOLD:,} more columns are unlike the rows that taught")
    return told


def _known(served: Served, values: pl.Series) -> bool:
    return served.version.scorer.knows(values.name, values)
