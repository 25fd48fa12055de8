"""Which of several copies stays: a number for each document, the smaller the better; the smaller id among equals.

What stays true: the number depends on the document and the recipe alone, so any order of shards names the same
survivor, as far as the choice itself does not go by it.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Survivor = Literal["first", "longest", "best"]

# Documents of an earlier run come before all others, and have this bit in their ids and rank 0.
EARLIER = np.uint64(1 << 63)
_EARLIER_NUMBER = 56
MOST_EARLIER = 128
_PRIORITY = np.uint64(48)
_SMALLEST, _LARGEST = np.uint64(1), np.uint64((1 << 40) - 1)


def ranks(
    choice: Survivor, priority: int, sizes: NDArray[np.int64], scores: NDArray[np.float32] | None
) -> NDArray[np.uint64]:
    """1 and more for documents of `sizes` bytes and of reference `scores`; a source of less `priority` goes first."""
    assert priority < 1 << 16, priority
    found = np.zeros(len(sizes), np.uint64)
    if choice == "longest":
        found = _LARGEST - sizes.astype(np.uint64)
    elif choice == "best":
        assert scores is not None
        # A float that is not negative is in the order of its bits.
        found = _LARGEST - scores.astype(np.float32).view(np.uint32).astype(np.uint64)
    return (np.uint64(priority) << _PRIORITY) + found + _SMALLEST


def earlier(ids: NDArray[np.uint64], number: int) -> NDArray[np.uint64]:
    """The ids that documents of earlier run `number` go by."""
    assert number < MOST_EARLIER, number
    return ids | EARLIER | np.uint64(number << _EARLIER_NUMBER)


def of_earlier(document: int) -> tuple[int, int] | None:
    """The number of the earlier run and the id there, of an id that `earlier` made; None for one of this run."""
    if not document & int(EARLIER):
        return None
    return document >> _EARLIER_NUMBER & (MOST_EARLIER - 1), document & ((1 << _EARLIER_NUMBER) - 1)
