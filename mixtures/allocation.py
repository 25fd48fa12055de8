"""How to spend a budget of FLOPs by a scaling law: size, tokens, tokens a parameter, each with a 95 % interval.

What goes in: a law, laws of resampled runs, a budget. What comes out: the optimum of the law, and percentiles of the
optima of the others; how far beyond the runs that is; what the law of the smaller runs says of the largest ones. What
stays true: an interval says how much the runs at hand leave open, and nothing of what lies beyond their range; no
model has less than one parameter, none is trained on less than one token, and an interval that would need it has no end
there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtures.interval import Interval
from mixtures.repetition import PARAMETERS_DECAY, TOKENS_DECAY, effective
from mixtures.scaling_law import FLOPS, Points, ScalingLaw, fit

PERCENTILES = (2.5, 97.5)
LARGEST_LOG = 150.0  # of parameters; their fourth power is a float still
END = 1e-6  # so near one parameter or token is at it
LEAST = 1e-300  # what a law is taken to owe to size or data where it owes nothing


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best `parameters` and `tokens` (both fractional) for `flops`, and the `loss` that they give.

    `effective_tokens` are fewer where tokens repeat.
    """

    flops: float
    parameters: float
    tokens: float
    effective_tokens: float
    loss: float

    @property
    def tokens_per_parameter(self) -> float:
        return self.tokens / self.parameters


@dataclass(frozen=True, slots=True)
class Open:
    """An interval whose `low` or `high` is None where the runs set no end to it."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Allocation:
    """The optimum for `flops`, with intervals. `extrapolation` is how many times the largest run's FLOPs these are.

    `determined` is false where the best size, by the law or at an end of its interval, is one parameter, or as many as
    leave it one token.
    """

    flops: float
    parameters: Open
    tokens: Open
    tokens_per_parameter: Open
    loss: Interval
    extrapolation: float
    determined: bool


def optimum(law: ScalingLaw, flops: float, unique: float | None = None, per: float = FLOPS) -> Optimum:
    """The least loss for `per` x N x D = `flops` (Hoffmann et al. 2022, equation 4), of `unique` tokens if that is all.

    Neither is below 1: a law to which size does not matter has the best model of one parameter, and one to which data
    does not matter gives it one token.

    Where these have to be repeated, tokens count as in `mixtures.repetition`, and so do parameters beyond those for
    which the unique tokens would be the best number (Muennighoff et al. 2023, equation 6). Raises `ValueError` for a
    number of tokens that is not positive, and a budget of less than one token through one parameter.
    """
    for what, value in (("FLOPs", flops), ("unique tokens", 1.0 if unique is None else unique)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{value:g} {what} to spend; give a positive number")
    product = flops / per
    if product < 1:
        raise ValueError(f"{flops:g} FLOPs are less than one token through one parameter takes, {per:g}; give more")
    best = _log_balance(law) + law.beta / (law.alpha + law.beta) * math.log(product)
    parameters = 1.0 if best <= 0 else min(math.exp(min(best, LARGEST_LOG)), product)
    tokens = product / parameters
    if unique is None or tokens <= unique:
        return Optimum(flops, parameters, tokens, tokens, float(law.predict(parameters, tokens)))
    return _repeated(law, flops, unique, per)


def allocate(
    law: ScalingLaw,
    draws: Sequence[ScalingLaw],
    flops: float,
    largest: float,
    unique: float | None = None,
    per: float = FLOPS,
) -> Allocation:
    """The optimum of `law` with intervals from `draws`; `largest` is the FLOPs of the largest run they are fitted to.

    Raises `ValueError` where there are no draws.
    """
    if not draws:
        raise ValueError("no resampled laws, so no interval; give scaling_law.bootstrap at least a few hundred draws")
    best = optimum(law, flops, unique, per)
    others = [optimum(drawn, flops, unique, per) for drawn in draws]

    def spread(name: str) -> Interval:
        return interval(getattr(best, name), [getattr(other, name) for other in others])

    most = flops / per
    parameters, tokens = _opened(spread("parameters"), 1.0, most), _opened(spread("tokens"), 1.0, most)
    inside = 1 + END < best.parameters < most * (1 - END)
    return Allocation(
        flops,
        parameters,
        tokens,
        _opened(spread("tokens_per_parameter"), 1 / most, most),
        spread("loss"),
        extrapolation=float(flops / largest),
        determined=inside and None not in (parameters.low, parameters.high, tokens.low, tokens.high),
    )


def interval(value: float, draws: Sequence[float]) -> Interval:
    """The percentiles 2.5 and 97.5 of `draws` around `value`."""
    low, high = np.percentile(draws, PERCENTILES)
    return Interval(value, float(low), float(high))


def _opened(found: Interval, least: float, most: float) -> Open:
    """The interval without an end that is at `least` or `most`, beyond which there is nothing to spend."""
    return Open(
        found.value,
        found.low if found.low > least * (1 + END) else None,
        found.high if found.high < most * (1 - END) else None,
    )


def parameter_intervals(law: ScalingLaw, draws: Sequence[ScalingLaw]) -> dict[str, Interval]:
    """E, A, alpha, B and beta of `law`, each with its interval."""
    names = ("E", "A", "alpha", "B", "beta")
    return {name: interval(getattr(law, name), [getattr(drawn, name) for drawn in draws]) for name in names}


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A point of a run that the law had not seen: its loss, and what the law of the smaller ones said."""

    run: str
    flops: float
    loss: float
    predicted: float

    @property
    def error(self) -> float:
        """Above zero where the law promised too much: the loss came out higher than predicted."""
        return self.loss - self.predicted

    @property
    def relative_error(self) -> float:
        return self.error / self.loss


