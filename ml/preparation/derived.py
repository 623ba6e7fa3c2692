"""Numbers made of dates and texts, before the steps for numbers see them."""

from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from ml.preparation.base import AS_OF, numbers

MOST_WORDS = 500
TOPICS = 12  # numbers that a text becomes
FEWEST_TEXTS = 50  # fewer teach no topics


class DateParts(BaseModel):
    """A date as a duration up to the row's own moment (where that is known), its month and its day of the week.

    A date itself is no feature: tomorrow's are all greater than any in training. Without a moment the days since 1970 stay.
    """

    model_config = ConfigDict(frozen=True)

    derived: Literal["date_parts"] = "date_parts"
    input: str

    @property
    def sources(self) -> tuple[str, ...]:
        return (f"days since {self.input}", f"month of {self.input}", f"weekday of {self.input}")

    def apply(self, frame: pl.DataFrame) -> list[pl.Series]:
        days = frame[self.input]
        since = (frame[AS_OF] - days) if AS_OF in frame.columns else -days
        whole = pl.Series(numbers(days)).fill_nan(None).floor().cast(pl.Int32, strict=False).cast(pl.Date)
        parts = (since, whole.dt.month().cast(pl.Float64), whole.dt.weekday().cast(pl.Float64))
        return [part.alias(name) for part, name in zip(parts, self.sources, strict=True)]


class Topics(BaseModel):
    """A text as a few numbers: tf-idf of its commonest words, projected on their main directions (latent semantic analysis).

    Deerwester and others 1990, "Indexing by latent semantic analysis".
    """

    model_config = ConfigDict(frozen=True)

    derived: Literal["topics"] = "topics"
    input: str
    words: tuple[str, ...]
    idf: tuple[float, ...]
    directions: tuple[tuple[float, ...], ...]  # topics x words

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(f"{self.input} (topic {number})" for number in range(1, len(self.directions) + 1))

    def apply(self, frame: pl.DataFrame) -> list[pl.Series]:
        texts = frame[self.input]
        if frame.is_empty():
            return [pl.Series(name, [], dtype=pl.Float64) for name in self.sources]
        weights = _vectorizer(self.words, self.idf).transform(texts.fill_null("").to_list())
        topics = np.asarray(weights @ np.array(self.directions).T)
        gone = texts.is_null()
        return [
            pl.select(pl.when(gone).then(None).otherwise(pl.Series(topics[:, place]))).to_series().alias(name)
            for place, name in enumerate(self.sources)
        ]


def fit_topics(name: str, values: pl.Series, *, seed: int) -> Topics | None:
    """None where the texts are too few, have no words in common, or are all the same."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = values.drop_nulls().to_list()
    if len(texts) < FEWEST_TEXTS:
        return None
    try:
        fitted = TfidfVectorizer(max_features=MOST_WORDS, min_df=max(2, len(texts) // 200), sublinear_tf=True).fit(texts)
    except ValueError:  # its way of saying that no word is left
        return None
    words = tuple(fitted.get_feature_names_out().tolist())
    if len(words) < 2:
        return None
    weights = fitted.transform(texts)
    if weights.shape[0] and not np.any(weights.max(axis=0).toarray() - weights.min(axis=0).toarray()):
        return None  # one text over and over
    svd = TruncatedSVD(n_components=min(TOPICS, len(words) - 1), random_state=seed).fit(weights)
    return Topics(input=name, words=words, idf=tuple(fitted.idf_.tolist()), directions=tuple(map(tuple, svd.components_.tolist())))


def _vectorizer(words: tuple[str, ...], idf: tuple[float, ...]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(vocabulary=list(words), sublinear_tf=True)
    vectorizer.idf_ = np.array(idf)
    return vectorizer
