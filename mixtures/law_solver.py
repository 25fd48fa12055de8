"""Many log-linear laws at once: damped least squares over a batch, with a weak prior where the runs say little.

What goes in: shares of the runs, which all laws of a batch have in common, and for each law its losses and how often
each run counts. What comes out: a floor and slopes for each. What stays true: a law does not depend on which others are
in its batch but for the last bits, and nothing is drawn.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Array = NDArray[np.float64]

# The floor as a share of the least loss, where searches start.
STARTS = (0.3, 0.7, 0.9, 0.98)
# The prior of that share, on the logit scale: .3 to .99 within two standard deviations.
FLOOR_MEAN, FLOOR_DEVIATION = 1.75, 1.3
# The prior of how far a source's slope lies from the mean of all: one source's share from 0 to 1 divides what is above
# the floor by 7. Measured with 1 to 10: docs/experiments.md.
SLOPE_DEVIATION = 2.0
# exp beyond it is far above any loss; such a step is refused, and need not overflow first.
HIGHEST = 30.0
# The noise that the prior is weighed against follows from the fit, and the fit from it.
ROUNDS = 3
STEPS = 200
# A step that changes less of the cost ends the search.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Problem:
    """`shares`: float64[runs, sources]; `losses`, `counts`: float64[laws, runs], in how many samples a run is."""

    shares: Array
    losses: Array
    counts: Array

    @cached_property
    def least(self) -> Array:
        """The smallest loss among the runs that count, which the floor is below."""
        return np.asarray(np.where(self.counts > 0, self.losses, np.inf).min(axis=1))

    @cached_property
    def squares(self) -> Array:
        return np.asarray((self.shares[:, :, None] * self.shares[:, None, :]).reshape(len(self.shares), -1))

    @cached_property
    def centre(self) -> Array:
        """Takes the mean off slopes: a prior that knows no source from another leaves their common height alone."""
        sources = self.shares.shape[1]
        return np.asarray(np.eye(sources) - 1 / sources)

    def only(self, laws: NDArray[np.bool_]) -> "Problem":
        return Problem(self.shares, self.losses[laws], self.counts[laws])


@dataclass(frozen=True, slots=True)
class Solution:
    """`points`: float64[laws, 1 + sources], the logit of the floor as a share of `least`, and the slopes; `noise`:
    float64[laws], the variance of what the laws miss, over the runs that no parameter takes up.
    """

    points: Array
    least: Array
    noise: Array

    @property
    def floors(self) -> Array:
        return np.asarray(self.least * expit(self.points[:, 0]))

    @property
    def slopes(self) -> Array:
        return self.points[:, 1:]


def solve(problem: Problem) -> Solution:
    """The laws of least cost: squares of what is missed, and of how far parameters are from the prior, over noise."""
    total = problem.counts.sum(axis=1, keepdims=True)
    mean = (problem.counts * problem.losses).sum(axis=1, keepdims=True) / total
    variance = (problem.counts * (problem.losses - mean) ** 2).sum(axis=1) / total[:, 0]
    # Laws leave a few per cent of the variance at first sight; the rounds say how much it is.
    noise = 0.05 * variance
    tried = [_descend(problem, _start(problem, share), noise) for share in STARTS]
    costs = np.stack([_State.at(problem, points, noise).cost for points in tried])
    points = np.stack(tried)[np.argmin(costs, axis=0), np.arange(len(costs[0]))]
    left = np.maximum(total[:, 0] - points.shape[1], 1)
    for _ in range(ROUNDS):
        missed = _State.at(problem, points, noise).missed
        noise = np.maximum((problem.counts * missed**2).sum(axis=1) / left, 1e-12 * variance)
        points = _descend(problem, points, noise)
    return Solution(points, problem.least, noise)


def solve_near(problem: Problem, points: Array, noise: Array) -> Solution:
    """The laws of losses that differ by `noise` from those that `points` were found for."""
    return Solution(_descend(problem, points, noise), problem.least, noise)


@dataclass(frozen=True, slots=True)
class _State:
    """The parts of each law's losses at some point, and the cost there."""

    floor_share: Array
    above: Array
    missed: Array
    from_prior: Array
    cost: Array

    @classmethod
    def at(cls, problem: Problem, points: Array, noise: Array) -> "_State":
        share, slopes = expit(points[:, 0]), points[:, 1:]
        above = np.exp(np.minimum(slopes @ problem.shares.T, HIGHEST))
        missed = (problem.least * share)[:, None] + above - problem.losses
        deviations = np.column_stack([points[:, 0] - FLOOR_MEAN, slopes - slopes.mean(axis=1, keepdims=True)])
        squares = (deviations**2) @ _precisions(points)
        return cls(share, above, missed, deviations, (problem.counts * missed**2).sum(axis=1) + noise * squares)


