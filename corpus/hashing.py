"""Hashes of numbers and names, the same on every machine and in every run: what sampling and shuffling go by."""

import numpy as np
import xxhash
from numpy.typing import NDArray


def mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's finaliser (Steele et al. 2014): a bijection in which every input bit moves every output bit."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def keyed(ids: NDArray[np.uint64], *key: str | int) -> NDArray[np.uint64]:
    """A pseudo-random 64-bit number for each id; another `key` gives independent ones."""
    salt = np.uint64(xxhash.xxh3_64_intdigest("\0".join(map(str, key)).encode()))
    return mix(mix(ids + np.uint64(1)) ^ salt)


def unmix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The number that `mix` made `x` of."""
    x = (x ^ (x >> np.uint64(31)) ^ (x >> np.uint64(62))) * np.uint64(0x319642B2D24D8EC3)
    x = (x ^ (x >> np.uint64(27)) ^ (x >> np.uint64(54))) * np.uint64(0x96DE1B173F119089)
    return np.asarray(x ^ (x >> np.uint64(30)) ^ (x >> np.uint64(60)))


# A Feistel network of four rounds of random functions is as good as a random permutation (Luby and Rackoff 1988); twice
# as many, because the functions of a small range have few values.
ROUNDS = 8


def permuted(places: NDArray[np.uint64], size: int, *key: str | int) -> NDArray[np.uint64]:
    """Where a permutation of range(size), one for each `key`, takes `places`; nothing is held in memory for it.

    The network permutes a range of 4^n numbers, at most four times too large; whoever lands outside goes on from there
    until inside (Black and Rogaway 2002).
    """
    assert size > 0, size
    assert (places < np.uint64(size)).all(), (places, size)
    half = np.uint64(max(1, -(-(size - 1).bit_length() // 2)))
    mask = np.uint64((1 << int(half)) - 1)
    keys = keyed(np.arange(ROUNDS, dtype=np.uint64), "permuted", *key)
    out = places.copy()
    outside = np.arange(len(out))
    while len(outside):
        left, right = out[outside] >> half, out[outside] & mask
        for round_key in keys:
            left, right = right, left ^ (mix(right ^ round_key) & mask)
        out[outside] = (left << half) | right
        outside = outside[out[outside] >= np.uint64(size)]
    return out
