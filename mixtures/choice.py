"""The mixture that the fitted laws expect most of, not too far from the natural one, and how sure that is.

What goes in: a law for each target, the targets' weights, natural shares, caps. What comes out: shares, with intervals
from laws refitted to resampled runs. What stays true: the problem is convex, so there is one answer however it is
looked for, and it comes with a bound on how far from the best it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtures.interval import Interval
from mixtures.law import Laws
from mixtures.proposals import check_bounds, project

# The objective may be so far above its least value, in the losses' unit.
TOLERANCE = 1e-9
MAX_STEPS = 20_000
# A share of exactly 0 would stay 0, since steps multiply; below this one nothing changes in any objective.
TINY = 1e-12
# One over the longest step: with it a slope of the objective that still counts changes a share e-fold.
LEAST_INVERSE = TOLERANCE
CONFIDENCE = 95.0

Vector = NDArray[np.float64]


def choose(laws: Laws, weights: Vector, natural: Vector, caps: Vector, floor: float, kl: float) -> Vector:
    """Shares w, float64[sources], that minimise sum_t weights_t (c_t + exp(a_t . w)) + kl KL(w || natural).

    Subject to floor <= w <= caps and sum 1; weights are normalised to sum 1, `kl` is in the losses' unit a nat.
    Entropic mirror descent (Beck and Teboulle 2003) with the KL term taken whole (composite; Duchi et al. 2010) and the
    step backtracked until the laws lie below their model, which makes every step a descent (Bauschke et al. 2017). It
    ends when the Frank-Wolfe gap, which bounds the distance to the least objective, is below 1e-9 (Jaggi 2013).
    Raises `ValueError` for bounds that leave no mixture, for natural shares of 0, and if it does not end.
    """
    check_bounds(laws.sources, floor, caps)
    if not (natural > 0).all():
        empty = [source for source, share in zip(laws.sources, natural, strict=True) if not share > 0]
        raise ValueError(f"no natural share of {', '.join(empty)}: nothing to choose from; leave it out")
    if kl < 0 or not (weights >= 0).all() or not weights.sum() > 0:
        raise ValueError(f"kl ({kl}) and the targets' weights ({weights}) cannot be negative, or the weights all 0")
    importance = weights / weights.sum()
    slopes = np.array([law.slopes for law in laws.laws])
    natural = natural / natural.sum()
    floor = max(floor, TINY)
    shares = project(natural, floor, caps)
    # One over the step; the first is too long for any law and is shortened.
    inverse = 1e-3
    for _ in range(MAX_STEPS):
        losses = importance * np.exp(slopes @ shares)
        gradient = losses @ slopes
        if _gap(gradient + kl * np.log(shares / natural), shares, floor, caps) < TOLERANCE:
            return shares
        inverse = max(inverse / 2, LEAST_INVERSE)
        while True:
            logits = (inverse * np.log(shares) + kl * np.log(natural) - gradient) / (inverse + kl)
            new = _project_logits(logits, floor, caps)
            step = new - shares
            if losses @ _above_tangent(slopes @ step) <= inverse * shares @ _relative_entropy(step / shares):
                break
            inverse *= 2
        shares = new
    raise ValueError(f"no mixture within {TOLERANCE:g} of the best after {MAX_STEPS:,} steps; raise kl above {kl:g}")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the laws say of the mixture that was chosen, by source where it is by source.

    `objective` is the weighted mean of the targets, without the KL term, of `chosen`, `natural` and `best observed`;
    `gain` is that of chosen minus that of `natural` and of `best observed`, below 0 where chosen is better. Values of
    both are what the laws say less the median of what resampled laws say too much, so that no gain is the one by which
    the mixture was chosen. `kl` is in nats, `epochs` how often each source's unique tokens are read.
    """

    shares: dict[str, Interval]
    epochs: dict[str, float]
    kl: float
    objective: dict[str, Interval]
    gain: dict[str, Interval]


