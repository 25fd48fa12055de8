"""The loss as a law of size and data, L = E + A / N^alpha + B / D^beta, and how far the runs determine it.

What goes in: parameters, tokens and losses of training runs. What comes out: the law, and laws of resampled runs. What
stays true: the same points give the same bits; horizons of one training run are resampled together, because they share
its luck; and of points that span too little there is no law.

The fit is that of Hoffmann et al. 2022 (arXiv:2203.15556, appendix D.3), the Huber loss of the logarithms' difference,
with two cures from Besiroglu et al. 2024 (arXiv:2404.10102): it is summed, not averaged, because an average is so small
that optimizers stop at once; and it is followed until it no longer falls. Starts are not guessed: for given exponents
the law is linear in E, A and B, so least squares gives them for each pair of a grid.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtures.repetition import effective

FLOPS = 6.0  # of training, for a token and a parameter (Kaplan et al. 2020, arXiv:2001.08361)
DELTA = 1e-3  # where Huber's loss turns from squares to absolute values; Hoffmann et al. 2022
SPAN = 4.0  # the least ratio of largest to smallest size, and of most to fewest tokens
LEAST_POINTS = 6  # one more than the law has numbers
LEAST_SIZES = 3
LEAST_GROUPS = 4
EXPONENTS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5])
LARGEST_EXPONENT = 4.0
POLISHED = 4  # of the grid's 81 starts
LEAST_E = np.exp(-12)  # of the least loss: a floor that is none
LEAST_TERM = np.exp(-100)  # of the least loss, at the middle size or data: nothing, and a number still
# Where runs leave a law open the misfit is all but flat, and most of the steps go along it.
STEPS, STEPS_OF_A_DRAW = 5_000, 500

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Points:
    """Training runs: `parameters` N, `tokens` D and `losses` (nats a token, or bits a byte), float64[points] each.

    `unique` tokens, where there are any, make the fit count what repeated ones are worth. `flops` of training are 6 N D
    unless given. `runs` names the training run of each point; points of one name are horizons of one run.
    """

    parameters: Floats
    tokens: Floats
    losses: Floats
    unique: Floats | None = None
    flops: Floats | None = None
    runs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {
            name: len(values)
            for name in ("parameters", "tokens", "losses", "unique", "flops", "runs")
            if (values := getattr(self, name)) is not None and (name != "runs" or values)
        }
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{length} {name}" for name, length in lengths.items())
            raise ValueError(f"points need as many of each, and there are {said}; leave out runs that lack one")

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def compute(self) -> Floats:
        """FLOPs of training, float64[points]."""
        return FLOPS * self.parameters * self.tokens if self.flops is None else self.flops

    @property
    def effective_tokens(self) -> Floats:
        """D', the tokens with repeated ones at what they are worth: what the law is fitted in."""
        return self.tokens if self.unique is None else effective(self.tokens, self.unique)

    def name(self, index: int) -> str:
        """For messages."""
        return self.runs[index] if self.runs else f"point {index}"

    def groups(self, names: Sequence[str] | None = None) -> list[NDArray[np.int64]]:
        """Indices of the points of each name, which are `runs` unless given; without any, each point for itself."""
        if names is None:
            names = self.runs or [str(index) for index in range(len(self))]
        if len(names) != len(self):
            raise ValueError(f"{len(names)} groups for {len(self)} points; give each point the name of its run")
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        group = np.array([numbers[name] for name in names])
        return [np.flatnonzero(group == number) for number in range(len(numbers))]

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Points":
        """The points at `index`, which may repeat them."""
        runs = np.array(self.runs, object)
        return Points(
            self.parameters[index],
            self.tokens[index],
            self.losses[index],
            None if self.unique is None else self.unique[index],
            None if self.flops is None else self.flops[index],
            tuple(runs[index]) if self.runs else (),
        )


