"""Lists of numbers, end to end in one array, moved as a whole."""

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import kernel


@kernel
def put(
    values: NDArray[np.uint64], counts: NDArray[np.int64], places: NDArray[np.int64], out: NDArray[np.uint64]
) -> None:
    """Copy the lists of `values`, of so many numbers each, to their places in `out`."""
    k = 0
    for each in range(len(counts)):
        for place in range(places[each], places[each] + counts[each]):
            out[place] = values[k]
            k += 1
