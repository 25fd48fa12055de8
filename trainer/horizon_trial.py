"""One size of model trained to several lengths at once, and measured at each: a row of points for a scaling law.

What goes in: a pool of token shards, a trial, the lengths. What comes out: for each length, in its order, the losses on
held-out text. What stays true: each length's numbers are those of a trial of that length alone; where training
diverged, the lengths that were not reached say so.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from torch import Tensor

from mixtures.token_shards import TokenShards
from trainer.batches import BatchSource
from trainer.guard import DivergedError
from trainer.horizons import train_horizons
from trainer.optimizer import decay_start
from trainer.reproducible import reproducible
from trainer.trial import Texts, Trial, begin, final_loss, measure, sizes


def run_horizons(
    pool: TokenShards,
    texts: Texts,
    trial: Trial,
    horizons: Sequence[int],
    warmup_steps: int,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Train and measure at each of `horizons`, ascending numbers of steps, after one warm-up of `warmup_steps`.

    `progress` gets the share of the steps done. Gives `parameters` (no input embedding), `flops_per_token` and
    `horizons`: each with `steps`, `tokens`, `losses` and `final_loss` (nats a token), or with `diverged`. Raises
    `ValueError` for what cannot be trained.
    """
    config = trial.config
    with reproducible(trial.seed, trial.threads):
        loop, batches = begin(pool, trial, horizons[-1])
        falling = [steps - decay_start(steps, config.schedule) for steps in horizons]
        loop.batches = _Counted(batches, horizons[-1] - falling[-1] + sum(falling), progress)
        found: list[dict[str, Any]] = []
        message = None
        try:
            for reached in train_horizons(loop, horizons, warmup_steps, lambda at, _: measure(at, texts, trial.most)):
                final = final_loss(reached.losses, pool.manifest.vocabulary_size)
                found.append({**asdict(reached.measured), "final_loss": final, "diverged": None})
        except DivergedError as error:
            message = str(error)
    missing: dict[str, Any] = {"losses": {}, "diverged": message}
    a_step = config.batch * config.model.context
    every = [*found, *[missing] * (len(horizons) - len(found))]
    return {
        **{key: value for key, value in sizes(loop).items() if key in ("parameters", "flops_per_token")},
        "horizons": [{"steps": s, "tokens": s * a_step, **one} for s, one in zip(horizons, every, strict=True)],
    }


class _Counted:
    """Batches that say how many of them have been asked for, as a share of `most`."""

    def __init__(self, batches: BatchSource, most: int, progress: Callable[[float], None]) -> None:
        self.batches, self.most, self.progress = batches, most, progress
        self.asked = 0

    def at(self, number: int) -> tuple[Tensor, Tensor]:
        # The loop reads one ahead, so there are a few more of them than steps.
        self.asked += 1
        self.progress(min(1.0, self.asked / self.most))
        return self.batches.at(number)