@dataclass(frozen=True, slots=True)
class ScalingLaw:
    """L = E + A / N^alpha + B / D^beta. `misfit` is the sum of Huber losses that the fit came down to."""

    E: float
    A: float
    alpha: float
    B: float
    beta: float
    misfit: float = 0.0

    def predict(self, parameters: ArrayLike, tokens: ArrayLike) -> Floats:
        """Losses for sizes and (effective) tokens that broadcast."""
        size, data = np.asarray(parameters, np.float64), np.asarray(tokens, np.float64)
        return np.asarray(self.E + self.A * size**-self.alpha + self.B * data**-self.beta)


def fit(points: Points) -> ScalingLaw:
    """The law of `points`, from the best of a grid of starts.

    Raises `ValueError` where sizes or tokens span less than 4 times, for fewer than 6 distinct points or 3 sizes, and
    for values that are no positive numbers. Runs that diverged are for the caller to leave out and name.
    """
    check(points)
    return _fit(points, [])


def bootstrap(
    points: Points, law: ScalingLaw, draws: int, seed: int, groups: Sequence[str] | None = None
) -> list[ScalingLaw]:
    """Laws of `draws` samples of the points' runs with replacement, `law` being that of all.

    Whole groups are drawn, which are `points.runs` unless given, or else every point for itself. A draw that has too
    few sizes or tokens left for any law is drawn again. A refit starts from `law` and the best of a coarse grid, and
    takes 500 steps from each at most, which few reach; with a looser tolerance it would stop on flat ground, and the
    intervals would come out too narrow just where runs tell little. Raises `ValueError` for fewer than 4 groups.
    """
    check(points)
    members = points.groups(groups)
    if len(members) < LEAST_GROUPS:
        raise ValueError(
            f"an interval needs {LEAST_GROUPS} training runs and has {len(members)}: resampled, so few are hardly ever "
            "others; train more sizes or seeds"
        )
    rng = np.random.default_rng(seed)
    laws: list[ScalingLaw] = []
    for _ in range(100 * draws):
        drawn = points.take(np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))]))
        if not _complaint(drawn):
            laws.append(_fit(drawn, [law]))
        if len(laws) == draws:
            return laws
    raise ValueError(
        f"of {100 * draws} resamples of {len(members)} runs only {len(laws)} had sizes and tokens enough for a law; "
        "train more sizes or seeds"
    )


def check(points: Points) -> None:
    """Raises `ValueError` for points of which there is no law, with what is wrong and what to do."""
    columns = {"parameters": points.parameters, "tokens": points.tokens, "loss": points.losses}
    optional = {"unique tokens": points.unique, "FLOPs": points.flops}
    for what, values in [*columns.items(), *((k, v) for k, v in optional.items() if v is not None)]:
        for index in np.flatnonzero(~(np.isfinite(values) & (values > 0))):
            raise ValueError(
                f"{points.name(int(index))}: {what} {values[index]:g} is no positive number; leave the run out if it "
                "diverged"
            )
    if complaint := _complaint(points):
        raise ValueError(complaint)


def _complaint(points: Points) -> str:
    """Why these points have no law; empty where they have."""
    size, data = points.parameters, points.effective_tokens
    distinct = len(np.unique(np.stack([size, data]), axis=1).T)
    if distinct < LEAST_POINTS:
        return f"a law of five numbers needs {LEAST_POINTS} distinct points and has {distinct}; train more"
    for what, values in (("sizes", size), ("tokens", data)):
        low, high = values.min(), values.max()
        if high < SPAN * low:
            return (
                f"{what} span {high / low:.2f} times ({low:,.0f} to {high:,.0f}) and a law needs {SPAN:g}; add runs "
                f"below {high / SPAN:,.0f} or above {SPAN * low:,.0f}"
            )
        if len(np.unique(values)) < LEAST_SIZES:
            return f"{len(np.unique(values))} different {what}, of which a law needs {LEAST_SIZES}; add runs between"
    return ""


