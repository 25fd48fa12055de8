"""A second opinion on the best size: at each budget of FLOPs a parabola through the losses of runs of several sizes.

What goes in: the points of a law, and the law. What comes out: for each budget the runs, the parabola, its minimum, and
what the law calls best there; and why other budgets have none. What stays true: a minimum counts only inside the range
of sizes that were run, with a curve that opens upwards; the parabola borrows nothing from the law but the step from a
run's own FLOPs to the budget's, a quarter at most.

Approach 2 of Hoffmann et al. 2022 (arXiv:2203.15556, section 3.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtures.allocation import optimum
from mixtures.scaling_law import Points, ScalingLaw

Floats = NDArray[np.float64]

WIDTH = 1.25  # the most FLOPs in a budget, over the least
LEAST_SIZES = 4  # a parabola goes through any three


@dataclass(frozen=True, slots=True)
class IsoFlop:
    """Runs of about `flops`: `parameters` ascending, `losses` of them at exactly `flops`; float64[runs].

    `parabola` is (c2, c1, c0) of the loss in ln(N). `best` and `best_loss` are its minimum; `by_law` is the size that
    the law calls best.
    """

    flops: float
    parameters: Floats
    losses: Floats
    parabola: tuple[float, float, float]
    best: float
    best_loss: float
    by_law: float

    @property
    def ratio(self) -> float:
        """The law's best size over the parabola's."""
        return self.by_law / self.best

    def curve(self, sizes: Floats) -> Floats:
        """The parabola's losses at `sizes`, for a plot."""
        return np.asarray(np.polyval(self.parabola, np.log(sizes)))


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A budget without a minimum: its `runs` of `sizes` different sizes, and why."""

    flops: float
    runs: int
    sizes: int
    reason: str


def isoflops(points: Points, law: ScalingLaw, width: float = WIDTH) -> tuple[list[IsoFlop], list[Unanswered]]:
    """The budgets that have a minimum, and those that have none, each in the order of their FLOPs.

    Budgets are not declared but found: the runs whose FLOPs differ by at most `width` times, most runs first.
    """
    answered: list[IsoFlop] = []
    without: list[Unanswered] = []
    for members in budgets(points.compute, width):
        found = _minimum(points.take(members), law)
        if isinstance(found, IsoFlop):
            answered.append(found)
        else:
            without.append(found)
    return answered, without


def budgets(flops: Floats, width: float = WIDTH) -> list[NDArray[np.int64]]:
    """Indices of the runs of each budget, in the order of the budgets; every run is in one."""
    left = np.argsort(flops, kind="stable")
    found: list[NDArray[np.int64]] = []
    while len(left):
        logs = np.log(flops[left])
        # Not quite: ends that differ by `width` to the last bit belong together.
        ends = np.searchsorted(logs, logs + np.log(width) + 1e-9, side="right")
        first = int(np.argmax(ends - np.arange(len(left))))
        found.append(left[first : ends[first]])
        left = np.delete(left, np.s_[first : ends[first]])
    return sorted(found, key=lambda members: float(flops[members[0]]))


def _minimum(points: Points, law: ScalingLaw) -> IsoFlop | Unanswered:
    flops = float(np.exp(np.log(points.compute).mean()))
    per = float(np.exp(np.log(points.compute / points.parameters / points.tokens).mean()))
    order = np.argsort(points.parameters, kind="stable")
    sizes = points.parameters[order]
    different = len(np.unique(sizes))

    def no(reason: str) -> Unanswered:
        return Unanswered(flops, len(points), different, reason)

    if different < LEAST_SIZES:
        return no(f"{different} {'size' if different == 1 else 'sizes'}, of which a parabola needs {LEAST_SIZES}")
    seen = points.effective_tokens
    step = law.predict(points.parameters, seen * flops / points.compute) - law.predict(points.parameters, seen)
    losses = (points.losses + step)[order]
    middle = np.log(sizes).mean()
    c2, c1, c0 = (float(c) for c in np.polyfit(np.log(sizes) - middle, losses, 2))
    if c2 <= 0:
        return no("the losses have no minimum over sizes: the parabola opens downwards")
    vertex = -c1 / (2 * c2)
    best = float(np.exp(middle + vertex))
    if not sizes[0] < best < sizes[-1]:
        beyond = (
            f"below the smallest run of {sizes[0]:,.0f}"
            if best < sizes[0]
            else f"above the largest of {sizes[-1]:,.0f}"
        )
        return no(f"the minimum, {best:,.0f} parameters, lies {beyond}")
    parabola = (c2, c1 - 2 * c2 * middle, c0 - c1 * middle + c2 * middle**2)
    return IsoFlop(flops, sizes, losses, parabola, best, c0 + c1 * vertex / 2, optimum(law, flops, per=per).parameters)


def agreement(found: Sequence[IsoFlop]) -> tuple[float, float]:
    """The exponent a of N ~ C^a through the parabolas' minima, and the same of what the law calls best there.

    Raises `ValueError` for fewer than two budgets.
    """
    if len(found) < 2:
        count = f"{len(found)} {'budget' if len(found) == 1 else 'budgets'} with a minimum"
        raise ValueError(f"{count}, and an exponent needs two; run more sizes at a budget")
    logs = np.log([each.flops for each in found])
    slopes = [np.polyfit(logs, np.log(values), 1)[0] for values in ([f.best for f in found], [f.by_law for f in found])]
    return float(slopes[0]), float(slopes[1])
