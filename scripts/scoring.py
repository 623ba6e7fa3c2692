"""`leadloop score`: a file of rows -> a file of scores, with the factors of each."""

from pathlib import Path

import polars as pl
from rich.console import Console

from data.errors import BadInput
from data.settings import Settings
from ml.serving.batch import score_parts
from ml.serving.predictor import Predictor, Served
from ml.tables.table_file import read_frame
from scripts.terminal import progress_bar

ROW = "row"


def score_csv(settings: Settings, path: Path, name: str, out: Path, *, id_column: str | None, console: Console) -> None:
    """Scores every row of a file by the champion of a model; writes CSV, or Parquet where OUT ends in .parquet.

    Raises:
        BadInput: the file cannot be read, has none of the model's columns, or not the one that names its rows.
        NotReady: the model has no champion here.
    """
    served = _champion(settings, name)
    frame, notes = read_frame(path)
    for line in (*notes, *_told(served, frame)):
        console.print(f"  {line}", markup=False)
    named = id_column or (served.card.id_column if served.card.id_column in frame.columns else None)
    if named is not None and named not in frame.columns:
        raise BadInput(f"{path}: no column {named!r} to name the rows by; the columns are {', '.join(frame.columns)}", field=named)
    parts = []
    with progress_bar(console, "Scoring", len(frame)) as progress:
        for part in score_parts(served.version, frame, threshold=served.threshold):
            parts.append(part)
            progress(len(part))
    keys = frame[named] if named else pl.Series(ROW, range(1, len(frame) + 1))
    scored = pl.concat(parts).insert_column(0, keys)
    scored.write_parquet(out) if out.suffix == ".parquet" else scored.write_csv(out, float_precision=6)
    hot = int((scored["label"] == "high").sum())
    console.print(
        f"{len(scored):,} rows scored by {name} version {served.card.version} ({served.card.learner}); {hot:,} above "
        f"{served.threshold:.3f}. Written to {out}",
        markup=False,
    )


def _champion(settings: Settings, name: str) -> Served:
    predictor = Predictor(settings.models_dir, hot_threshold=settings.hot_threshold, hot_share=settings.hot_share)
    predictor.refresh()
    return predictor.champion(name)


def _told(served: Served, frame: pl.DataFrame) -> list[str]:
    """What the model misses in the file, and what of the file it does not use.

    Raises:
        BadInput: none of the model's columns is there.
    """
    wanted = [column.name for column in served.card.inputs]
    gone = [name for name in wanted if name not in frame.columns]
    if len(gone) == len(wanted):
        raise BadInput(f"none of the model's columns is in the file: it was trained on {', '.join(wanted[:10])}")
    unused = [name for name in frame.columns if name not in {*wanted, served.card.id_column, served.card.target}]
    told = [f"not in the file, counted as missing: {', '.join(gone)}"] if gone else []
    return [*told, f"not used by the model: {', '.join(unused)}"] if unused else told
