"""Which documents of a cluster of near-duplicates repeat a more preferred one that stays.

In come documents in the order of preference, and their shingles; out comes for each the most preferred document that
stays and that it is verified to repeat. What stays true: small clusters are gone through pair by pair and large ones by
an index, with the same answer to the last bit.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner, kernel
from kernels.prefix_index import Index, add, collect, index_for, no_index, suggest
from kernels.similarity import Documents, Loaded, Rule, similarity_of

# Up to here all pairs cost less than an index.
DIRECT = 64
_NONE = -1
# More keys than any document has.
_ALL = np.int32(0x7FFFFFFF)
_NOBODY, _NO_CLUSTERS = np.empty(0, np.int64), np.empty((0, 2), np.int64)


def decide(
    documents: Documents, rule: Rule, loaded: Loaded, starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each of the documents of clusters, which begin at `starts` (with the end of the last): the place among them
    of the one that it repeats, or -1 if it stays, and their similarity.
    """
    place, similarity = _nothing_found(loaded)
    large = np.diff(starts) > DIRECT
    small = np.column_stack([starts[:-1][~large], starts[1:][~large]])
    _decide(documents, rule, no_index(DIRECT), loaded, _NOBODY, loaded, small, True, place, similarity)
    for cluster in np.flatnonzero(large):
        begin, end = int(starts[cluster]), int(starts[cluster + 1])
        longest = int(np.diff(loaded.first[begin : end + 1]).max())
        index = index_for(documents, rule, loaded, begin, end, longest)
        ends = np.array([[begin, end]])
        _decide(documents, rule, index, loaded, _NOBODY, loaded, ends, True, place, similarity)
    return place, similarity


def index_of(documents: Documents, rule: Rule, held: Loaded, stayers: NDArray[np.int64], longest: int) -> Index:
    """The places `stayers` of `held`, to be found by documents of up to `longest` shingles."""
    longest = max(longest, int(np.diff(held.first).max(initial=0)))
    index = index_for(documents, rule, held, 0, len(held.rows), longest)
    _decide(documents, rule, index, held, stayers, held, _NO_CLUSTERS, False, *_nothing_found(held))
    return index


def decide_against(
    documents: Documents, rule: Rule, held: Loaded, index: Index, asked: Loaded
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each of `asked` the place among `held` of the first in the `index` of these that it repeats, or -1."""
    place, similarity = _nothing_found(asked)
    every = np.array([[0, len(asked.rows)]])
    _decide(documents, rule, index, held, _NOBODY, asked, every, False, place, similarity)
    return place, similarity


def _nothing_found(loaded: Loaded) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.full(len(loaded.rows), _NONE, np.int64), np.zeros(len(loaded.rows))


@kernel
def _decide(
    documents: Documents,
    rule: Rule,
    index: Index,
    held: Loaded,
    stayers: NDArray[np.int64],
    asked: Loaded,
    clusters: NDArray[np.int64],
    same: bool,
    place: NDArray[np.int64],
    similarity: NDArray[np.float64],
) -> None:
    """Clusters, from one place of `asked` to another, which are the `same` as `held` or else look for its `stayers`.

    With an index that was not made for any document all pairs are candidates, as for documents that are the same.
    """
    indexed = len(index.table) > 0
    for x in stayers:
        add(documents, rule, index, held, x, x)
    for cluster in range(len(clusters)):
        begin, end = clusters[cluster]
        for x in range(begin, end):
            if not documents.earlier[asked.rows[x]]:
                if indexed:
                    collect(documents, rule, index, asked, x)
                else:
                    _suggest_all(index, place, begin, x)
                place[x], similarity[x] = _first(documents, rule, index, held, begin, asked, x)
            if indexed and same and place[x] == _NONE:
                add(documents, rule, index, held, x, x - begin)


@inner
def _suggest_all(index: Index, place: NDArray[np.int64], begin: int, end: int) -> None:
    """Make candidates of all that stay."""
    for stayer in range(end - 1, begin - 1, -1):
        if place[stayer] == _NONE:
            suggest(index, stayer - begin, _ALL)


@inner
def _first(
    documents: Documents, rule: Rule, index: Index, held: Loaded, begin: int, asked: Loaded, x: int
) -> tuple[int, float]:
    """The place of the most preferred of the candidates that `x` repeats, and their similarity. Leaves none."""
    best, best_value = _NONE, 0.0
    # Chains begin with the last that was added, so that backwards the most preferred come first.
    for k in range(index.used[1] - 1, -1, -1):
        h = begin + index.candidates[k]
        hits, index.hits[h - begin] = index.hits[h - begin], 0
        if best == _NONE or h < best:
            value = similarity_of(documents, rule, held, h, asked, x, hits)
            if value > 0:
                best, best_value = h, value
    index.used[1] = 0
    return best, best_value
