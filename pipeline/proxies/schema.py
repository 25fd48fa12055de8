"""What a study of mixtures by proxy runs comes to: result.json, and what its page shows.

Losses and objectives are lower for better; shares are of tokens. What was not done is None or empty.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

# What comparisons and gains call the trial that is `Chosen.best_observed`.
BEST = "best observed"


class Compared(TypedDict):
    """Chosen minus `baseline` at one size of model, in the objective's unit: below 0 chosen is better.

    Where there is no interval, the three numbers are None and `reason` says why.
    """

    size: str
    baseline: str
    mean: float | None
    low: float | None
    high: float | None
    seeds: int
    word: str
    reason: NotRequired[str]


class Verification(TypedDict):
    """`words` go on after "The chosen mixture is"."""

    accepted: bool
    words: str
    comparisons: list[Compared]


class Chosen(TypedDict):
    """Shares with 95 % intervals, epochs of the target run; the predicted objective, KL to natural in nats.

    `gain` is expected of chosen minus "natural" and minus "best observed", the trial `best_observed`: value, low, high.
    """

    best_observed: str
    gain: dict[str, Sequence[float]]
    shares: dict[str, float]
    intervals: dict[str, Sequence[float]]
    epochs: dict[str, float]
    predicted: float
    predicted_interval: Sequence[float]
    kl: float


class Answered(TypedDict):
    """Of `items` multiple-choice questions `right`; `chance` is the share that guessing gets.

    `cut` answers were asked for after a query that did not fit into the context whole.
    """

    right: float
    items: int
    chance: NotRequired[float]
    cut: NotRequired[int]


class Trial(TypedDict):
    """One run. `targets` are lower for better; `diverged` is the message of one that has none."""

    trial: str
    name: str
    shares: dict[str, float]
    seed: int
    parameters: int
    tokens: int
    targets: dict[str, float]
    accuracy: dict[str, Answered]
    final_loss: float | None
    diverged: str | None
    objective: float | None
    seconds: float | None


class Slopes(TypedDict):
    """A target's law, floor + exp(slopes . shares)."""

    floor: float
    slopes: dict[str, float]


class Validated(TypedDict):
    """Of a target: the error of predicting each trial by the others, beside how far the trials are spread."""

    rmse: float
    spread: float
    rank_correlation: float
    observed: list[float]
    predicted: list[float]


class Opinion(TypedDict):
    """What a Gaussian process has to say of the laws' choice."""

    disagrees: bool
    words: str


class Ablation(TypedDict):
    """With `name` minus without, at `tokens` each."""

    name: str
    mean: float
    low: float
    high: float
    word: str
    tokens: int


class Result(TypedDict):
    """All that the page shows. Shares and `caps` by source; weights and `units` ("bits per byte") by target.

    `trials` are those that laws are fitted to, `verification` the runs behind the verdict's comparisons.
    """

    verdict: Verification | None
    sources: list[str]
    natural: dict[str, float]
    chosen: Chosen | None
    references: dict[str, dict[str, float]]
    caps: dict[str, float]
    targets: list[str]
    weights: dict[str, float]
    units: dict[str, str]
    trials: list[Trial]
    verification: list[Trial]
    laws: dict[str, Slopes] | None
    cross_validation: dict[str, Validated] | None
    second_opinion: Opinion | None
    ablations: list[Ablation]
    warnings: list[str]
    config: Mapping[str, Any]
