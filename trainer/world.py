"""The processes that train one model together: one alone, or those that torchrun started.

What goes in: torchrun's environment. What comes out: this process's rank, its device, and sums over all. What stays
true: what one process decides by a number from here, all decide.
"""

import contextlib
import datetime
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import distributed

# Whoever saves a checkpoint of a large model keeps the others waiting.
PATIENCE = datetime.timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class World:
    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def sum(self, *values: float) -> list[float]:
        """Of each value the sum over all processes, in float64."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        summed: list[float] = total.tolist()
        return summed

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            distributed.barrier()


def alone() -> World:
    return World(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


@contextlib.contextmanager
def joined() -> Iterator[World]:
    """The world that torchrun's variables describe; without them, a world of one."""
    if "WORLD_SIZE" not in os.environ:
        yield alone()
        return
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield World(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()