def held_out_error(points: Points, share: float = 0.1) -> list[HeldOut]:
    """Fits a law to all but the training runs with the most FLOPs, and asks it for those, in the order of their FLOPs.

    Runs are held out whole, so that no horizon of theirs is seen, until there are `share` of the points. What a law is
    worth beyond its runs shows here, if anywhere. Raises `ValueError` where the rest are too few for a law.
    """
    if not 0 < share < 1:
        raise ValueError(f"a share of {share:g} of the points to hold out; give one between 0 and 1")
    smaller = sorted(points.groups(), key=lambda members: float(points.compute[members].max()))
    out: list[int] = []
    while len(out) < share * len(points):
        out.extend(smaller.pop())
    order = np.array(sorted(out, key=lambda index: (float(points.compute[index]), index)))
    held_out = points.take(order)
    try:
        law = fit(points.take(np.sort(np.concatenate([np.empty(0, np.int64), *smaller]))))
    except ValueError as error:
        raise ValueError(f"without the {len(out)} largest of {len(points)} points there is no law: {error}") from error
    predicted = law.predict(held_out.parameters, held_out.effective_tokens)
    rows = zip(order, held_out.compute, held_out.losses, predicted, strict=True)
    return [HeldOut(points.name(int(index)), float(c), float(loss), float(p)) for index, c, loss, p in rows]


def _log_balance(law: ScalingLaw) -> float:
    """ln G, G being the parameters that are best where N D is 1."""
    a, b = max(law.alpha * law.A, LEAST), max(law.beta * law.B, LEAST)
    return (math.log(a) - math.log(b)) / (law.alpha + law.beta)


def _repeated(law: ScalingLaw, flops: float, unique: float, per: float) -> Optimum:
    """The optimum where the best without repetition would take more than `unique` tokens: found by number."""
    product = flops / per
    balance = _log_balance(law)
    suited = math.exp(min(max(balance + law.beta / law.alpha * (balance + math.log(unique)), 0.0), LARGEST_LOG))

    def at(logs: NDArray[np.float64]) -> NDArray[np.float64]:
        sizes = np.exp(logs)
        data = effective(product / sizes, unique, TOKENS_DECAY)
        return law.predict(effective(sizes, suited, PARAMETERS_DECAY), data)

    # From the size that sees each token once down to that of 160,000 epochs, closing in on the least.
    high = math.log(product / unique)
    low = max(high - 12, 0.0)
    for _ in range(12):
        logs = np.linspace(low, high, 201)
        best = int(np.argmin(at(logs)))
        low, high = float(logs[max(0, best - 2)]), float(logs[min(200, best + 2)])
    parameters = math.exp((low + high) / 2)
    tokens = product / parameters
    return Optimum(
        flops, parameters, tokens, float(effective(tokens, unique)), float(at(np.array([math.log(parameters)]))[0])
    )
