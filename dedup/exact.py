"""Exact duplicates: documents whose texts are the same up to case and white space.

What goes in: texts, then their 128-bit hashes from everywhere. What comes out: for each document the one it repeats.
At 128 bits a false match among 10 billion documents has a probability of about 1e-19.
"""

from collections.abc import Iterable

import numpy as np
import xxhash
from numpy.typing import NDArray


def text_hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """The 128-bit hashes of the normalised texts, as (n, 2) words of 64 bits."""
    digests = b"".join(xxhash.xxh3_128_digest(" ".join(text.lower().split()).encode()) for text in texts)
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


def first_copies(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row of (n, 2) hashes the index of the first row that equals it: its own index for an original."""
    _, first, inverse = np.unique(hashes, axis=0, return_index=True, return_inverse=True)
    return np.asarray(first[inverse.reshape(-1)], np.int64)
