"""Several lengths of training for little more than the longest: a `wsd` run that is decayed at each of them.

What goes in: a loop that has taken no step, and the lengths. What comes out, length by length: the losses of its steps,
and what the caller measures at its end. What stays true: until its decay a `wsd` run does not know how long it will be,
so what is found at each length has the bits that a run of that length alone would give (as in Hägele et al. 2024,
arXiv:2405.18392, who fit scaling laws this way).
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from trainer.config import Schedule, Training
from trainer.guard import DivergedError
from trainer.loop import Loop
from trainer.optimizer import decay_start

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Horizon(Generic[T]):
    """A run of `steps` steps: each one's loss before its update, in nats a token, and what was measured at the end."""

    steps: int
    losses: list[float]
    measured: T


def at_horizon(config: Training, steps: int, warmup_steps: int) -> Training:
    """The configuration of a run of `steps` that warms up in `warmup_steps` (at least 1), however long it is.

    Raises `ValueError` for another schedule than `wsd` and for a warm-up and a decay that take more than `steps`.
    """
    if config.schedule.kind != "wsd":
        raise ValueError(
            f"schedule.kind is {config.schedule.kind}, which knows its length from the start; several horizons in one "
            "run need wsd"
        )
    falling = max(1, math.ceil(config.schedule.falling * steps))
    if warmup_steps < 1 or warmup_steps + falling > steps:
        raise ValueError(
            f"a horizon of {steps} steps does not hold a warm-up of {warmup_steps} (at least 1) and a decay of "
            f"{falling}; leave it out, or change the warm-up"
        )
    schedule = Schedule.model_validate({**config.schedule.model_dump(), "warmup": warmup_steps / steps})
    return config.model_copy(update={"steps": steps, "schedule": schedule})


def train_horizons(
    loop: Loop, horizons: Sequence[int], warmup_steps: int, measure: Callable[[Loop, int], T]
) -> Iterator[Horizon[T]]:
    """Train to each of `horizons`, ascending numbers of steps, by the loop's configuration but for its length.

    `measure` gets the loop at the end of a horizon, and its steps; it may change neither weights nor place. In the end
    the loop is where the last horizon ended. Iterate within the `reproducible` that the loop was made in, over batches
    that are the same whatever the horizon.

    Raises `ValueError` for horizons that are not ascending or too short, before any step is taken; and `DivergedError`
    naming step and horizon, when those before it have come out.
    """
    assert loop.step == 0, loop.step
    if not horizons or any(later <= before for before, later in itertools.pairwise(horizons)):
        raise ValueError(f"horizons are to be ascending numbers of steps, at least one: {list(horizons)}")
    told = loop.config
    configs = [at_horizon(told, horizon, warmup_steps) for horizon in horizons]
    return _trained(loop, configs, measure)


def _trained(loop: Loop, configs: Sequence[Training], measure: Callable[[Loop, int], T]) -> Iterator[Horizon[T]]:
    stem: list[float] = []
    for config in configs:
        loop.config = config
        try:
            stem += loop.losses(decay_start(config.steps, config.schedule))
            # Nobody goes on from the last one.
            kept = None if config is configs[-1] else _State.of(loop)
            decay = list(loop.losses(config.steps))
            measured = measure(loop, config.steps)
        except DivergedError as error:
            raise DivergedError(f"horizon {config.steps}: {error}") from error
        yield Horizon(config.steps, stem + decay, measured)
        if kept is not None:
            kept.put_back(loop)


@dataclass(frozen=True, slots=True)
class _State:
    """A loop's weights, moments and place, in memory of their own on its device."""

    weights: list[Tensor]
    moments: list[dict[str, Any]]
    step: int
    tokens: int
    position: int

    @classmethod
    def of(cls, loop: Loop) -> Self:
        weights = list(loop.model.parameters())
        return cls(
            [weight.detach().clone() for weight in weights],
            # A loop that has taken no step has no moments.
            [{key: value.clone() for key, value in loop.optimizer.state.get(w, {}).items()} for w in weights],
            loop.step,
            loop.tokens,
            loop.position,
        )

    def put_back(self, loop: Loop) -> None:
        """Once: the moments are handed over."""
        loop.optimizer.state.clear()
        with torch.no_grad():
            for weight, value, moments in zip(loop.model.parameters(), self.weights, self.moments, strict=True):
                weight.copy_(value)
                if moments:
                    loop.optimizer.state[weight] = moments
        loop.step, loop.tokens, loop.position = self.step, self.tokens, self.position
