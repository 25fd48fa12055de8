"""What a fit of a scaling law comes to: law.json, and what its page shows. Sizes N, tokens D, FLOPs of training."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class Range(TypedDict):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class OpenRange(TypedDict):
    """A value with its 95 % interval, an end of which is None where the runs set none."""

    value: float
    low: float | None
    high: float | None


class Point(TypedDict):
    """One horizon of one run: `parameters` N, `tokens` D, training `flops`; `loss` is None where it diverged.

    `unique` tokens, where there are fewer than D.
    """

    run: str
    parameters: int
    tokens: int
    unique: int | None
    flops: float
    loss: float | None
    diverged: str | None


class Law(TypedDict):
    """L = E + A / N^alpha + B / D^beta, with intervals from `draws` resamples of the runs."""

    E: Range
    A: Range
    alpha: Range
    B: Range
    beta: Range
    draws: int


class Allocated(TypedDict):
    """The best spending of `flops`; `extrapolation` is how many times the largest run's FLOPs these are.

    `determined` is false where the runs leave open how small or how large the best model is.
    """

    flops: float
    parameters: OpenRange
    tokens: OpenRange
    tokens_per_parameter: OpenRange
    loss: Range
    extrapolation: float
    determined: bool


class Unseen(TypedDict):
    """One of the largest runs, and what a law fitted without them said of it."""

    run: str
    flops: float
    loss: float
    predicted: float
    error: float
    relative_error: float


class IsoFlop(TypedDict):
    """Runs of about `flops`, with the parabola (c2, c1, c0) of the loss in ln N through them and its minimum."""

    flops: float
    parameters: list[float]
    losses: list[float]
    parabola: Sequence[float]
    best: float
    best_loss: float
    by_law: float


class Unanswered(TypedDict):
    """A budget without a minimum."""

    flops: float
    runs: int
    sizes: int
    reason: str


class Exponents(TypedDict):
    """The exponent a of N ~ C^a, through the parabolas' minima and by the law."""

    isoflop: float
    law: float


class Result(TypedDict):
    """All that the page shows; `unit` is that of every loss, for example "nats per token"."""

    unit: str
    points: list[Point]
    law: Law | None
    allocations: list[Allocated]
    held_out: list[Unseen]
    isoflops: list[IsoFlop]
    unanswered: list[Unanswered]
    exponents: Exponents | None
    warnings: list[str]
    config: Mapping[str, Any]
