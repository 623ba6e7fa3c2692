"""LightGBM as it comes, with its native categories."""

from typing import Any

from lightgbm import LGBMClassifier

from tests.bench.models.job import Job, with_categories


def predict(job: Job) -> Any:
    train, labels, test = job.frames()
    train, test = with_categories(train, test)
    model = LGBMClassifier(n_jobs=job.threads, random_state=job.seed, verbose=-1)
    return model.fit(train, labels).predict_proba(test)[:, 1]
