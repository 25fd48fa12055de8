"""Training, one step at a time: a batch forwards and backwards, then AdamW's update.

What goes in: a configuration, batches and a seed. What comes out, per step: its loss and the norm of its gradient. What
stays true: a step's gradient is the mean over all rows of the batch, whether they go through the model at once or a few
at a time, in one process or in several.
"""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from trainer.batches import BatchSource
from trainer.config import Training
from trainer.gpt import GPT, GPTConfig
from trainer.guard import DivergedError
from trainer.optimizer import adamw, learning_rate
from trainer.world import World


class Loop:
    """A model, its optimizer, and its place: `step` updates done with `tokens`, `position` batches read.

    Batches that were left out are read, and nothing was done with them. Raises `ValueError` for a batch that cannot be
    shared out.
    """

    def __init__(self, config: Training, vocabulary: int, batches: BatchSource, world: World) -> None:
        self.config, self.batches, self.world = config, batches, world
        self.model = GPT(gpt_config(config, vocabulary), config.recompute).to(world.device)
        self.optimizer = adamw(self.model, config.optimizer)
        self.step = self.tokens = self.position = 0
        own = config.batch // world.size
        self.rows = config.micro_batch or own
        if own % self.rows:
            raise ValueError(
                f"micro_batch {self.rows} does not divide the {own} rows that each of {world.size} processes has of a "
                f"batch of {config.batch}"
            )
        on_gpu = world.device.type == "cuda"
        self.bfloat16 = config.precision == "bfloat16" or (config.precision == "auto" and on_gpu)
        wanted = on_gpu if config.compile == "auto" else config.compile
        self._compiled: Any = torch.compile(self.model) if wanted else self.model
        self._forward = DistributedDataParallel(self._compiled) if world.size > 1 else self._compiled
        self._next: tuple[int, tuple[Tensor, Tensor]] | None = None

    def gradient(self) -> tuple[float, float]:
        """The mean loss of the batch at `position`, in nats a token, and its gradient's norm, which is then clipped.

        Both are the same in all processes; whatever they are, the batch is behind us afterwards.
        """
        inputs, targets = self._batch(self.position)
        micros = list(zip(torch.split(inputs, self.rows), torch.split(targets, self.rows), strict=True))
        total = torch.zeros((), dtype=torch.float64, device=self.world.device)
        for number, (ids, wanted) in enumerate(micros):
            with self._unsynchronised(number < len(micros) - 1):
                loss = self._loss(ids, wanted) / len(micros)
                torch.autograd.backward(loss)
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip)
        # Read while the device is still at work, before the numbers below wait for it.
        self.position += 1
        self._next = (self.position, self._read(self.position))
        (summed,) = self.world.sum(total.item() / self.world.size)
        return summed, norm.item()

    def rate(self) -> float:
        """The learning rate of the next update, at `model.base_width`."""
        config = self.config
        return config.optimizer.learning_rate * learning_rate(self.step, config.steps, config.schedule)

    def update(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate() * group["scale"]
        self.optimizer.step()
        self.step += 1
        self.tokens += self.config.batch * self.config.model.context
        self.leave_out()

    def losses(self, until: int) -> Iterator[float]:
        """Take the steps before step `until`; each one's loss, in nats a token, comes out after its update.

        Raises `DivergedError` naming the step whose loss or gradient is no finite number.
        """
        while self.step < until:
            loss, norm = self.gradient()
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise DivergedError(
                    f"training diverged at step {self.step}: loss {loss}, gradient norm {norm}. "
                    f"Lower the learning rate ({self.config.optimizer.learning_rate})"
                )
            self.update()
            yield loss

    def leave_out(self) -> None:
        """Forget the gradient."""
        self.optimizer.zero_grad()

    def predict(self, ids: Tensor) -> Tensor:
        """Logits as training has them, in its precision and compiled as it is, for held-out text."""
        with torch.autocast(self.world.device.type, torch.bfloat16, enabled=self.bfloat16):
            logits: Tensor = self._compiled(ids)
        return logits.float()

    def _loss(self, ids: Tensor, wanted: Tensor) -> Tensor:
        with torch.autocast(self.world.device.type, torch.bfloat16, enabled=self.bfloat16):
            logits = self._forward(ids)
        return F.cross_entropy(logits.flatten(0, 1).float(), wanted.flatten())

    @contextlib.contextmanager
    def _unsynchronised(self, more: bool) -> Iterator[None]:
        """Gradients of a batch are exchanged once, with its last rows."""
        if more and isinstance(self._forward, DistributedDataParallel):
            with self._forward.no_sync():
                yield
        else:
            yield

    def _batch(self, number: int) -> tuple[Tensor, Tensor]:
        ready, self._next = self._next, None
        return ready[1] if ready and ready[0] == number else self._read(number)

    def _read(self, number: int) -> tuple[Tensor, Tensor]:
        inputs, targets = self.batches.at(number)
        if self.world.device.type == "cuda":
            # From pinned memory the host need not wait for the copy.
            inputs, targets = inputs.pin_memory(), targets.pin_memory()
        device = self.world.device
        return inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)


def gpt_config(config: Training, vocabulary: int) -> GPTConfig:
    model = config.model
    return GPTConfig(
        vocabulary,
        model.layers,
        model.width,
        model.query_heads,
        model.key_heads,
        model.context,
        model.mlp_width,
        model.tied,
        model.base_width,
    )
