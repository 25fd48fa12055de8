"""Hash arithmetic inside kernels: uint64 throughout, because numba turns a mixture with int64 into floats.

Two kinds: a polynomial, whose value for two strings run together follows from their values, and a mixing one, which
has no such structure and is what leaves a kernel.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner, kernel

Hash = np.uint64

# The polynomial's base: odd, so that multiplying loses nothing.
BASE = Hash(0x9E3779B97F4A7C15)
ONE = Hash(1)
_MULTIPLIER = Hash(0xD6E8FEB86659FD93)
_3, _8, _HALF = Hash(3), Hash(8), Hash(32)
# The golden ratio, whose product has its best bits at the top (Knuth, volume 3, section 6.4).
_GOLDEN = Hash(0x9E3779B97F4A7C15)
EMPTY = np.int32(-1)


@inner
def mixed(state: Hash, value: int) -> Hash:
    """`state` after one more value: a bijection of the state for each value, and of the value for each state."""
    state = (state ^ Hash(value)) * _MULTIPLIER
    return state ^ (state >> _HALF)


@kernel
def table_bits(entries: int) -> int:
    """The size, as a power of 2, of a hash table that is at most half full."""
    bits = 4
    while (1 << bits) < 2 * entries:
        bits += 1
    return bits


@inner
def hash_bytes(data: NDArray[np.uint8]) -> Hash:
    """Eight bytes at a time, which is three times as fast as one by one."""
    size, i = Hash(len(data)), Hash(0)
    state = size
    # Unsigned indices: a signed one is asked every time whether it counts from the end.
    while i + _8 <= size:
        word = Hash(0)
        for k in range(_8):
            word |= Hash(data[i + k]) << (k << _3)
        state = mixed(state, word)
        i += _8
    while i < size:
        state = mixed(state, data[i])
        i += ONE
    return state


@inner
def empty(table: NDArray[np.int32], bits: int) -> None:
    """Make the first 2**bits places a table without entries."""
    for slot in range(1 << bits):
        table[slot] = EMPTY


@kernel
def slot_of(key: Hash, bits: int) -> int:
    """Where in a table of 2**bits places the search for `key` starts."""
    return np.int64((key * _GOLDEN) >> Hash(64 - bits))
