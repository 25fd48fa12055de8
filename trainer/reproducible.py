"""What the bits of a run depend on beside its inputs: torch's generator, its choice of kernels, and the threads that a
sum is split over. On one machine the same inputs give the same bits, whatever OMP_NUM_THREADS says (Ray and torchrun
set it to 1).
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch


@contextlib.contextmanager
def reproducible(seed: int, threads: int | None = None) -> Iterator[None]:
    """Fix all of them for the block, and put them back as they were; `threads` are all cores unless said."""
    switches: Any = torch.utils.deterministic
    before, mode, fill = (
        torch.get_num_threads(),
        torch.get_deterministic_debug_mode(),
        switches.fill_uninitialized_memory,
    )
    try:
        torch.set_num_threads(threads or os.cpu_count() or 1)
        torch.use_deterministic_algorithms(True)
        # It only makes reads of uninitialised memory show, and costs 5 % of a step.
        switches.fill_uninitialized_memory = False
        # The weights are drawn on the CPU and nothing else is random.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)
        torch.set_deterministic_debug_mode(mode)
        switches.fill_uninitialized_memory = fill
