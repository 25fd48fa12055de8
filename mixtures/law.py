"""How losses follow from a mixture: for each target a law L = floor + exp(slopes . shares), with its errors.

What goes in: the shares and losses of proxy runs. What comes out: laws that predict the losses of any mixture, what
they miss of runs they have not seen, and laws of resampled losses for intervals. What stays true: the same runs give
the same laws; nothing is fitted that the runs cannot tell, and the error says which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtures.law_solver import Problem, Solution, solve, solve_near

Array = NDArray[np.float64]

# Up to so many runs each is left out alone; of more, a tenth at a time.
LEAVE_ONE_OUT, FOLDS = 64, 10
# Runs whose shares are the same to so many parts of the largest singular value tell nothing apart.
RANK_TOLERANCE = 1e-6
SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """One target's loss: floor + exp(slopes . shares); shares sum to 1, so that no constant is needed."""

    floor: float
    slopes: Array

    def predict(self, shares: Array) -> Array:
        """float64[runs] of float64[runs, sources]."""
        return np.asarray(self.floor + np.exp(shares @ self.slopes))


@dataclass(frozen=True, slots=True, eq=False)
class Laws:
    """A law for each of `targets`, whose slopes are in the order of `sources`."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    laws: tuple[Law, ...]

    def predict(self, shares: Array) -> Array:
        """float64[runs, targets] of float64[runs, sources]."""
        return np.stack([law.predict(shares) for law in self.laws], axis=1)

    def objective(self, shares: Array, weights: Array) -> Array:
        """float64[runs]: the mean of the targets' losses by `weights`, float64[targets], which need not sum to 1."""
        return np.asarray(self.predict(shares) @ (weights / weights.sum()))


@dataclass(frozen=True, slots=True)
class Errors:
    """Of runs that the law had not seen: the root of the mean squared miss, in the loss's units as `spread`, the
    losses' standard deviation, which a law that knows nothing misses; and Spearman's rank correlation, nan where all
    predictions are equal.
    """

    rmse: float
    spread: float
    rank: float


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    """Errors by target and of the weighted objective, over `folds`; `predicted`: float64[runs, targets]."""

    folds: int
    targets: Mapping[str, Errors]
    objective: Errors
    predicted: Array


def fit(
    shares: Array, losses: Array, sources: Sequence[str], targets: Sequence[str], runs: Sequence[str] | None = None
) -> Laws:
    """One law a target by least squares with a weak prior (`law_solver`); 0 < floor < the least loss.

    `runs` are names for the errors: `ValueError` for fewer runs than sources and one more, mixtures that do not tell
    every source from the others, losses that are no numbers above 0, and a target that is the same in all runs.
    """
    _check(shares, losses, sources, targets, runs)
    return _laws(sources, targets, solve(_problem(shares, losses)))


def cross_validated(
    shares: Array,
    losses: Array,
    sources: Sequence[str],
    targets: Sequence[str],
    weights: Array,
    runs: Sequence[str] | None = None,
) -> CrossValidation:
    """What laws miss of runs that they were not fitted to; every one of up to 64 runs is left out alone.

    `weights`: float64[targets]. Run i is in fold i mod 10 where there are more. Raises as `fit` does.
    """
    _check(shares, losses, sources, targets, runs)
    count, width = losses.shape
    folds = count if count <= LEAVE_ONE_OUT else FOLDS
    fold = np.arange(count) % folds
    kept = (fold != np.arange(folds)[:, None]).astype(np.float64)
    found = solve(Problem(shares, np.tile(losses.T, (folds, 1)), np.repeat(kept, width, axis=0)))
    floors, slopes = found.floors.reshape(folds, width), found.slopes.reshape(folds, width, -1)
    predicted = floors[fold] + np.exp(np.einsum("rts,rs->rt", slopes[fold], shares))
    mean = weights / weights.sum()
    by_target = {name: _errors(predicted[:, t], losses[:, t]) for t, name in enumerate(targets)}
    return CrossValidation(folds, by_target, _errors(predicted @ mean, losses @ mean), predicted)


