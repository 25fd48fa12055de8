"""Several lengths in one run, against a run of its own for each."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from mixtures.token_shards import TokenShards
from trainer.batches import Batches
from trainer.config import Model, Optimizer, Schedule, Training
from trainer.guard import DivergedError
from trainer.horizons import at_horizon, train_horizons
from trainer.loop import Loop
from trainer.reproducible import reproducible
from trainer.world import World

CPU = World(0, 1, torch.device("cpu"))
WSD = Schedule(kind="wsd", decay=0.25, final=0.0)
SMALL = Training(model=Model(layers=1, width=32, context=16, base_width=16), schedule=WSD, batch=4)
HORIZONS, WARMUP = [3, 8, 9, 16], 2


class Read:
    """Batches that remember which were asked for; the n-th one and those after it make the loss infinite."""

    def __init__(self, tokens: str, poisoned: int | None = None) -> None:
        self._batches = Batches(TokenShards.open(tokens), 16, 4, seed=3)
        self.numbers: list[int] = []
        self._poisoned = poisoned
        self.loop: Loop | None = None

    def at(self, number: int) -> tuple[Tensor, Tensor]:
        self.numbers.append(number)
        if self._poisoned is not None and number >= self._poisoned:
            assert self.loop is not None
            with torch.no_grad():
                self.loop.model.norm.weight.fill_(math.inf)
        return self._batches.at(number)


def made(tokens: str, config: Training = SMALL, poisoned: int | None = None) -> Loop:
    batches = Read(tokens, poisoned)
    batches.loop = Loop(config, 24, batches, CPU)
    return batches.loop


def state(loop: Loop, _: int = 0) -> list[Any]:
    """Weights and moments by their bytes, and the place."""
    weights = [weight.detach().numpy().tobytes() for weight in loop.model.parameters()]
    moments = [
        {key: value.numpy().tobytes() for key, value in loop.optimizer.state[weight].items()}
        for weight in loop.model.parameters()
    ]
    return [weights, moments, loop.step, loop.tokens, loop.position]


def test_each_horizon_has_the_bits_of_a_run_of_its_own(tokens: str) -> None:
    with reproducible(1):
        found = list(train_horizons(made(tokens), HORIZONS, WARMUP, state))
    assert [horizon.steps for horizon in found] == HORIZONS
    for horizon in found:
        schedule = {**WSD.model_dump(), "warmup": WARMUP / horizon.steps}
        own = SMALL.model_copy(update={"steps": horizon.steps, "schedule": Schedule.model_validate(schedule)})
        with reproducible(1):
            alone = made(tokens, own)
            losses = list(alone.losses(horizon.steps))
        assert losses == horizon.losses
        assert state(alone) == horizon.measured


def test_the_stem_is_trained_once(tokens: str) -> None:
    loop = made(tokens)
    asked = loop.batches
    assert isinstance(asked, Read)
    steps = 0

    def count(_: Loop, horizon: int) -> None:
        nonlocal steps
        steps = horizon

    list(train_horizons(loop, [8, 20], WARMUP, count))
    # Up to 8, and again from where the decay of 2 began; a step reads the batch that follows its own, too.
    assert (steps, loop.step, loop.position) == (20, 20, 20)
    assert asked.numbers == [*range(9), *range(6, 21)]


def test_what_came_before_a_divergence_is_kept_and_the_horizon_is_named(tokens: str) -> None:
    trained = train_horizons(made(tokens, poisoned=11), HORIZONS, WARMUP, lambda loop, _: loop.step)
    assert [next(trained).measured for _ in range(3)] == [3, 8, 9]
    with pytest.raises(DivergedError, match=r"horizon 16: training diverged at step 1\d: loss nan"):
        next(trained)


def test_a_measure_that_finds_no_number_names_the_horizon(tokens: str) -> None:
    def measured(_: Loop, horizon: int) -> int:
        if horizon > 3:
            raise DivergedError("the loss on held-out text is nan")
        return horizon

    trained = train_horizons(made(tokens), HORIZONS, WARMUP, measured)
    assert next(trained).measured == 3
    with pytest.raises(DivergedError, match="horizon 8: the loss on held-out text is nan"):
        next(trained)


def test_a_horizon_has_the_configuration_it_says(tokens: str) -> None:
    told = at_horizon(SMALL, 40, 4)
    assert (told.steps, told.schedule) == (40, WSD.model_copy(update={"warmup": 0.1}))
    assert told.model_copy(update={"steps": SMALL.steps, "schedule": WSD}) == SMALL
    seen: list[Training] = []
    list(train_horizons(made(tokens), [8, 20], WARMUP, lambda loop, _: seen.append(loop.config)))
    assert seen == [at_horizon(SMALL, 8, WARMUP), at_horizon(SMALL, 20, WARMUP)]


@pytest.mark.parametrize("horizons", [[], [8, 8], [20, 8]])
def test_horizons_that_do_not_ascend_are_refused(tokens: str, horizons: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending numbers of steps"):
        train_horizons(made(tokens), horizons, WARMUP, state)


def test_a_horizon_without_room_is_refused_before_the_first_step(tokens: str) -> None:
    loop = made(tokens)
    with pytest.raises(ValueError, match=r"a horizon of 3 steps does not hold a warm-up of 3 .* and a decay of 1"):
        train_horizons(loop, [3, 20], 3, state)
    with pytest.raises(ValueError, match=r"warm-up of 0 .at least 1."):
        train_horizons(loop, [3, 20], 0, state)
    assert loop.position == 0


def test_a_cosine_has_one_horizon() -> None:
    with pytest.raises(ValueError, match=r"schedule\.kind is cosine.*need wsd"):
        at_horizon(Training(optimizer=Optimizer()), 100, 10)
