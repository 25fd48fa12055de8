"""Fair clocks: one core, one thread a library, and the sides taking turns.

What stays true: both sides of a comparison get the same input and the same core, in turns, so that whatever else the
machine does falls on both; and each has had a warm-up that nobody counts.
"""

import contextlib
import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Input = TypeVar("Input")
Result = TypeVar("Result")

# As the user's shell has it, for what is measured as the user runs it.
ENVIRONMENT = dict(os.environ)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS")
_CAN_PIN = hasattr(os, "sched_setaffinity")
_CORES = os.sched_getaffinity(0) if _CAN_PIN else set()


def one_core() -> str:
    """Put this process and its children on one core, with one thread a library; returns what was done, for the record.

    Call it before the libraries are imported: that is when they look at these variables and start their threads.
    """
    os.environ.update(dict.fromkeys(_THREADS, "1"), TOKENIZERS_PARALLELISM="false")
    if not _CAN_PIN:
        return "one thread, not pinned to a core (this system cannot)"
    # The first core is where most systems handle interrupts.
    os.sched_setaffinity(0, {max(_CORES)})
    return f"one thread, pinned to core {max(_CORES)}"


@contextlib.contextmanager
def all_cores() -> Iterator[None]:
    """Every core for the processes that the block starts."""
    pinned = os.sched_getaffinity(0) if _CAN_PIN else set()
    if _CAN_PIN:
        os.sched_setaffinity(0, _CORES)
    try:
        yield
    finally:
        if _CAN_PIN:
            os.sched_setaffinity(0, pinned)


@dataclass
class Rounds(Generic[Result]):
    """What one side took and gave, round by round."""

    seconds: list[float] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """The slowest round over the fastest: how far the median can be trusted."""
        return max(self.seconds) / min(self.seconds)


def interleave(
    sides: Mapping[str, Callable[[Input], Result]], data: Input, repeats: int, warm_up: Input
) -> dict[str, Rounds[Result]]:
    """Call every side on `warm_up`, then `repeats` times each side on `data` in turn: A B A B."""
    for side in sides.values():
        side(warm_up)
    rounds: dict[str, Rounds[Result]] = {name: Rounds() for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            # Nobody is to clear up what another left behind.
            gc.collect()
            start = time.perf_counter()
            result = side(data)
            rounds[name].seconds.append(time.perf_counter() - start)
            rounds[name].results.append(result)
    return rounds
