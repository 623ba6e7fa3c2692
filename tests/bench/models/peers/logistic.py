"""One-hot logistic regression, scaled: median and a flag for what is missing, rare levels together, C = 1."""

from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.bench.models.job import Job, text_columns, with_words

RAREST_LEVEL = 5  # rows; a level seen less often shares a column with the other rare ones
ITERATIONS = 2_000  # enough for the solver to converge on every table here


def predict(job: Job) -> Any:
    train, labels, test = job.frames()
    train, test = with_words(train, test)
    texts = text_columns(train)
    numbers = [name for name in train.columns if name not in texts]
    encode = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
            ("texts", OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RAREST_LEVEL), texts),
        ]
    )
    model = make_pipeline(encode, LogisticRegression(max_iter=ITERATIONS))
    return model.fit(train, labels).predict_proba(test)[:, 1]
