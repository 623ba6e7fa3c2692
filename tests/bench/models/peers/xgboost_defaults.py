"""XGBoost as it comes, with its native categories."""

from typing import Any

from xgboost import XGBClassifier

from tests.bench.models.job import Job, with_categories


def predict(job: Job) -> Any:
    train, labels, test = job.frames()
    train, test = with_categories(train, test)
    model = XGBClassifier(enable_categorical=True, n_jobs=job.threads, random_state=job.seed)
    return model.fit(train, labels).predict_proba(test)[:, 1]
