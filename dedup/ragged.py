"""Lists of different lengths, end to end in one array."""

import numpy as np
from numpy.typing import NDArray

from kernels.ragged import put


def take(values: NDArray[np.uint64], counts: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The lists, of `counts` values each, in another order."""
    places = np.empty(len(order), np.int64)
    places[order] = np.cumsum(counts[order]) - counts[order]
    moved = np.empty(len(values), np.uint64)
    put(np.ascontiguousarray(values), counts, places, moved)
    return moved
