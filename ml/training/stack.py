"""An ensemble: several learners' log-odds in a weighted sum, the weights learned on rows that none of them had seen.

Wolpert 1992, "Stacked generalization"; Breiman 1996, "Stacked regressions": weights that are not negative.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ml.learners.base import probability
from ml.preparation.base import Floats, Ints
from ml.training.calibrate import row_losses

# The weights are drawn towards equal shares as if so many rows had said so.
PRIOR_ROWS = 100.0


def weights(margins: NDArray[np.float64], labels: Ints) -> tuple[Floats, float]:
    """Rows x members of unseen rows' log-odds -> the members' weights, none negative, and the intercept."""
    members = margins.shape[1]
    equal = np.full(members, 1 / members)
    pull = PRIOR_ROWS / max(len(labels), 1) / 8

    def loss(at: Floats) -> tuple[float, Floats]:
        bent = margins @ at[:-1] + at[-1]
        residual = probability(bent) - labels
        away = np.append(at[:-1] - equal, at[-1])
        slopes = np.append(margins.T @ residual / len(labels), residual.mean()) + 2 * pull * away
        return float(row_losses(bent, labels).mean() + pull * (away**2).sum()), slopes

    start = np.append(equal, 0.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * members + [(None, None)])
    return found.x[:-1], float(found.x[-1])
