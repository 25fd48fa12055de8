"""How alike two documents of a cluster are, by their shingles or by an estimate for those of an earlier run.

In come documents by row, with the keys that make two of them candidates, and the shingles of some. What stays true: a
similarity is the quotient of two counts, rounded once, and it is compared with the threshold as it is, so that looking
for less work first never changes which pairs reach it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner
from kernels.hashing import Hash

Numbers = NDArray[np.uint64]

# How often the lowest byte of two different minima is the same.
_BY_CHANCE = 1 / 256


class Rule(NamedTuple):
    """`jaccard` or else containment, and the least similarity that counts, above 0."""

    jaccard: bool
    threshold: float


class Documents(NamedTuple):
    """By row, for n: whether of an earlier run, keys (sorted and unique for each; `key_first` is (n + 1,)), sketch."""

    earlier: NDArray[np.bool_]
    key_first: NDArray[np.int64]
    keys: Numbers
    sketch: NDArray[np.uint8]


class Loaded(NamedTuple):
    """(k,) rows of documents, most preferred first, and their shingles, sorted and unique for each; (k + 1,) first."""

    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    shingles: Numbers


@inner
def similarity_of(documents: Documents, rule: Rule, held: Loaded, h: int, asked: Loaded, x: int, most: int) -> float:
    """Of document `h`, which stays, and `x`: 0 if they are no candidates or below the threshold.

    `most` is how many keys they have in common at most.
    """
    one, other = held.rows[h], asked.rows[x]
    size, other_size = size_of(held, h), size_of(asked, x)
    earlier = documents.earlier[one]
    least, estimate = 0, 0.0
    # What is cheap to know and rare to be true comes first.
    if earlier and rule.jaccard:
        estimate = _sketched(documents, one, other)
        if estimate < rule.threshold:
            return 0.0
    elif not earlier:
        least = least_overlap(rule, size, other_size)
        if least == 0 or least > min(size, other_size):
            return 0.0
    fewest = min(keys_of(documents, one), keys_of(documents, other))
    if not rule.jaccard and 2 * most < fewest:
        return 0.0
    shared = _shared_keys(documents, one, other, 1 if rule.jaccard else fewest)
    if shared == 0 or (not rule.jaccard and 2 * shared < fewest):
        return 0.0
    if earlier:
        value = estimate if rule.jaccard else shared / keys_of(documents, other)
        return value if value >= rule.threshold else 0.0
    both = _overlap(held, h, asked, x, least)
    return both / (size + other_size - both if rule.jaccard else other_size)


@inner
def size_of(loaded: Loaded, x: int) -> int:
    return loaded.first[x + 1] - loaded.first[x]


@inner
def keys_of(documents: Documents, row: int) -> int:
    return documents.key_first[row + 1] - documents.key_first[row]


@inner
def least_share(size: int, threshold: float) -> int:
    """The least k for which k / size, as it is rounded, reaches the threshold."""
    least = int(threshold * size)
    while least > 0 and (least - 1) / size >= threshold:
        least -= 1
    while least / size < threshold:
        least += 1
    return least


@inner
def least_overlap(rule: Rule, size: int, other: int) -> int:
    """How many shingles a document that stays and one of `other` size have in common at least; 0 for none."""
    if size == 0 or other == 0:
        return 0
    if not rule.jaccard:
        return least_share(other, rule.threshold)
    least = int(rule.threshold * (size + other) / (1 + rule.threshold))
    while least > 0 and (least - 1) / (size + other - least + 1) >= rule.threshold:
        least -= 1
    while least / (size + other - least) < rule.threshold:
        least += 1
    return least


@inner
def _overlap(held: Loaded, h: int, asked: Loaded, x: int, least: int) -> int:
    """How many shingles two documents have in common; 0 as soon as these can no longer be `least`."""
    # Unsigned indices: a signed one is asked every time whether it counts from the end.
    i, end = Hash(held.first[h]), Hash(held.first[h + 1])
    j, other_end = Hash(asked.first[x]), Hash(asked.first[x + 1])
    # Past these places plus what was found, too many are missing.
    last, other_last = end - Hash(least), other_end - Hash(least)
    both = Hash(0)
    while i < end and j < other_end:
        one, other = held.shingles[i], asked.shingles[j]
        both += Hash(one == other)
        i += Hash(one <= other)
        j += Hash(other <= one)
        if i > last + both or j > other_last + both:
            return 0
    return np.int64(both)


@inner
def _shared_keys(documents: Documents, one: int, other: int, most: int) -> int:
    """How many keys two documents have in common, if not more than `most`."""
    i, end = documents.key_first[one], documents.key_first[one + 1]
    j, other_end = documents.key_first[other], documents.key_first[other + 1]
    shared = 0
    while i < end and j < other_end and shared < most:
        key, other_key = documents.keys[i], documents.keys[j]
        shared += key == other_key
        i += key <= other_key
        j += other_key <= key
    return shared


@inner
def _sketched(documents: Documents, one: int, other: int) -> float:
    """Jaccard similarity by the share of equal bytes, less those equal by chance (b-bit minwise, Li & König 2010)."""
    sketch, other_sketch = documents.sketch[one], documents.sketch[other]
    equal = 0
    for k in range(len(sketch)):
        equal += sketch[k] == other_sketch[k]
    return max(0.0, (equal / len(sketch) - _BY_CHANCE) / (1 - _BY_CHANCE))
