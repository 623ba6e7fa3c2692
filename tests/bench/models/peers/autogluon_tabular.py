"""AutoGluon inside the time budget, for log-loss, without its neural networks.

Tried at 60 s on one fold of two tables: best and good quality with and without the trial that decides on stacking, high
quality with it, best quality refitted on all rows. This is the one with the lowest log-loss of those that keep to the
budget; the trial takes a quarter of it.
"""

import tempfile
from typing import Any

from autogluon.tabular import TabularPredictor

from tests.bench.models.job import Job


def predict(job: Job) -> Any:
    train, labels, test = job.frames()
    with tempfile.TemporaryDirectory() as folder:
        model = TabularPredictor(label=job.target, problem_type="binary", eval_metric="log_loss", path=folder, verbosity=1)
        model.fit(
            train.assign(**{job.target: labels}),
            presets="good_quality",
            dynamic_stacking=False,
            time_limit=job.budget_seconds,
            num_cpus=job.threads,
            num_gpus=0,
        )
        return model.predict_proba(test)[1].to_numpy()
