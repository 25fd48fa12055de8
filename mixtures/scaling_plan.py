"""Which models to train, and for how many tokens, so that a budget of FLOPs gives a scaling law.

What goes in: FLOPs, and the family of models. What comes out: sizes a factor of sqrt(2) apart, each with horizons of 5
to 80 tokens a parameter that double. What stays true: sizes and tokens span at least four times each, or there is no
plan; the whole plan costs no more than the budget; budgets of equal FLOPs have runs of several sizes (N^2 times the
ratio is the same along a diagonal), which is what the IsoFLOP check looks at.

A size is trained once at a stable learning rate, up to where its longest horizon starts to decay; each horizon is a
branch of that run with a decay of its own (WSD; MiniCPM, arXiv:2404.06395, section 4.2; Hägele et al. 2024,
arXiv:2405.18392).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtures.scaling_law import FLOPS, SPAN

STEP = math.sqrt(2)
LEAST_STEP = 1.2  # tiny models come in few sizes, and nearly equal ones say nothing new
SIZES = (7, 6, 5)  # a span of 8; with little to spend, of 5.7 and 4
RATIOS = (5.0, 10.0, 20.0, 40.0, 80.0)
DECAY = 0.2  # share of a horizon; Hägele et al. 2024 find no gain from longer ones
ASPECT = 32.0
# How far from the aspect a model may be to come nearer to a size: width over layers, as a factor.
ASPECT_SLACK = 2.0
LEAST_STEPS = 50  # fewer are all warm-up and decay
WIDEST = 16_384
DEEPEST = 128
NEAR = 0.05  # of the logarithm of a size


@dataclass(frozen=True, slots=True)
class Family:
    """Llamas as the trainer makes them unless told otherwise: untied, as many key heads as heads, SwiGLU of 8/3."""

    vocabulary: int
    context: int

    def parameters(self, layers: int, width: int) -> int:
        """All weights but the input embedding, which is looked up and multiplies nothing."""
        return self._matrices(layers, width) + (2 * layers + 1) * width

    def flops_per_token(self, layers: int, width: int) -> int:
        """Of a training step: 6 a weight of a matrix, and attention over a whole context (PaLM, arXiv:2204.02311)."""
        return 6 * self._matrices(layers, width) + 12 * layers * width * self.context

    def _matrices(self, layers: int, width: int) -> int:
        hidden = -(-8 * width // 96) * 32
        return layers * (4 * width**2 + 3 * width * hidden) + width * self.vocabulary


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A model, and the `horizons` (tokens, ascending) at which its loss is measured. `flops` are those of all of it."""

    layers: int
    width: int
    parameters: int
    horizons: tuple[int, ...]
    flops: float

    @property
    def trained(self) -> tuple[int, ...]:
        """Tokens of the stable run, and of each horizon's decay."""
        return stable_tokens(self.horizons, DECAY), *(round(DECAY * horizon) for horizon in self.horizons)


def stable_tokens(horizons: Sequence[int], decay: float) -> int:
    """Tokens of the run that all horizons branch from."""
    return max(horizons) - round(decay * max(horizons))


