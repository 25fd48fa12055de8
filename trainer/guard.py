"""Whether a step's loss is a spike, by the losses before it, and what has been done about those there were."""

import math
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from trainer.config import Guard

# Fewer losses say little of how they scatter.
LEAST = 20


class DivergedError(ValueError):
    """The loss or its gradient became infinite or not a number, or there were more spikes than the guard lets pass."""


@dataclass(frozen=True, slots=True)
class Spike:
    """A loss that was none of a run: the update it would have been, the batch it came from, and what was done."""

    step: int
    position: int
    loss: float | None
    gradient_norm: float | None
    action: str

    @classmethod
    def of(cls, step: int, position: int, loss: float, norm: float, action: str) -> Self:
        """With None for what is no finite number, which JSON does not have."""
        return cls(step, position, _finite(loss), _finite(norm), action)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


@dataclass
class Watch:
    """The last losses that were none, and all spikes. `state` is what a checkpoint keeps of it."""

    config: Guard
    losses: list[float] = field(default_factory=list)
    spikes: list[Spike] = field(default_factory=list)

    def is_spike(self, loss: float, norm: float) -> bool:
        """Whether this loss, with a gradient of this norm, is one; if not, it counts for those that follow."""
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return True
        if self.config.action != "stop" and len(self.losses) >= LEAST and loss > self._highest():
            return True
        self.losses = [*self.losses, loss][-self.config.window :]
        return False

    def _highest(self) -> float:
        return statistics.fmean(self.losses) + self.config.deviations * statistics.pstdev(self.losses)

    def add(self, spike: Spike, rate: float) -> None:
        """Count a spike. Raises `DivergedError` where it is one too many; `rate` is the learning rate to say."""
        numbers = f"loss {spike.loss}, gradient norm {spike.gradient_norm}"
        if self.config.action == "stop":
            raise DivergedError(
                f"training diverged at step {spike.step}: {numbers}. Have such steps left out (guard.action=skip), or "
                f"lower the learning rate ({rate}) in a new run, which --from begins with a checkpoint of this one"
            )
        self.spikes.append(spike)
        if len(self.spikes) > self.config.most:
            raise DivergedError(
                f"training diverged: spike {len(self.spikes)} at step {spike.step} ({numbers}) is one more than "
                f"guard.most lets pass. Lower the learning rate ({rate}) in a new run"
            )

    def state(self) -> dict[str, Any]:
        return {"losses": self.losses, "spikes": [asdict(spike) for spike in self.spikes]}

    def restore(self, state: dict[str, Any]) -> None:
        self.losses = list(state["losses"])
        self.spikes = [Spike(**spike) for spike in state["spikes"]]
