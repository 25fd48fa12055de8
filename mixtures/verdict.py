"""Whether the chosen mixture is better than others, from runs that differ in the mixture and in nothing else.

What goes in: losses by seed, of the chosen mixture and of each baseline, at each size of model. What comes out: paired
differences with 95 % intervals, and a sentence. What stays true: a mixture is accepted only where the whole interval
against natural is below zero at every size; what cannot be told is not accepted, and the reason is kept.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

CONFIDENCE = 0.95
# Two differences have an interval too (of 12.7 standard errors); nobody should lean on it.
MIN_SEEDS = 3
# Differences of float64 losses that are equal but for rounding.
ROUNDING = 1e-12

# Losses by seed; None for a run that diverged.
Losses = Mapping[int, float | None]


class NoIntervalError(ValueError):
    """There are too few pairs of runs for an interval, or their seeds changed nothing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`mean` of chosen minus other over `seeds`, in the losses' unit, with its interval; below 0 chosen is better.

    `dropped` are seeds that count on neither side, because a run of theirs diverged or is missing.
    """

    mean: float
    low: float
    high: float
    seeds: tuple[int, ...]
    dropped: tuple[int, ...]

    @property
    def word(self) -> str:
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "not told apart"

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


def compare(chosen: Losses, other: Losses) -> Comparison:
    """Student's t interval of the paired differences, chosen - other.

    Runs that are identical have the interval [0, 0]. Raises `NoIntervalError` with fewer than 3 pairs, and where all
    differences are one number that is not 0: then the seeds were no seeds.
    """
    from scipy import stats

    pairs = {
        seed: (ours, theirs)
        for seed in sorted({*chosen, *other})
        if _is_loss(ours := chosen.get(seed)) and _is_loss(theirs := other.get(seed))
    }
    dropped = tuple(sorted({*chosen, *other} - {*pairs}))
    if len(pairs) < MIN_SEEDS:
        lost = f" ({', '.join(map(str, dropped))} diverged or missing)" if dropped else ""
        raise NoIntervalError(f"{len(pairs)} seeds with both runs{lost}, and {MIN_SEEDS} are needed; run more seeds")
    differences = [ours - theirs for ours, theirs in pairs.values()]
    mean, deviation = statistics.fmean(differences), statistics.stdev(differences)
    if deviation <= ROUNDING * max(max(map(abs, pair)) for pair in pairs.values()):
        if any(differences):
            raise NoIntervalError(
                f"seeds {', '.join(map(str, pairs))} all differ by {mean:+.6g}: the seed changed nothing "
                "in these runs, so there is no noise to measure by; check that each has its own"
            )
        return Comparison(0.0, 0.0, 0.0, tuple(pairs), dropped)
    error = deviation / math.sqrt(len(pairs))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(pairs) - 1)) * error
    return Comparison(mean, mean - half, mean + half, tuple(pairs), dropped)


def _is_loss(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`comparisons` by size and baseline, a sentence instead where there is no interval.

    `baselines` has a word for each over all sizes: better (at each size), worse (at one), or not told apart.
    `words` says it to a reader.
    """

    accepted: bool
    words: str
    baselines: dict[str, str]
    comparisons: dict[str, dict[str, Comparison | str]]


def judge(sizes: Mapping[str, Mapping[str, Losses]], chosen: str = "chosen", natural: str = "natural") -> Verdict:
    """The verdict on `chosen` from the losses of every mixture at each size, by the size's name.

    Raises `ValueError` where a size lacks a mixture that another one has.
    """
    names = sorted({name for mixtures in sizes.values() for name in mixtures} | {chosen, natural})
    for size, mixtures in sizes.items():
        if lacking := [name for name in names if name not in mixtures]:
            raise ValueError(f"size {size} has no runs of {', '.join(lacking)}; run them, or leave the size out")
    if not sizes:
        raise ValueError("there are no runs to compare; run the verification first")
    others = [natural, *(name for name in names if name not in (chosen, natural))]
    comparisons = {
        size: {other: _compared(mixtures[chosen], mixtures[other]) for other in others}
        for size, mixtures in sizes.items()
    }
    baselines = {other: _over_sizes([found[other] for found in comparisons.values()]) for other in others}
    accepted = baselines[natural] == "better"
    where = {1: "at its one size", 2: "at both sizes"}.get(len(sizes), f"at all {len(sizes)} sizes")
    word = "worse than" if baselines[natural] == "worse" else "no better than"
    words = [f"better than {natural} {where}" if accepted else f"{word} {natural}: {_why(comparisons, natural)}"]
    words += [f"worse than {other}: {_why(comparisons, other)}" for other in others[1:] if baselines[other] == "worse"]
    return Verdict(accepted, "; ".join(words), baselines, comparisons)


def _compared(chosen: Losses, other: Losses) -> Comparison | str:
    try:
        return compare(chosen, other)
    except NoIntervalError as error:
        return str(error)


def _over_sizes(found: list[Comparison | str]) -> str:
    words = {each.word if isinstance(each, Comparison) else "not told apart" for each in found}
    if "worse" in words:
        return "worse"
    return "better" if words == {"better"} else "not told apart"


def _why(comparisons: Mapping[str, Mapping[str, Comparison | str]], other: str) -> str:
    """The sizes at which chosen is not better than `other`, with the interval or what stands in its way."""
    found = {size: each[other] for size, each in comparisons.items()}
    short = {size: each for size, each in found.items() if isinstance(each, str) or each.word != "better"}
    return ", ".join(f"{each} at {size}" for size, each in short.items())
