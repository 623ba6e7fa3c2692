"""Which rows a version has learned from and which have judged it, kept beside it so that two versions can be compared."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ml.preparation.base import Floats

HOLDOUT = "holdout.parquet"
LEARNED = "learned_from.parquet"
# Characters that cells do not have: between two cells, and in place of a missing one.
BETWEEN, MISSING = "\x1f", "\x1e"
KEY_BYTES = 8  # among a million rows two share a key once in some forty million tables


@dataclass(frozen=True)
class Rows:
    """`holdout`: `key`, `label` and `margin` (calibrated log-odds by models that had not seen the row); `learned`: keys."""

    holdout: pl.DataFrame
    learned: pl.Series


def row_keys(frame: pl.DataFrame, names: Sequence[str], *, ids: pl.Series | None = None, times: Floats | None = None) -> pl.Series:
    """A name for each row, of its moment (if known) and of its id where rows have one, else of what these columns say; and of how
    often just that was said before. Where an id has several rows and no moments, what they say tells them apart.

    So rows that look alike have names of their own, and rows that are added to a table, or taken from it, change no other's (but
    that of an id's first row, where there are no moments and its second comes or goes).
    """
    moments = [] if times is None else [pl.lit(pl.Series("__moment", times).cast(pl.String))]
    cells = pl.concat_str([pl.col(name).cast(pl.String).fill_null(MISSING) for name in names] or [pl.lit("")], separator=BETWEEN)
    if ids is None:
        parts = [*moments, cells]
    else:
        alone = pl.lit(ids.is_unique() | (times is not None))
        parts = [*moments, pl.lit(ids.cast(pl.String)).fill_null(MISSING), pl.when(alone).then(pl.lit("")).otherwise(cells)]
    said = frame.select(pl.concat_str(parts, separator=BETWEEN)).to_series()
    numbered = pl.DataFrame({"said": said}).with_columns(time=pl.int_range(pl.len()).over("said"))
    return pl.Series("key", [_key(text, time) for text, time in numbered.iter_rows()], dtype=pl.UInt64)


def write_rows(rows: Rows, folder: Path) -> None:
    rows.holdout.write_parquet(folder / HOLDOUT)
    pl.DataFrame({"key": rows.learned}).write_parquet(folder / LEARNED)


def read_rows(folder: Path) -> Rows | None:
    """What is known of a version's rows; None for one that was stored without.

    Raises:
        OSError, polars.exceptions.PolarsError: a file is there and cannot be read.
    """
    if not ((folder / HOLDOUT).is_file() and (folder / LEARNED).is_file()):
        return None
    return Rows(pl.read_parquet(folder / HOLDOUT), pl.read_parquet(folder / LEARNED)["key"])


def _key(text: str | None, time: int) -> int:
    said = f"{MISSING if text is None else text}{BETWEEN}{time}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(said, digest_size=KEY_BYTES).digest())
