"""Byte-pair merges inside pieces: of all neighbours the pair of the least joint id first, the leftmost of equals.

In come pieces by their bounds and a table of pairs, out come their ids. What stays true: ids follow the order of
merges, so the least id is the merge that comes first. It takes quadratic time, and so only LONGEST bytes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner, kernel
from kernels.hashing import BASE, ONE, Hash

# Words are shorter; of longer pieces there are few.
LONGEST = 100

_NONE, _TWO, _32 = Hash(0), Hash(2), Hash(32)
_NOTHING = np.uint32(0xFFFFFFFF)
_EMPTY = Hash(0xFFFFFFFFFFFFFFFF)


class Merges(NamedTuple):
    """`byte_ids` uint32[256]; `table` uint64, a power of two of slots with a pair of ids and what it is joined to."""

    byte_ids: NDArray[np.uint32]
    table: NDArray[np.uint64]


def merges(byte_ids: NDArray[np.uint32], pairs: NDArray[np.uint32]) -> Merges:
    """`pairs` are uint32[n, 3]: left, right, joined. The table is at most half full."""
    slots = 1 << (2 * len(pairs)).bit_length()
    table = np.full(2 * slots, _EMPTY)
    _fill(table, pairs)
    return Merges(byte_ids, table)


@kernel
def _fill(table: NDArray[np.uint64], pairs: NDArray[np.uint32]) -> None:
    mask = Hash(len(table)) // _TWO - ONE
    for row in range(len(pairs)):
        key = Hash(pairs[row, 0]) << _32 | Hash(pairs[row, 1])
        slot = _slot(key) & mask
        while table[slot * _TWO] != _EMPTY and table[slot * _TWO] != key:
            slot = (slot + ONE) & mask
        table[slot * _TWO], table[slot * _TWO + ONE] = key, Hash(pairs[row, 2])


@inner
def _slot(key: Hash) -> Hash:
    return ((key ^ key >> _32) * BASE) >> _32


@inner
def _joined(table: NDArray[np.uint64], left: np.uint32, right: np.uint32) -> np.uint32:
    """What two neighbours are joined to, or nothing."""
    mask = Hash(len(table)) // _TWO - ONE
    key = Hash(left) << _32 | Hash(right)
    slot = _slot(key) & mask
    while table[slot * _TWO] != _EMPTY:
        if table[slot * _TWO] == key:
            return np.uint32(table[slot * _TWO + ONE])
        slot = (slot + ONE) & mask
    return _NOTHING


@kernel
def merge(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    merges: Merges,
    long_ids: NDArray[np.uint32],
    counts: NDArray[np.int64],
    out: NDArray[np.uint32],
) -> int:
    """Write the ids of pieces end to end into `out`, and how many each has into `counts`; returns how many in all.

    Of pieces of more than LONGEST bytes `counts` and `long_ids`, end to end, say already what they are.
    """
    ids, joined = np.empty(LONGEST, np.uint32), np.empty(LONGEST, np.uint32)
    n, long = _NONE, _NONE
    for piece in range(len(starts)):
        size = Hash(sizes[piece])
        if size > Hash(LONGEST):
            for _ in range(counts[piece]):
                out[n] = long_ids[long]
                n, long = n + ONE, long + ONE
            continue
        start = Hash(starts[piece])
        for k in range(size):
            ids[k] = merges.byte_ids[data[start + k]]
        for k in range(size - ONE):
            joined[k] = _joined(merges.table, ids[k], ids[k + ONE])
        while size > ONE:
            best, at = _NOTHING, _NONE
            for k in range(size - ONE):
                if joined[k] < best:
                    best, at = joined[k], Hash(k)
            if best == _NOTHING:
                break
            size -= ONE
            ids[at] = best
            for k in range(at + ONE, size):
                ids[k] = ids[k + ONE]
                joined[k] = joined[k + ONE]
            if at > _NONE:
                joined[at - ONE] = _joined(merges.table, ids[at - ONE], best)
            if at + ONE < size:
                joined[at] = _joined(merges.table, best, ids[at + ONE])
        for k in range(size):
            out[n + k] = ids[k]
        counts[piece] = size
        n += size
    return np.int64(n)