def _precisions(points: Array) -> Array:
    return 1 / np.array([FLOOR_DEVIATION, *[SLOPE_DEVIATION] * (points.shape[1] - 1)]) ** 2


def _start(problem: Problem, share: float) -> Array:
    """With the floor given, the logarithm of what is above it is linear in the shares."""
    logs = np.log(np.maximum(problem.losses - share * problem.least[:, None], 1e-3 * problem.least[:, None]))
    sources = len(problem.centre)
    normal = (problem.counts @ problem.squares).reshape(-1, sources, sources)
    normal += 1e-3 * problem.centre + 1e-9 * np.eye(sources)
    slopes = np.linalg.solve(normal, ((problem.counts * logs) @ problem.shares)[..., None])[..., 0]
    return np.column_stack([np.full(len(logs), logit(share)), slopes])


def _curvature(problem: Problem, state: _State, noise: Array) -> tuple[Array, Array]:
    """Half of the cost's second derivatives, but for what would make them negative, and half of its gradient.

    Laws of real runs miss much more than noise, and what is missed bends the cost: without it (Gauss and Newton's
    second derivatives) the same fits took six times the steps.
    """
    sources = len(problem.centre)
    change = problem.least * state.floor_share * (1 - state.floor_share)
    missed = (problem.counts * state.missed).sum(axis=1)
    weighted = problem.counts * state.above
    pulls = noise[:, None] * _precisions(state.from_prior)
    second = np.empty((len(change), 1 + sources, 1 + sources))
    second[:, 0, 0] = change**2 * problem.counts.sum(axis=1) + pulls[:, 0]
    second[:, 0, 0] += np.maximum(change * (1 - 2 * state.floor_share) * missed, -0.5 * second[:, 0, 0])
    second[:, 0, 1:] = second[:, 1:, 0] = change[:, None] * (weighted @ problem.shares)
    bent = weighted * (state.above + np.maximum(state.missed, -0.9 * state.above))
    second[:, 1:, 1:] = (bent @ problem.squares).reshape(-1, sources, sources)
    second[:, 1:, 1:] += pulls[:, 1, None, None] * problem.centre
    first = pulls * state.from_prior
    first[:, 0] += change * missed
    first[:, 1:] += (weighted * state.missed) @ problem.shares
    return second, first


def _descend(problem: Problem, points: Array, noise: Array) -> Array:
    """Levenberg and Marquardt's steps, each law with a damping of its own, until none changes anything."""
    found, going = points.copy(), np.arange(len(points))
    damping = np.full(len(points), 1e-3)
    state = _State.at(problem, points, noise)
    for _ in range(STEPS):
        second, first = _curvature(problem, state, noise)
        diagonal = np.einsum("bii->bi", second)
        diagonal += damping[:, None] * (diagonal + 1e-12 * diagonal.max(axis=1, keepdims=True))
        tried = points - np.linalg.solve(second, first[..., None])[..., 0]
        reached = _State.at(problem, tried, noise).cost
        better = reached <= state.cost
        points = np.where(better[:, None], tried, points)
        found[going] = points
        on = np.abs(state.cost - reached) > TOLERANCE * state.cost
        if not on.any():
            break
        damping = np.where(better, np.maximum(damping / 5, 1e-12), damping * 4)[on]
        going, points, noise, problem = going[on], points[on], noise[on], problem if on.all() else problem.only(on)
        state = _State.at(problem, points, noise)
    return found
