"""Lists of different lengths, end to end in one array."""

import numpy as np
from numpy.typing import NDArray


def take(values: NDArray[np.uint64], counts: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The lists, of `counts` values each, in another order."""
    starts = (np.cumsum(counts) - counts)[order]
    moved = counts[order]
    return values[np.repeat(starts - (np.cumsum(moved) - moved), moved) + np.arange(int(moved.sum()))]
