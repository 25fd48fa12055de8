"""One trial: a small GPT trained on a mixture of the sources, and measured on text that it has not seen.

What goes in: a pool of token shards that has each source once, shares of the sources, a configuration and a seed. What
comes out: for each source and target a number that is lower when the model is better. What stays true: the same trial
gives the same numbers on one kind of machine, whatever runs beside it; one that diverged is a result that says so.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from mixtures.options import Options
from mixtures.token_shards import TokenShards
from trainer import cloze
from trainer.config import Training
from trainer.evaluate import model_nats, validate
from trainer.guard import DivergedError
from trainer.loop import Loop
from trainer.mixed_batches import MixedBatches
from trainer.reproducible import reproducible
from trainer.world import World

FINAL_STEPS = 0.05  # share of the steps whose mean is the final training loss
# A run of a few steps may be a little above what guessing has, as every run begins there.
BLOWN_UP = 1.1


@dataclass(frozen=True, slots=True)
class Trial:
    """What is trained: of each source the first `keep` of its tokens, in `shares`, on `threads` cores or on a GPU.

    `most` tokens of each source and target are measured on.
    """

    config: Training
    shares: Mapping[str, float]
    seed: int
    keep: float
    threads: int
    gpu: bool
    most: int

    @property
    def device(self) -> torch.device:
        if self.gpu and not torch.cuda.is_available():
            raise ValueError("gpus: torch finds no GPU here; give 0 to train on the CPU")
        return torch.device("cuda" if self.gpu else "cpu")


@dataclass(frozen=True, slots=True)
class Texts:
    """What a trial is measured on: validation shards, and the options of questions by name."""

    shards: tuple[TokenShards, ...]
    questions: Mapping[str, Options] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """`losses` by source and target: bits per byte, or the share of questions answered wrongly; and the answers."""

    losses: dict[str, float]
    answers: dict[str, cloze.ClozeResult]


def run_trial(
    pool: TokenShards, texts: Texts, trial: Trial, progress: Callable[[float], None] = lambda _: None
) -> dict[str, Any]:
    """Train and measure; `progress` gets the share of the steps done. Raises `ValueError` for what cannot be trained.

    `parameters` are the weights that multiply (no input embedding); `final_loss` is in nats a token.
    """
    with reproducible(trial.seed, trial.threads):
        loop, batches = begin(pool, trial, trial.config.steps)
        losses: list[float] = []
        try:
            for loss in loop.losses(trial.config.steps):
                losses.append(loss)
                progress(loop.step / trial.config.steps)
            final = final_loss(losses, pool.manifest.vocabulary_size)
            found = measure(loop, texts, trial.most)
        except DivergedError as error:
            return {**sizes(loop), "epochs": batches.epochs, "diverged": str(error), "losses": {}, "answers": {}}
    return {**sizes(loop), "epochs": batches.epochs, "diverged": None, "final_loss": final, **asdict(found)}


def final_loss(losses: Sequence[float], vocabulary: int) -> float:
    """The mean of the last steps, in nats a token. Raises `DivergedError` where guessing would have done better."""
    last = losses[-max(1, round(FINAL_STEPS * len(losses))) :]
    final, guessing = sum(last) / len(last), math.log(vocabulary)
    if final > BLOWN_UP * guessing:
        raise DivergedError(
            f"training ended at a loss of {final:.4g} nats a token, and guessing among {vocabulary:,} ids has "
            f"{guessing:.3g}. Lower the learning rate"
        )
    return final


def begin(pool: TokenShards, trial: Trial, steps: int) -> tuple[Loop, MixedBatches]:
    """A new model and what it will see; the generator is seeded before."""
    config = trial.config
    rows = steps * config.batch
    batches = MixedBatches(pool, config.model.context, config.batch, rows, trial.shares, trial.keep, trial.seed)
    return Loop(config, pool.manifest.vocabulary_size, batches, World(0, 1, trial.device)), batches


def measure(loop: Loop, texts: Texts, most: int) -> Measured:
    """Losses on the first `most` tokens of each source and target. Raises `DivergedError` for no finite one."""
    context, world = loop.config.model.context, loop.world
    eos_id = texts.shards[0].manifest.eos_id
    nats = model_nats(loop.predict, context, eos_id, loop.rows, world)
    losses: dict[str, float] = {}
    for shards in texts.shards:
        if found := validate(shards, nats, most):
            losses |= {name: heldout.bits_per_byte for name, heldout in found.sources.items()}
    answers = {}
    for name, options in texts.questions.items():
        answers[name] = cloze.measure(loop.predict, context, eos_id, loop.rows, options, most, world.device)
        losses[name] = answers[name].loss
    if bad := {name: loss for name, loss in losses.items() if not math.isfinite(loss)}:
        raise DivergedError(f"step {loop.step}: the losses on held-out text are {bad}")
    return Measured(losses, answers)


def sizes(loop: Loop) -> dict[str, Any]:
    """How large the model is, and what was done with it."""
    model, config = loop.model, loop.config
    looked_up = 0 if config.model.tied else model.embedding.weight.numel()
    return {
        "parameters": model.parameters_count() - looked_up,
        "flops_per_token": model.flops_per_token(),
        "tokens": loop.tokens,
        "steps": loop.step,
    }