def decide(
    laws: Laws,
    resampled: Sequence[Laws],
    observed: Vector,
    weights: Vector,
    *,
    unique: Vector,
    tokens: int,
    caps: Vector,
    floor: float,
    kl: float,
) -> Chosen:
    """Choose by `laws`; `observed` are the shares of the run with the least objective, `unique` the sources' tokens.

    Laws that were fitted to noise promise most where they err most, so each of the `resampled` chooses for itself: what
    it promises at its choice beyond what `laws` say there is how far a promise can be off (Hall's bootstrap interval).
    A share's interval reaches as far to both sides, within its bounds, as 95 % of the resampled choices are away
    (Hall's symmetric interval): a choice that lies at a bound has neighbours on one side only.
    """
    natural = unique / unique.sum()
    chosen = choose(laws, weights, natural, caps, floor, kl)
    again = np.array([choose(each, weights, natural, caps, floor, kl) for each in resampled])
    # The natural mixture that was run was brought within the bounds.
    fixed = {"natural": project(natural, floor, caps), "best observed": observed}
    expected = {name: _objective(laws, shares, weights) for name, shares in {"chosen": chosen, **fixed}.items()}
    errors = {
        name: np.array([_objective(each, shares, weights) for each in resampled]) - expected[name]
        for name, shares in fixed.items()
    }
    promised = np.array([_objective(each, own, weights) for each, own in zip(resampled, again, strict=True)])
    errors["chosen"] = promised - laws.objective(again, weights)
    half = np.percentile(np.abs(again - chosen), CONFIDENCE, axis=0)
    low, high = np.maximum(chosen - half, np.minimum(floor, chosen)), np.minimum(chosen + half, caps)
    return Chosen(
        {source: Interval(*map(float, each)) for source, *each in zip(laws.sources, chosen, low, high, strict=True)},
        dict(zip(laws.sources, map(float, chosen * tokens / unique), strict=True)),
        divergence(chosen, natural),
        {name: _interval(expected[name], errors[name]) for name in expected},
        {name: _interval(expected["chosen"] - expected[name], errors["chosen"] - errors[name]) for name in fixed},
    )


def _objective(laws: Laws, shares: Vector, weights: Vector) -> float:
    return float(laws.objective(shares[None], weights)[0])


def _interval(value: float, errors: Vector) -> Interval:
    """`errors` are estimates minus truths of resampled worlds."""
    low, middle, high = np.percentile(errors, [50 - CONFIDENCE / 2, 50, 50 + CONFIDENCE / 2])
    return Interval(value - float(middle), value - float(high), value - float(low))


def divergence(one: Vector, other: Vector) -> float:
    """KL(one || other) in nats; `other` is above 0 wherever `one` is."""
    there = one > 0
    return float(one[there] @ np.log(one[there] / other[there]))


def _project_logits(logits: Vector, floor: float, caps: Vector) -> Vector:
    """`project` of exp(logits), which need not be a float: long steps put thousands between the logarithms."""
    least, most = np.log(floor), np.log(caps)
    bends = np.sort(np.concatenate([least - logits, most - logits]))
    sums = np.exp(np.clip(bends[:, None] + logits, least, most)).sum(axis=1)
    last = int(np.searchsorted(sums, 1.0))
    if last == len(bends):  # all at their caps, which sum to 1 but for rounding
        return np.asarray(caps / caps.sum())
    moved = logits + (bends[max(last - 1, 0)] + bends[last]) / 2
    free = (moved > least) & (moved < most)
    shares = np.where(moved < most, floor, caps)
    if free.any():
        scaled = np.exp(logits[free] - logits[free].max())
        shares[free] = np.clip((1 - shares[~free].sum()) / scaled.sum() * scaled, floor, caps[free])
    return shares


def _gap(gradient: Vector, shares: Vector, floor: float, caps: Vector) -> float:
    """How much a linear function falls at most from `shares` to anywhere within the bounds."""
    order = np.argsort(gradient, kind="stable")
    room = (caps - floor)[order]
    before = np.concatenate([[0.0], np.cumsum(room)[:-1]])
    taken = np.clip(1 - floor * len(shares) - before, 0, room)
    return float(gradient @ shares - floor * gradient.sum() - gradient[order] @ taken)


def _above_tangent(z: Vector) -> Vector:
    """exp(z) - 1 - z, to the last digits of small ones too, where the steps of the end are told apart."""
    return np.where(np.abs(z) < 1e-3, z * z / 2 * (1 + z / 3 + z * z / 12), np.expm1(z) - z)


def _relative_entropy(u: Vector) -> Vector:
    """(1 + u) log(1 + u) - u, likewise: summed over shares it is KL(shares (1 + u) || shares)."""
    return np.where(np.abs(u) < 1e-3, u * u / 2 * (1 - u / 3 + u * u / 6), (1 + u) * np.log1p(u) - u)
