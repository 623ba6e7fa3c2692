"""FLAML inside the time budget, for log-loss, with all of its own estimators."""

from typing import Any

from flaml import AutoML

from tests.bench.models.job import Job, with_categories


def predict(job: Job) -> Any:
    train, labels, test = job.frames()
    train, test = with_categories(train, test)
    model = AutoML()
    model.fit(
        train,
        labels,
        task="classification",
        metric="log_loss",
        time_budget=job.budget_seconds,
        n_jobs=job.threads,
        seed=job.seed,
        verbose=0,
    )
    return model.predict_proba(test)[:, 1]