def resampled(laws: Laws, shares: Array, losses: Array, draws: int, seed: int) -> list[Laws]:
    """`draws` times the laws of losses that might have been; percentiles of what follows from them are intervals.

    Each draw adds residuals of other runs to the predictions, those of one run together, because a run's targets miss
    together. They are widened by the degrees of freedom that the fit took up, and by a draw of chi squared, so that
    intervals are as wide as Student's t makes them. `ValueError` where no run is left over to tell the noise.
    """
    problem = _problem(shares, losses)
    start = solve(problem)
    runs, sources = shares.shape
    left = runs - sources - 1
    if left < 1:
        raise ValueError(
            f"{runs} runs of {sources} sources leave nothing to tell the noise by, and so no intervals; "
            f"add runs, at least {sources + 2}"
        )
    predicted = laws.predict(shares)
    residuals = (losses - predicted) - (losses - predicted).mean(axis=0)
    random = np.random.default_rng(seed)
    picked = random.integers(runs, size=(draws, runs))
    wider = np.sqrt(runs / left) * np.sqrt(left / random.chisquare(left, draws))
    drawn = predicted + residuals[picked] * wider[:, None, None]
    # A floor lies below the least loss, and so must the losses lie above 0.
    stacked = np.maximum(drawn, 1e-6 * predicted.min()).transpose(0, 2, 1).reshape(-1, runs)
    found = solve_near(
        Problem(shares, stacked, np.ones_like(stacked)), np.tile(start.points, (draws, 1)), np.tile(start.noise, draws)
    )
    floors, slopes = found.floors.reshape(draws, -1), found.slopes.reshape(draws, len(laws.targets), sources)
    return [
        Laws(laws.sources, laws.targets, tuple(Law(float(f), s) for f, s in zip(floors[d], slopes[d], strict=True)))
        for d in range(draws)
    ]


def _problem(shares: Array, losses: Array) -> Problem:
    return Problem(shares, np.ascontiguousarray(losses.T), np.ones(losses.shape[::-1]))


def _laws(sources: Sequence[str], targets: Sequence[str], found: Solution) -> Laws:
    laws = tuple(Law(float(floor), slopes) for floor, slopes in zip(found.floors, found.slopes, strict=True))
    return Laws(tuple(sources), tuple(targets), laws)


def _errors(predicted: Array, losses: Array) -> Errors:
    # Half a second, which every command would pay for.
    from scipy.stats import spearmanr

    rank = float(spearmanr(predicted, losses).statistic) if np.ptp(predicted) and np.ptp(losses) else float("nan")
    return Errors(float(np.sqrt(np.mean((predicted - losses) ** 2))), float(losses.std()), rank)


def _check(
    shares: Array, losses: Array, sources: Sequence[str], targets: Sequence[str], runs: Sequence[str] | None
) -> None:
    names = runs if runs is not None else [f"run {n}" for n in range(len(shares))]
    assert shares.shape == (len(names), len(sources)), (shares.shape, len(names), len(sources))
    assert losses.shape == (len(names), len(targets)), (losses.shape, len(names), len(targets))
    check_mixtures(shares, sources, names)
    for run, row in zip(names, shares, strict=True):
        if not (np.all(row >= 0) and abs(row.sum() - 1) <= SUM_TOLERANCE):
            raise ValueError(f"{run}: its shares sum to {row.sum():g}; give shares of 0 or more that sum to 1")
    for run, row in zip(names, losses, strict=True):
        for target, loss in zip(targets, row, strict=True):
            if not (np.isfinite(loss) and loss > 0):
                raise ValueError(f"{run}: {target} is {loss:g}, and a law is of losses above 0; leave the run out")
    for target, column in zip(targets, losses.T, strict=True):
        if np.ptp(column) <= 1e-9 * column.max():
            raise ValueError(f"{target} is {column[0]:g} in every run, so no mixture follows from it; leave it out")


def check_mixtures(shares: Array, sources: Sequence[str], runs: Sequence[str]) -> None:
    """Raises `ValueError` for fewer runs than sources and one more, and where some shift between sources is in none.

    All that can be known to be wrong before a run is paid for.
    """
    if len(runs) <= len(sources):
        raise ValueError(
            f"{len(runs)} runs are too few for {len(sources)} sources: a law has a floor and a slope a source, so "
            f"{len(sources) + 1} are needed at least, and 3 a source are better; add proxy runs"
        )
    _, scales, directions = np.linalg.svd(shares)
    blind = directions[scales <= RANK_TOLERANCE * scales[0]]
    if not len(blind):
        return
    named = [s for s, part in zip(sources, np.abs(blind).max(axis=0), strict=True) if part >= 0.3 * np.abs(blind).max()]
    first = [int(np.argmax(np.all(np.abs(shares - row) <= SUM_TOLERANCE, axis=1))) for row in shares]
    same = [f"{runs[n]} is {runs[f]}" for n, f in enumerate(first) if n != f]
    alike = f" ({', '.join(same)})" if same else ""
    raise ValueError(
        f"the {len(set(first))} different mixtures of {len(runs)} runs{alike} do not tell {', '.join(named)} from the "
        "other sources: their shares never change, or only together; add runs that change each of them alone"
    )
