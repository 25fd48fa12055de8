"""The loop: a small GPT trained on token shards, to tell whether a mixture is worth a large one.

What goes in: a folder of token shards, the sizes of a run and a seed. What comes out: the loss curve and the losses on
held-out text. What stays true: on one machine the same inputs give the same bits, whatever OMP_NUM_THREADS says (Ray
sets it to 1), and a run whose loss is no number any more ends in an error, not in a result.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional as F

from mixtures.token_shards import TokenShards
from trainer.batches import Batches
from trainer.evaluate import Validation, count_tokens, entropy, validate
from trainer.gpt import GPT, GPTConfig

BETAS = (0.9, 0.95)  # with the weight decay and the clipping: Llama 1
WEIGHT_DECAY = 0.1
CLIP = 1.0
WARMUP = 0.1  # share of the steps
FINAL_LEARNING_RATE = 0.1  # share of the highest
CURVE_POINTS = 50
FINAL_STEPS = 0.05  # share of the steps whose mean is the final training loss


class DivergedError(ValueError):
    """The loss or its gradient became infinite or not a number."""


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """Sizes of a run. `batch` is rows of `context` tokens; `heads` unsaid gives heads of 64, or of 32 below width 256.

    The defaults take about 75 s on two cores with 8,192 ids. Untied, such short runs end 0.07 to 0.4 nats lower
    than tied and mind the learning rate less (measured; twice the default costs 0.13 nats).
    """

    layers: int = 4
    width: int = 128
    steps: int = 200
    context: int = 256
    batch: int = 8
    learning_rate: float = 3e-3
    heads: int | None = None
    kv_heads: int | None = None
    tied: bool = False

    def __post_init__(self) -> None:
        for name in ("layers", "width", "steps", "context", "batch"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")

    def model(self, vocabulary: int) -> GPTConfig:
        heads = max(1, self.width // (64 if self.width >= 256 else 32)) if self.heads is None else self.heads
        # 8/3 of the width gives SwiGLU's three matrices the weights of a plain MLP's two.
        hidden = -(-8 * self.width // (3 * 32)) * 32
        kv_heads = heads if self.kv_heads is None else self.kv_heads
        return GPTConfig(vocabulary, self.layers, self.width, heads, kv_heads, self.context, hidden, self.tied)


@dataclass(frozen=True, slots=True)
class ProxyResult:
    """What a run found; losses are nats per token. Two runs of the same inputs are equal (`seconds` does not count).

    `curve` has (step, loss of that step's batch before its update); `final_loss` is the mean of the last steps;
    `unigram_entropy` is that of the training tokens, which a model that looks at the context must come below;
    `validation` is None where there are no validation shards.
    """

    parameters: int
    steps: int
    train_tokens: int
    curve: list[tuple[int, float]]
    initial_loss: float
    final_loss: float
    unigram_entropy: float
    validation: Validation | None
    seconds: float = field(compare=False)


def train_proxy(
    tokens_folder: str, config: ProxyConfig, seed: int, progress: Callable[[int, float], None] | None = None
) -> ProxyResult:
    """Train on the folder's training shards and measure on its validation shards; `progress` gets (step, loss).

    Raises `ValueError` for fewer tokens than one batch takes and for sizes that do not fit each other, and
    `DivergedError` naming the step when training fails.
    """
    started = time.perf_counter()
    shards = TokenShards.open(tokens_folder)
    batches = Batches(shards, config.context, config.batch, seed)
    counts = count_tokens(shards)
    with _reproducible(seed):
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = GPT(config.model(shards.manifest.vocabulary_size)).to(device)
        losses: list[float] = []
        for loss in _losses(model, batches, config, device):
            if progress is not None:
                progress(len(losses), loss)
            losses.append(loss)
        validation = validate(model, shards, counts, config.batch)
    if validation is not None and not math.isfinite(loss := validation.overall.nats_per_token):
        raise DivergedError(f"training diverged at its last step, {config.steps - 1}: the validation loss is {loss}")
    every = max(1, config.steps // CURVE_POINTS)
    last = losses[-max(1, round(FINAL_STEPS * config.steps)) :]
    return ProxyResult(
        parameters=model.parameters_count(),
        steps=config.steps,
        train_tokens=config.steps * config.batch * config.context,
        curve=[(step, losses[step]) for step in sorted({*range(0, config.steps, every), config.steps - 1})],
        initial_loss=losses[0],
        final_loss=sum(last) / len(last),
        unigram_entropy=entropy(counts),
        validation=validation,
        seconds=time.perf_counter() - started,
    )


def _losses(model: GPT, batches: Batches, config: ProxyConfig, device: torch.device) -> Iterator[float]:
    """Take all the steps; each one's loss, in nats per token, comes out after its update."""
    # A gain pulled towards 0 would only undo its own norm, so norms are not decayed.
    groups = [
        {"params": [weight for weight in model.parameters() if weight.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [weight for weight in model.parameters() if weight.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=BETAS, fused=True)
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * schedule(step, config.steps)
        inputs, targets = (ids.to(device) for ids in batches.at(step))
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = model(inputs)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        if not (math.isfinite(value := loss.item()) and math.isfinite(norm.item())):
            raise DivergedError(
                f"training diverged at step {step}: loss {value}, gradient norm {norm.item()}. "
                f"Lower the learning rate ({config.learning_rate})"
            )
        optimizer.step()
        optimizer.zero_grad()
        yield value


def schedule(step: int, steps: int) -> float:
    """Share of the highest learning rate at `step`: linear warm-up, then a cosine to `FINAL_LEARNING_RATE`."""
    warmup = max(1, round(WARMUP * steps))
    if step < warmup:
        return (step + 1) / warmup
    falling = (1 + math.cos(math.pi * (step - warmup) / max(1, steps - 1 - warmup))) / 2
    return FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * falling


@contextlib.contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Fix what the bits depend on: torch's generator, its choice of kernels, and the threads a sum is split over."""
    switches: Any = torch.utils.deterministic
    threads, mode, fill = (
        torch.get_num_threads(),
        torch.get_deterministic_debug_mode(),
        switches.fill_uninitialized_memory,
    )
    try:
        torch.set_num_threads(os.cpu_count() or 1)
        torch.use_deterministic_algorithms(True)
        # It only makes reads of uninitialised memory show, and costs 5 % of a step.
        switches.fill_uninitialized_memory = False
        # The weights are drawn on the CPU and nothing else is random.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        switches.fill_uninitialized_memory = fill
