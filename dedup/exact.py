"""Exact copies: documents of equal text, up to case and white space, or of equal URL.

In go rows of 128-bit hash, rank and id (`kernels.signatures.text_hashes`, `dedup.preference`); out comes, for each, the
row of the copy that stays. At 128 bits a false match among 10 billion documents has a probability of about 1e-19.
"""

import numpy as np
import xxhash
from numpy.typing import NDArray

from corpus.urls import same_url
from kernels.groups import preferred

# High half and low half of the hash, rank, id.
COLUMNS = 4


def winners(rows: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each of (n, 4) rows the row of equal hash that is preferred: its own number for one that stays."""
    found = np.empty(len(rows), np.int64)
    key, low, rank, number = np.ascontiguousarray(rows.T)
    preferred(np.argsort(key), key, low, rank, number, found)
    return found


def url_hashes(urls: list[str]) -> NDArray[np.uint64]:
    """(n, 2) hashes of URLs as they are compared; all 0 for a document without one."""
    found = np.zeros((len(urls), 2), np.uint64)
    for row, url in enumerate(urls):
        if url:
            digest = xxhash.xxh3_128_intdigest(same_url(url).encode("utf-8", "surrogatepass"))
            found[row] = digest >> 64, digest & ((1 << 64) - 1)
    return found
