"""CatBoost as it comes, with its native categories."""

from typing import Any

from catboost import CatBoostClassifier

from tests.bench.models.job import Job, text_columns, with_words


def predict(job: Job) -> Any:
    train, labels, test = job.frames()
    train, test = with_words(train, test)
    model = CatBoostClassifier(
        cat_features=text_columns(train), thread_count=job.threads, random_seed=job.seed, verbose=False, allow_writing_files=False
    )
    return model.fit(train, labels).predict_proba(test)[:, 1]