def plan(
    budget: float, family: Family, step_tokens: int, ratios: Sequence[float] = RATIOS, aspect: float = ASPECT
) -> list[PlannedRun]:
    """The runs, smallest first: as large as the budget allows, seven sizes if it allows them, five at least.

    `ratios` are tokens a parameter, `step_tokens` the tokens of an update, of which a horizon is a multiple; `aspect`
    is width over layers. Raises `ValueError` for a budget below the least plan's, naming it.
    """
    if not ratios or min(ratios) <= 0:
        raise ValueError(f"tokens a parameter of {list(ratios)}; give at least one, all above 0")
    models, ratios = _models(family, aspect), sorted(ratios)
    for count in SIZES:
        for first in np.flatnonzero(_about(models.sizes, count, ratios) < 2 * budget)[::-1]:
            runs = _runs(models, int(first), count, family, step_tokens, ratios)
            if runs and sum(run.flops for run in runs) <= budget:
                return runs
    every = (_runs(models, first, n, family, step_tokens, ratios) for n in SIZES for first in range(len(models.sizes)))
    least = min((sum(run.flops for run in runs) for runs in every if runs), default=None)
    if least is None:
        raise ValueError(
            f"no {SIZES[-1]} sizes and horizons of {ratios[0]:g} to {ratios[-1]:g} tokens a parameter span {SPAN:g} "
            f"times with {LEAST_STEPS} updates each; lower the {step_tokens:,} tokens of an update or add ratios"
        )
    raise ValueError(
        f"{budget:.3g} FLOPs are too few for a law, whose sizes and tokens have to span {SPAN:g} times; the least is "
        f"{_rounded_up(least)}: raise the budget, or ask for fewer tokens a parameter than {ratios[-1]:g}"
    )


def _about(sizes: NDArray[np.float64], count: int, ratios: Sequence[float]) -> NDArray[np.float64]:
    """FLOPs of a plan that starts at each of `sizes`, attention and rounding left out."""
    horizons = (1 - DECAY) * max(ratios) + DECAY * sum(ratios)
    return FLOPS * sizes**2 * horizons * sum(STEP ** (2 * number) for number in range(count))


@dataclass(frozen=True, slots=True)
class _Models:
    """Layers, widths and parameters of models, by parameters."""

    layers: NDArray[np.int64]
    widths: NDArray[np.int64]
    sizes: NDArray[np.float64]


def _models(family: Family, aspect: float) -> _Models:
    """Models with heads of 32, or of 64 from a width of 256 on; of those within 5 % of each other the nearest to the
    aspect."""
    nearest: dict[int, tuple[float, int, int, int]] = {}
    for width in [*range(32, 256, 32), *range(256, WIDEST + 1, 64)]:
        shallow, deep = math.ceil(width / aspect / ASPECT_SLACK), math.floor(width / aspect * ASPECT_SLACK)
        for layers in range(max(1, shallow), min(max(1, deep), DEEPEST) + 1):
            size = family.parameters(layers, width)
            model = abs(math.log(width / layers / aspect)), size, layers, width
            bucket = math.floor(math.log(size) / NEAR)
            nearest[bucket] = min(model, nearest.get(bucket, model))
    ascending = sorted((size, depth, width) for _, size, depth, width in nearest.values())
    sizes, depths, widths = np.array(ascending, np.int64).T
    return _Models(depths, widths, sizes.astype(np.float64))


def _runs(
    models: _Models, first: int, count: int, family: Family, step_tokens: int, ratios: Sequence[float]
) -> list[PlannedRun]:
    """`count` sizes from the `first` model on; none where they are too near each other or have too few updates."""
    runs: list[PlannedRun] = []
    for number in range(count):
        index = int(np.argmin(np.abs(np.log(models.sizes / (models.sizes[first] * STEP**number)))))
        layers, width, size = int(models.layers[index]), int(models.widths[index]), int(models.sizes[index])
        horizons = tuple(round(ratio * size / step_tokens) * step_tokens for ratio in ratios)
        trained = stable_tokens(horizons, DECAY) + sum(round(DECAY * horizon) for horizon in horizons)
        runs.append(PlannedRun(layers, width, size, horizons, float(family.flops_per_token(layers, width) * trained)))
    spans = runs[-1].parameters / runs[0].parameters, runs[-1].horizons[-1] / max(1, runs[0].horizons[0])
    enough = runs[0].horizons[0] >= LEAST_STEPS * step_tokens
    apart = all(after.parameters >= LEAST_STEP * before.parameters for before, after in itertools.pairwise(runs))
    return runs if enough and apart and min(spans) >= SPAN else []


def _rounded_up(value: float) -> str:
    """Three digits that are not below it, so that the number named is enough."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.ceil(value / unit) * unit:.3g}"
