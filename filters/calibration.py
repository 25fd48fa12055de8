"""Decisions made into probabilities that mean what they say (Platt 1999; Lin, Lin and Weng 2007)."""

import numpy as np
from numpy.typing import NDArray


def platt(decisions: NDArray[np.float64], labels: NDArray[np.int8]) -> tuple[float, float]:
    """The slope and intercept of the logistic curve through `decisions`, where both classes weigh the same.

    `labels` are 0 or 1, and both are there. The decisions must be of texts that their model has not seen. A target is
    not quite 0 or 1, as if one text of a class were wrong, so that classes that do not overlap have a curve too. Where
    higher decisions are no sign of a positive, the curve is flat: (0, 0).
    """
    from sklearn.linear_model import LogisticRegression

    counts = np.bincount(labels, minlength=2)
    wrong = (1 / (counts + 2))[labels]
    weight = (1 / counts)[labels] * len(labels)
    # Each decision twice: as what it is, and with a little weight as the other class.
    curve = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(
        np.tile(decisions, 2).reshape(-1, 1),
        np.concatenate([labels, 1 - labels]),
        np.concatenate([weight * (1 - wrong), weight * wrong]),
    )
    slope, intercept = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    return (slope, intercept) if slope > 0 else (0.0, 0.0)
