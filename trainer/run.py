"""A run while it goes on: its steps, and between them its checkpoints, looks at held-out text and spikes.

What goes in: a loop and what the run was told. What comes out: files in the run's folder, written by the first process
alone. What stays true: between two steps the checkpoint and the logs agree on where the run is.
"""

import math
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mixtures.token_shards import TokenShards
from trainer import checkpoints, flops
from trainer.checkpoints import Checkpoint
from trainer.config import Run
from trainer.evaluate import model_nats, validate
from trainer.guard import DivergedError, Spike, Watch
from trainer.log import TRAIN, VALIDATION, Log, rows
from trainer.loop import Loop

CHECKPOINTS = "checkpoints"
# Share of the steps whose mean is the final training loss.
FINAL_STEPS = 0.05


class Terminated(Exception):  # noqa: N818 - an order that was followed, and no error
    """The run was asked to stop (SIGTERM), and has left a checkpoint."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is, for whoever shows it; `utilisation` is that of the devices' arithmetic (MFU)."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    utilisation: float


class TrainingRun:
    def __init__(
        self,
        folder: Path,
        shards: TokenShards,
        loop: Loop,
        told: dict[str, Any],
        config: Run,
        show: Callable[[Progress], None],
        say: Callable[[str], None],
    ) -> None:
        self.folder, self.shards, self.loop, self.told, self.config = folder, shards, loop, told, config
        self.show, self.say = show, say
        self.watch = Watch(config.guard)
        self._seconds: list[float] = []
        self._tokens = config.batch * config.model.context
        self._peak, self._peak_by = flops.peak(loop.world.device, loop.bfloat16)

    def go_on_from(self, checkpoint: Checkpoint, place: bool) -> None:
        """Put everything where the checkpoint has it, its `place` in the data only if that means the same here."""
        checkpoints.restore(checkpoint, self.loop)
        self.watch.restore(checkpoint.state["guard"])
        self.say(f"going on from {checkpoint.folder}")
        if not place:
            self.say("other shards, or read in another order or other pieces: these are begun with their first batch")
            self.loop.position = 0

    def steps(self, log: Log | None, asked: threading.Event) -> None:
        """All that are left. Raises `Terminated` after the one in which `asked` was set, and `DivergedError`.

        `log` is there in the first process. A checkpoint comes before a look at held-out text, which may take long.
        """
        if self.config.guard.action == "rollback" and not self._regular():
            self._save(log)
        # A run that was killed between a checkpoint and the look that follows it.
        self._look_if_due(log)
        while self.loop.step < self.config.steps:
            start = time.perf_counter()
            loss, norm = self.loop.gradient()
            if self.watch.is_spike(loss, norm):
                self._leave_out(loss, norm, log)
                continue
            rate = self.loop.rate()
            self.loop.update()
            self._record(log, loss, rate, norm, time.perf_counter() - start)
            stop = self._any(asked.is_set())
            if stop or self._is_due(self.config.checkpoints.every):
                self._save(log)
            if stop:
                raise Terminated(f"asked to stop: step {self.loop.step} is saved, and the same command goes on from it")
            self._look_if_due(log)

    def result(self) -> dict[str, Any]:
        """What is known in the end, by the first process; speed is that of this attempt, by its median step."""
        model, world = self.loop.model, self.loop.world
        looks = rows(self.folder / VALIDATION)
        last = rows(self.folder / TRAIN)[-max(1, round(FINAL_STEPS * self.config.steps)) :]
        if not last:
            raise ValueError(f"{self.folder / TRAIN} has lost its rows, of which the result is made: train anew")
        speed = self._tokens / statistics.median(self._seconds) if self._seconds else None
        return {
            "parameters": model.parameters_count(),
            "steps": self.loop.step,
            "tokens": self.loop.tokens,
            "final_loss": statistics.fmean(row["loss"] for row in last),
            "validation": {key: value for key, value in looks[-1].items() if key not in ("step", "tokens")}
            if looks
            else None,
            "spikes": [asdict(spike) for spike in self.watch.spikes],
            "processes": world.size,
            "device": torch.cuda.get_device_name(world.device) if world.device.type == "cuda" else "CPU",
            "precision": "bfloat16" if self.loop.bfloat16 else "float32",
            "tokens_per_second": speed,
            "utilisation": self._utilisation(speed) if speed else None,
            "peak_flops": self._peak,
            "peak_flops_by": self._peak_by,
            "torch": torch.__version__,
        }

    def _is_due(self, every: int) -> bool:
        return self.loop.step % every == 0 or self.loop.step == self.config.steps

    def _record(self, log: Log | None, loss: float, rate: float, norm: float, seconds: float) -> None:
        self._seconds.append(seconds)
        speed = self._tokens / seconds
        row = {
            "step": self.loop.step,
            "tokens": self.loop.tokens,
            "loss": loss,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens_per_second": speed,
            "utilisation": self._utilisation(speed),
        }
        if log is not None:
            log.update(row)
            self.show(Progress(self.loop.step, self.config.steps, loss, speed, row["utilisation"]))

    def _utilisation(self, tokens_per_second: float) -> float:
        return tokens_per_second * self.loop.model.flops_per_token() / (self._peak * self.loop.world.size)

    def _look_if_due(self, log: Log | None) -> None:
        due = self.loop.step > 0 and self._is_due(self.config.validation.every)
        if due and self._any(log is not None and self.loop.step not in log.looks()):
            self._look(log)

    def _look(self, log: Log | None) -> None:
        """Measure on held-out text; a model that is better there than all before it is kept."""
        loop, context = self.loop, self.config.model.context
        nats = model_nats(loop.predict, context, self.shards.manifest.eos_id, loop.rows, loop.world)
        found = validate(self.shards, nats, self.config.validation.tokens)
        if found is None:
            return
        loss = found.overall.nats_per_token
        if not math.isfinite(loss):
            raise DivergedError(f"training diverged at step {loop.step - 1}: the validation loss is {loss}")
        better = False
        if log is not None:
            better = loss < min(log.looks().values(), default=math.inf)
            log.validated(loop.step, loop.tokens, found)
        if self._any(better) and not any(c.step == loop.step for c in self._saved()):
            self._save(log)

    def _any(self, wanted: bool) -> bool:
        """Whether any process wants it."""
        return self.loop.world.sum(float(wanted))[0] > 0

    def _saved(self) -> list[Checkpoint]:
        return checkpoints.every(self.folder / CHECKPOINTS)

    def _regular(self) -> list[Checkpoint]:
        return [checkpoint for checkpoint in self._saved() if checkpoint.is_regular]

    def _save(self, log: Log | None) -> None:
        world = self.loop.world
        # All have asked which there are before there is another one.
        world.wait()
        if log is not None:
            folder, remembered = self.folder / CHECKPOINTS, {**self.told, "guard": self.watch.state()}
            checkpoints.save(folder, self.loop, remembered, regular=self._is_due(self.config.checkpoints.every))
            there, looks = {checkpoint.step for checkpoint in self._saved()}, log.looks()
            best = min(looks.keys() & there, key=lambda step: (looks[step], step), default=None)
            checkpoints.prune(folder, self.config.checkpoints.keep, best)
        world.wait()

    def _leave_out(self, loss: float, norm: float, log: Log | None) -> None:
        """Do what the guard says about a spike."""
        action = self.config.guard.action
        spike = Spike.of(self.loop.step, self.loop.position - 1, loss, norm, action)
        self.watch.add(spike, self.loop.rate())
        self.loop.leave_out()
        if action == "rollback":
            position, spikes = self.loop.position, self.watch.spikes
            checkpoint = self._regular()[-1]
            self.loop.world.wait()
            checkpoints.restore(checkpoint, self.loop)
            self.watch.restore(checkpoint.state["guard"])
            self.loop.position, self.watch.spikes = position, spikes
            if log is not None:
                checkpoints.forget(self.folder / CHECKPOINTS, self.loop.step)
                log.go_back_to(self.loop.step)
        then = f"back at step {self.loop.step}" if action == "rollback" else "left out"
        self.say(f"spike at step {spike.step}: loss {loss:.3f}, gradient norm {norm:.3f}: {then}")
