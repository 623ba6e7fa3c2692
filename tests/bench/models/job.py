"""What a peer is given: two files, and what it needs to know of them. Imported in every peer's environment, so it
imports nothing that one of them may lack before it is asked to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

WHOLE = "int64"  # of labels and flags: 0 and 1


@dataclass(frozen=True)
class Job:
    """One training and one test table as Parquet. The test table has no target.

    `time` names the column that tells a row's moment, None where there is none; rows are in time order either way.
    """

    train: Path
    test: Path
    target: str
    time: str | None
    budget_seconds: float
    seed: int
    threads: int

    def frames(self) -> tuple[Any, Any, Any]:
        """Training inputs, labels and test inputs as pandas, without the time column: it orders rows, it is no input."""
        import pandas

        train, test = pandas.read_parquet(self.train), pandas.read_parquet(self.test)
        labels = train[self.target].astype(WHOLE)
        inputs = [name for name in train.columns if name not in {self.target, self.time}]
        flags = dict.fromkeys(train.select_dtypes("bool").columns, WHOLE)
        return train[inputs].astype(flags), labels, test[inputs].astype(flags)


def text_columns(frame: Any) -> list[str]:
    """The columns that are not numbers."""
    from pandas.api.types import is_numeric_dtype

    return [name for name in frame.columns if not is_numeric_dtype(frame[name])]


def with_categories(train: Any, test: Any) -> tuple[Any, Any]:
    """Texts as pandas categories with the training part's levels: a level that is new in the test part is missing."""
    import pandas

    levels = {name: pandas.CategoricalDtype(sorted(train[name].dropna().unique())) for name in text_columns(train)}
    return train.astype(levels), test.astype(levels)


def with_words(train: Any, test: Any, missing: str = "missing") -> tuple[Any, Any]:
    """Texts as plain Python strings, with a word of its own where one is missing."""
    names = text_columns(train)

    def words(frame: Any) -> Any:
        return frame.assign(**{name: frame[name].astype(object).where(frame[name].notna(), missing) for name in names})

    return words(train), words(test)
