"""Candidates for near-duplicates: documents that share a key, joined as a star to the smallest.

In go rows of key and id; out come one row a key and the edges of the stars. A star has as many edges as its key has
further documents, where all its pairs would be a square of them. Edges are between scattered ids (`corpus.hashing.mix`,
a bijection), so that any range of them holds its share of any crawl.
"""

import numpy as np
from numpy.typing import NDArray

from corpus.hashing import mix

Numbers = NDArray[np.uint64]


def stars(rows: Numbers) -> tuple[Numbers, Numbers]:
    """Of (n, 2) rows of key and id: the smallest id of each key, sorted by key, and edges (larger, smaller), sorted."""
    if not len(rows):
        return rows.reshape(0, 2), np.empty((0, 2), np.uint64)
    order = np.argsort(rows[:, 0])
    keys, ids = rows[order, 0], rows[order, 1]
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    centers = np.minimum.reduceat(ids, first)
    center = np.repeat(centers, np.diff(first, append=len(keys)))
    apart = ids != center
    return np.stack([keys[first], centers], axis=1), edges(ids[apart], center[apart])


def edges(a: Numbers, b: Numbers) -> Numbers:
    """(larger, smaller) of the scattered ids, each edge once, sorted."""
    left, right = mix(a), mix(b)
    larger, smaller = np.maximum(left, right), np.minimum(left, right)
    order = np.lexsort((smaller, larger))
    found = np.stack([larger[order], smaller[order]], axis=1)
    new = np.any(found[1:] != found[:-1], axis=1)
    return found[np.concatenate([[True], new])] if len(found) else found
