"""TABLE of learners: name -> learner, from simple to complex. Of two that are as good, the simpler serves."""

from ml.learners import forest, lgbm, logistic, naive_bayes, prior, svm, xgb
from ml.learners.base import Learner

LEARNERS: dict[str, Learner] = {
    learner.name: learner
    for learner in (
        prior.LEARNER,
        naive_bayes.LEARNER,
        logistic.LEARNER,
        svm.LEARNER,
        forest.LEARNER,
        xgb.LEARNER,
        lgbm.LEARNER,
    )
}
