"""Rows that are alike, in a table in the order of its keys."""

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import kernel


@kernel
def preferred(
    order: NDArray[np.int64],
    key: NDArray[np.uint64],
    low: NDArray[np.uint64],
    rank: NDArray[np.uint64],
    number: NDArray[np.uint64],
    found: NDArray[np.int64],
) -> None:
    """For each row the row of the smallest (rank, number) among those of equal (key, low); `order` sorts `key`."""
    i = 0
    while i < len(order):
        end = i + 1
        while end < len(order) and key[order[end]] == key[order[i]]:
            end += 1
        for k in range(i, end):
            found[order[k]] = -1
        # Once, but for keys that are equal by accident.
        for k in range(i, end):
            if found[order[k]] >= 0:
                continue
            best = order[k]
            for m in range(k + 1, end):
                row = order[m]
                better = rank[row] < rank[best] or (rank[row] == rank[best] and number[row] < number[best])
                if better and low[row] == low[best]:
                    best = row
            for m in range(k, end):
                if low[order[m]] == low[best]:
                    found[order[m]] = best
        i = end
