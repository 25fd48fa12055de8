"""AdamW, and its learning rate step by step."""

import math
from collections import defaultdict

import torch
from torch import Tensor

from trainer.config import Optimizer, Schedule
from trainer.gpt import GPT, is_hidden


def adamw(model: GPT, config: Optimizer) -> torch.optim.AdamW:
    """Groups of weights with a `scale` each, the factor of its learning rate: 1, or 1/r for the matrices inside blocks
    of a model r times as wide as its `base_width`.

    AdamW takes learning rate times weight decay off a weight; those matrices' decay is r times the configured one, so
    that a step takes the same share off them at every width (Wang and Aitchison 2024, arXiv:2405.13698).
    """
    ratio = model.config.width_ratio
    groups: defaultdict[tuple[float, float], list[Tensor]] = defaultdict(list)
    for name, weight in model.named_parameters():
        if weight.ndim == 1:
            # A gain pulled towards 0 would only undo its own norm, so norms are not decayed.
            groups[1.0, 0.0].append(weight)
        elif is_hidden(name):
            groups[1 / ratio, config.weight_decay * ratio].append(weight)
        else:
            groups[1.0, config.weight_decay].append(weight)
    return torch.optim.AdamW(
        [
            {"params": weights, "lr": config.learning_rate * scale, "scale": scale, "weight_decay": decay}
            for (scale, decay), weights in groups.items()
        ],
        betas=(config.beta1, config.beta2),
        fused=True,
    )


def learning_rate(step: int, steps: int, schedule: Schedule) -> float:
    """Share of the highest learning rate at `step` of `steps`."""
    warmup = max(1, round(schedule.warmup * steps))
    if step < warmup:
        return (step + 1) / warmup
    # The first step that falls is lower already, and the last one is at `final`.
    if schedule.kind == "cosine":
        falling = (1 + math.cos(math.pi * (step + 1 - warmup) / (steps - warmup))) / 2
    else:
        falling = min(1.0, (steps - 1 - step) / (steps - decay_start(steps, schedule)))
    return schedule.final + (1 - schedule.final) * falling


def decay_start(steps: int, schedule: Schedule) -> int:
    """The first step of wsd's decay: until then a run of `steps` is that of any longer one that warms up as it does."""
    return steps - max(1, round(schedule.falling * steps))
