"""What runs of several sizes and lengths say together: the law, the best spending of budgets, and how far to trust it.

What goes in: points. What comes out: a `Result` for law.json and the page. What stays true: every number that rests on
the runs has an interval; what speaks against the law is said beside it, in `warnings`; points that diverged are left
out and named.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mixtures import allocation, isoflop, scaling_law
from mixtures.scaling_law import Points, ScalingLaw
from pipeline.plots import power, short
from pipeline.scaling.report import interval
from pipeline.scaling.schema import Allocated, Exponents, IsoFlop, Point, Result, Unseen

# Beyond so many times the largest run a law is a guess (a rule of thumb, and the runs' own held-out error says more).
FAR = 10.0
# A law and a parabola that differ by more than two steps of the plan's sizes are not noise.
UNLIKE = 2.0
# An interval this wide does not tell one way of training from another.
WIDE = 4.0
# With a smaller exponent ten times as much would bring 2 % of what is to be had.
FLAT = 0.01
# Such a share of the least loss is no floor that runs could show.
NOTHING = 1e-3


def analyse(
    points: Sequence[Point],
    unit: str,
    *,
    target_flops: Sequence[float],
    draws: int,
    seed: int,
    config: Mapping[str, Any],
) -> Result:
    """Fit the law and ask it. Raises `ValueError` where the points that have a loss are too few or too alike."""
    used = [point for point in points if point["loss"] is not None]
    if not used:
        raise ValueError(f"none of {len(points)} points has a loss: all diverged; lower the learning rate")
    seen = _as_points(used)
    # The matrices are tiny: threads would only wait for each other, and their number would move last digits.
    with threadpool_limits(1):
        law = scaling_law.fit(seen)
        resampled = scaling_law.bootstrap(seen, law, draws, seed)
    ranges: dict[str, Any] = {n: asdict(each) for n, each in allocation.parameter_intervals(law, resampled).items()}
    allocated = _allocated(law, resampled, seen, target_flops)
    answered, unanswered = isoflop.isoflops(seen, law)
    unseen, no_unseen = _held_out(seen)
    return {
        "unit": unit,
        "points": list(points),
        "law": {**ranges, "draws": draws},  # type: ignore[typeddict-item]
        "allocations": allocated,
        "held_out": unseen,
        "isoflops": [_parabola(each) for each in answered],
        "unanswered": [asdict(each) for each in unanswered],  # type: ignore[misc]
        "exponents": _exponents(answered),
        "warnings": [
            *_diverged(points),
            *_repeated(used, seen),
            *no_unseen,
            *_unlike(answered),
            *_undetermined(law, seen),
            *(text for each in allocated for text in _far(each)),
        ],
        "config": dict(config),
    }


def _allocated(
    law: ScalingLaw, resampled: Sequence[ScalingLaw], seen: Points, target_flops: Sequence[float]
) -> list[Allocated]:
    """Of each budget from the smallest up; a parameter and token cost what they cost in the largest run."""
    largest = int(np.argmax(seen.compute))
    compute = float(seen.compute[largest])
    per = compute / float(seen.parameters[largest] * seen.tokens[largest])
    found = [allocation.allocate(law, resampled, flops, compute, per=per) for flops in sorted(target_flops)]
    return [asdict(each) for each in found]  # type: ignore[misc]


def _parabola(each: isoflop.IsoFlop) -> IsoFlop:
    found: Any = {**asdict(each), "parameters": each.parameters.tolist(), "losses": each.losses.tolist()}
    return found  # type: ignore[no-any-return]


def _as_points(used: Sequence[Point]) -> Points:
    def column(values: list[Any]) -> Any:
        return np.array(values, np.float64)

    return Points(
        parameters=column([point["parameters"] for point in used]),
        tokens=column([point["tokens"] for point in used]),
        losses=column([point["loss"] for point in used]),
        unique=column([point["unique"] or point["tokens"] for point in used]),
        flops=column([point["flops"] for point in used]),
        runs=tuple(point["run"] for point in used),
    )


def _held_out(seen: Points) -> tuple[list[Unseen], list[str]]:
    """What a law of the other runs says of the largest; or, in a warning, why there is none."""
    try:
        found = allocation.held_out_error(seen)
    except ValueError as error:
        return [], [f"the law could not be tried on runs that it had not seen: {error}"]
    unseen: list[Unseen] = [
        {**asdict(each), "error": each.error, "relative_error": each.relative_error}  # type: ignore[typeddict-item]
        for each in found
    ]
    return unseen, []


def _exponents(answered: Sequence[isoflop.IsoFlop]) -> Exponents | None:
    if len(answered) < 2:
        return None
    by_parabola, by_law = isoflop.agreement(answered)
    return {"isoflop": by_parabola, "law": by_law}


def _diverged(points: Sequence[Point]) -> list[str]:
    return [
        f"{point['run']} at {short(point['tokens'])} tokens is left out: {point['diverged']}"
        for point in points
        if point["loss"] is None
    ]


def _repeated(used: Sequence[Point], seen: Points) -> list[str]:
    repeating = [place for place, point in enumerate(used) if point["unique"] and point["unique"] < point["tokens"]]
    if not repeating:
        return []
    worst = max(float(1 - seen.effective_tokens[place] / seen.tokens[place]) for place in repeating)
    return [
        f"{len(repeating)} of {len(used)} points repeat tokens, which the law counts at what they are worth "
        f"(Muennighoff et al. 2023): {worst:.1%} fewer at most"
    ]


def _unlike(answered: Sequence[isoflop.IsoFlop]) -> list[str]:
    return [
        f"at {power(each.flops)} FLOPs the runs themselves are best at {short(each.best)} parameters, and the law says "
        f"{short(each.by_law)}"
        for each in answered
        if abs(math.log(each.ratio)) > math.log(UNLIKE)
    ]


def _undetermined(law: ScalingLaw, seen: Points) -> list[str]:
    floor = [
        f"E came out at {law.E:.3g}, next to nothing: these runs do not tell where the loss ends, and beyond them the "
        "law promises too much"
    ]
    at_ends = [
        f"{name} came out at {value:.3g}, an end of what it may be: these runs do not tell what more {what} would bring"
        for name, what, value in (("alpha", "parameters", law.alpha), ("beta", "tokens", law.beta))
        if not FLAT < value < 0.99 * scaling_law.LARGEST_EXPONENT
    ]
    return [*(floor if law.E / seen.losses.min() < NOTHING else []), *at_ends]


def _far(each: Allocated) -> list[str]:
    said = []
    if each["extrapolation"] > FAR:
        said.append(
            f"{power(each['flops'])} FLOPs are {each['extrapolation']:,.0f} times the largest run's: the interval says "
            "nothing of what may be different there"
        )
    ratio = each["tokens_per_parameter"]
    if not each["determined"]:
        said.append(
            f"these runs do not determine the best size for {power(each['flops'])} FLOPs: 95 % of the laws of "
            f"resampled runs have it from {interval(each['parameters'], short)} parameters; train more sizes, or "
            "larger ones, or longer"
        )
    elif ratio["low"] is not None and ratio["high"] is not None and ratio["high"] > WIDE * ratio["low"]:
        said.append(
            f"for {power(each['flops'])} FLOPs these runs leave open whether {power(ratio['low'])} or "
            f"{power(ratio['high'])} tokens a parameter are best; more sizes or larger runs would tell"
        )
    return said
