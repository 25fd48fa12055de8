"""AdamW, and its learning rate step by step."""

import math

import torch

from trainer.config import Optimizer, Schedule
from trainer.gpt import GPT


def adamw(model: GPT, config: Optimizer) -> torch.optim.AdamW:
    # A gain pulled towards 0 would only undo its own norm, so norms are not decayed.
    groups = [
        {"params": [w for w in model.parameters() if w.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [w for w in model.parameters() if w.ndim == 1], "weight_decay": 0.0},
    ]
    betas = (config.beta1, config.beta2)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=True)


def learning_rate(step: int, steps: int, schedule: Schedule) -> float:
    """Share of the highest learning rate at `step` of `steps`."""
    warmup = max(1, round(schedule.warmup * steps))
    if step < warmup:
        return (step + 1) / warmup
    # The first step that falls is lower already, and the last one is at `final`.
    if schedule.kind == "cosine":
        falling = (1 + math.cos(math.pi * (step + 1 - warmup) / (steps - warmup))) / 2
    else:
        falling = min(1.0, (steps - 1 - step) / max(1, round(schedule.falling * steps)))
    return schedule.final + (1 - schedule.final) * falling
