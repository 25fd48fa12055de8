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
