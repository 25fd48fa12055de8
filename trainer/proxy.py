"""A small GPT trained on token shards in one go, to tell whether a mixture is worth a large one.

What goes in: a folder of token shards, a configuration and a seed. What comes out: the loss curve and the losses on
held-out text, beside what token frequencies alone would give. What stays true: on one machine the same inputs give the
same bits, and a run whose loss is no number any more ends in an error, not in a result.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mixtures.token_shards import TokenShards
from trainer.batches import Batches
from trainer.config import Training
from trainer.evaluate import Validation, count_tokens, entropy, model_nats, unigram_nats, validate
from trainer.guard import DivergedError
from trainer.loop import Loop
from trainer.reproducible import reproducible
from trainer.world import alone

CURVE_POINTS = 50
FINAL_STEPS = 0.05  # share of the steps whose mean is the final training loss


@dataclass(frozen=True, slots=True)
class ProxyResult:
    """What a run found; losses are nats per token. Two runs of the same inputs are equal (`seconds` does not count).

    `curve` has (step, loss of that step's batch before its update); `final_loss` is the mean of the last steps;
    `unigram_entropy` is that of the training tokens, which a model that looks at the context must come below;
    `validation` and `unigram`, what token frequencies give on the same text, are None where there is none.
    """

    parameters: int
    steps: int
    train_tokens: int
    curve: list[tuple[int, float]]
    initial_loss: float
    final_loss: float
    unigram_entropy: float
    validation: Validation | None
    unigram: Validation | None
    seconds: float = field(compare=False)


def train_proxy(
    tokens_folder: str, config: Training, seed: int, progress: Callable[[int, float], None] | None = None
) -> ProxyResult:
    """Train on the folder's training shards and measure on its validation shards; `progress` gets (step, loss).

    Raises `ValueError` for fewer tokens than one batch takes and for sizes that do not fit each other, and
    `DivergedError` naming the step when training fails.
    """
    started = time.perf_counter()
    shards, world = TokenShards.open(tokens_folder), alone()
    batches = Batches(shards, config.model.context, config.batch, seed)
    counts = count_tokens(shards)
    with reproducible(seed):
        loop = Loop(config, shards.manifest.vocabulary_size, batches, world)
        losses: list[float] = []
        for loss in loop.losses(config.steps):
            if progress is not None:
                progress(len(losses), loss)
            losses.append(loss)
        nats = model_nats(loop.predict, config.model.context, shards.manifest.eos_id, loop.rows, world)
        validation = validate(shards, nats)
    if validation is not None and not math.isfinite(loss := validation.overall.nats_per_token):
        raise DivergedError(f"training diverged at its last step, {config.steps - 1}: the validation loss is {loss}")
    every = max(1, config.steps // CURVE_POINTS)
    last = losses[-max(1, round(FINAL_STEPS * config.steps)) :]
    return ProxyResult(
        parameters=loop.model.parameters_count(),
        steps=config.steps,
        train_tokens=config.steps * config.batch * config.model.context,
        curve=[(step, losses[step]) for step in sorted({*range(0, config.steps, every), config.steps - 1})],
        initial_loss=losses[0],
        final_loss=sum(last) / len(last),
        unigram_entropy=entropy(counts),
        validation=validation,
        unigram=validate(shards, unigram_nats(counts)),
        seconds=time.perf_counter() - started,
    )
