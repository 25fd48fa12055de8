"""A Gaussian process over the same proxy runs, asked whether it believes what the laws chose; it decides nothing.

What goes in: the runs' shares and weighted losses, the mixture that the laws chose, and what they expect it to gain.
What comes out: what the process expects of it, of natural and of the best run, and whether it disagrees. What stays
true: it shares no form with the laws, so that where their form misleads it may say so; the same runs give the same
opinion.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtures.interval import Interval

Array = NDArray[np.float64]

# How sure it must be, in standard errors of the difference.
DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class Expected:
    """A loss in the objective's units, and the standard error of its mean (noise of a single run is not in it)."""

    loss: float
    error: float


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """`best` is the best run's mixture, by its own loss; `why` says what `disagrees` stands on."""

    chosen: Expected
    natural: Expected
    best: Expected
    disagrees: bool
    why: str


def second_opinion(
    shares: Array, objective: Array, chosen: Array, natural: Array, gains: Mapping[str, Interval]
) -> SecondOpinion:
    """Ask a Gaussian process fitted to `shares`, float64[runs, sources], and `objective`, float64[runs].

    `gains` are what the laws expect of `chosen` less what they expect of `natural` and of the `best observed` run. The
    process disagrees where it expects chosen to be the worse one, and by more than the laws do plus what the two are
    unsure of together: the root of the sum of squares of its two standard errors and of the laws' interval's upper
    part. `ValueError` if the objective is the same in all runs.
    """
    if np.ptp(objective) <= 1e-9 * np.abs(objective).max():
        raise ValueError(f"the objective is {objective[0]:g} in every run; a Gaussian process has nothing to learn")
    best = shares[int(np.argmin(objective))]
    means, covariance = posterior(shares, objective, np.stack([chosen, natural, best]))
    errors = np.sqrt(np.maximum(np.diag(covariance), 0))
    expected = [Expected(float(mean), float(error)) for mean, error in zip(means, errors, strict=True)]
    said, disagrees = [], []
    for place, (name, title) in enumerate({"natural": "natural", "best observed": "the best run"}.items(), start=1):
        difference = float(means[0] - means[place])
        variance = covariance[0, 0] + covariance[place, place] - 2 * covariance[0, place]
        laws = gains[name]
        margin = float(np.hypot(DEVIATIONS * np.sqrt(max(variance, 0.0)), laws.high - laws.value))
        said.append(f"{difference:+.4f} against {title} (laws: {laws.value:+.4f}; apart by chance: {margin:.4f})")
        disagrees.append(difference > max(laws.value + margin, 0.0))
    why = f"the Gaussian process expects of the chosen mixture {' and '.join(said)}"
    return SecondOpinion(expected[0], expected[1], expected[2], any(disagrees), why)


def posterior(shares: Array, objective: Array, asked: Array) -> tuple[Array, Array]:
    """Means and covariance, in the objective's units, of the process of greatest likelihood on a grid.

    A grid of two parameters instead of a search with bounds: on few runs the likelihood is flat and searches end where
    they began, or at a bound. The height of the process is the one of greatest likelihood for the two.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel

    # Distances in roots of shares (Hellinger's) let a share of .01 differ from 0 as much as .36 from .25.
    points, at = np.sqrt(shares), np.sqrt(asked)
    centre, scale = objective.mean(), objective.std()
    values = (objective - centre) / scale
    grid = [(length, noise) for length in np.geomspace(0.1, 3, 9) for noise in np.geomspace(1e-4, 1, 9)]
    tried = []
    for length, noise in grid:
        kernel = RBF(length, "fixed") + WhiteKernel(noise, "fixed")
        process = GaussianProcessRegressor(kernel, alpha=1e-10, optimizer=None).fit(points, values)
        height = float(values @ np.asarray(process.alpha_)) / len(values)
        # The log likelihood, but for a constant, of the kernel times its best height.
        likelihood = -0.5 * len(values) * np.log(height) - float(np.log(np.diag(process.L_)).sum())
        tried.append((likelihood, height, length, noise))
    _, height, length, noise = max(tried)
    kernel = RBF(length, "fixed") + WhiteKernel(noise, "fixed")
    process = GaussianProcessRegressor(kernel, alpha=1e-10, optimizer=None).fit(points, values)
    means, covariance = process.predict(at, return_cov=True)
    # The noise of a run of its own is on the diagonal, and asked for is the mean of many.
    return centre + scale * means, scale**2 * height * (covariance - noise * np.eye(len(at)))