def _fit(points: Points, known: Sequence[ScalingLaw]) -> ScalingLaw:
    """Polishes the best of the grid's starts, and the laws that are `known`."""
    from scipy.optimize import minimize

    size, data = np.log(points.parameters), np.log(points.effective_tokens)
    # Around their means, coefficients and exponents hardly depend on each other.
    middles = size.mean(), data.mean()
    size, data, target = size - middles[0], data - middles[1], np.log(points.losses)
    objective = functools.partial(_huber, size=size, data=data, target=target)
    # A law that is known is most of what the grid is for.
    grid = _starts(size, data, target, EXPONENTS[::2] if known else EXPONENTS)
    best = np.argsort(objective(grid)[0], kind="stable")[: 1 if known else POLISHED]
    starts = [grid[index] for index in best] + [_centred(law, *middles) for law in known]
    floor, terms = target.min() + np.log(LEAST_E), target.min() + np.log(LEAST_TERM)
    bounds = [(floor, target.max()), *[(terms, None)] * 2, *[(1e-3, LARGEST_EXPONENT)] * 2]
    steps = STEPS_OF_A_DRAW if known else STEPS
    options = {"maxiter": steps, "maxfun": 10 * steps, "maxcor": 20, "ftol": 1e-14, "gtol": 1e-7}
    # The line search may try what is no float, and then takes a shorter step.
    with np.errstate(over="ignore", invalid="ignore"):
        found = [minimize(objective, s, jac=True, method="L-BFGS-B", bounds=bounds, options=options) for s in starts]
    least = min(found, key=lambda result: float(result.fun))
    e, a, b, alpha, beta = (float(value) for value in least.x)
    return ScalingLaw(
        E=float(np.exp(e)),
        A=float(np.exp(a + alpha * middles[0])),
        alpha=alpha,
        B=float(np.exp(b + beta * middles[1])),
        beta=beta,
        misfit=float(least.fun),
    )


def _centred(law: ScalingLaw, size: float, data: float) -> Floats:
    """(log E, log A, log B, alpha, beta) of sizes and tokens around these middles."""
    return np.array(
        [np.log(law.E), np.log(law.A) - law.alpha * size, np.log(law.B) - law.beta * data, law.alpha, law.beta]
    )


def _starts(size: Floats, data: Floats, target: Floats, exponents: Floats) -> Floats:
    """For each pair of `exponents` the E, A and B, none negative, of the least squared relative errors: [pairs, 5]."""
    from scipy.optimize import nnls

    losses = np.exp(target)
    starts = []
    for alpha in exponents:
        for beta in exponents:
            terms = np.stack([np.ones_like(size), np.exp(-alpha * size), np.exp(-beta * data)], axis=1)
            found, _ = nnls(terms / losses[:, None], np.ones_like(losses))
            starts.append(np.append(np.log(np.maximum(found, 1e-3 * losses.min())), [alpha, beta]))
    return np.array(starts)


def _huber(theta: Floats, size: Floats, data: Floats, target: Floats) -> tuple[Floats, Floats]:
    """The sum of Huber losses over the points at theta[..., 5] = (log E, log A, log B, alpha, beta): values and their
    gradients, [...] and [..., 5]."""
    e, a, b, alpha, beta = theta.T[..., None]
    floor, by_size, by_data = np.exp(e), np.exp(a - alpha * size), np.exp(b - beta * data)
    predicted = floor + by_size + by_data
    error = np.log(predicted) - target
    slope = np.minimum(np.maximum(error, -DELTA), DELTA)
    value = (slope * (error - slope / 2)).sum(-1)
    share = slope / predicted
    by_size, by_data = by_size * share, by_data * share
    gradient = [(floor * share).sum(-1), by_size.sum(-1), by_data.sum(-1), -(by_size @ size), -(by_data @ data)]
    return value, np.array(gradient).T
