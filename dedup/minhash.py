"""Near-duplicates by MinHash-LSH: texts in, band hashes out; band hashes from everywhere in, clusters out.

Two documents become candidates when all rows of one band of their signatures agree, which happens with probability
1 - (1 - J**rows)**bands for Jaccard similarity J of their word n-grams (Broder 1997; FineWeb: 14 bands x 8 rows of
5-grams). What stays true: a band hash depends on the text, bands, rows and n-gram length and on nothing else, and a
cluster's representative is its smallest index.
"""

import re
from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from corpus.hashing import keyed, mix

# Thai to Khmer, kana and Chinese characters are words of their own: these scripts put no spaces between words.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def shingles(text: str, ngram: int) -> NDArray[np.uint64]:
    """Distinct 64-bit hashes of the word n-grams of `text`; empty when it has no word."""
    words = np.array([xxhash.xxh3_64_intdigest(word.encode()) for word in _WORD.findall(text.lower())], np.uint64)
    # A text of fewer words than the n-gram is one shingle of all of them: equal short texts still meet.
    length = min(ngram, len(words))
    hashes = np.zeros(len(words) - length + 1 if length else 0, np.uint64)
    for offset in range(length):
        hashes = mix(hashes * np.uint64(3) + words[offset : offset + len(hashes)])
    return np.unique(hashes)


def _permutations(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    numbers = keyed(np.arange(2 * count, dtype=np.uint64), "minhash")
    return numbers[:count] | np.uint64(1), numbers[count:]


def band_hashes(texts: Sequence[str], bands: int, rows: int, ngram: int) -> NDArray[np.uint64]:
    """(n, bands) hashes, one a band; all 0 for a text without words, which is nobody's duplicate.

    A permutation is multiply-add modulo 2**64, of which the high half is compared (Dietzfelbinger 1996).
    """
    multiply, add = _permutations(bands * rows)
    out = np.zeros((len(texts), bands), np.uint64)
    for n, text in enumerate(texts):
        hashes = shingles(text, ngram)
        if len(hashes):
            minima = np.empty(bands * rows, np.uint64)
            for k in range(bands * rows):
                minima[k] = ((hashes * multiply[k] + add[k]) >> np.uint64(32)).min()
            out[n] = _hash_bands(minima.reshape(bands, rows))
    return out


def _hash_bands(minima: NDArray[np.uint64]) -> NDArray[np.uint64]:
    hashes = np.arange(1, len(minima) + 1, dtype=np.uint64)
    for row in minima.T:
        hashes = mix(hashes * np.uint64(3) + row)
    return hashes | np.uint64(1)


def clusters(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row of (n, bands) the smallest index of its cluster; sharing one band hash joins two rows."""
    starts, ends = [], []
    for band in hashes.T:
        order = np.argsort(band, kind="stable")
        # Next to each other after sorting: equal hashes form a chain, and a chain is one component.
        same = (band[order][1:] == band[order][:-1]) & (band[order][1:] != 0)
        starts.append(order[:-1][same])
        ends.append(order[1:][same])
    edges = (np.concatenate(starts), np.concatenate(ends))
    n = len(hashes)
    graph = coo_array((np.ones(len(edges[0]), bool), edges), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    return np.asarray(first[component], np.int64)
