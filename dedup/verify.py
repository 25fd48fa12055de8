"""Verified removal of near-duplicates: a document goes only if it repeats one that stays, not a neighbour's neighbour.

In come the members of clusters (`dedup.minhash`, say), with the keys that made them neighbours, and a way to load their
shingles; out come the rows to remove, each with the row it repeats and how similar the two are. Within a cluster
documents are gone through in the order of preference, and one that has a verified pair with a document that stays is
removed. What stays true: what is removed follows from the documents alone, not from the order of their rows or from
how much memory there is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from dedup.buckets import MemoryBudgetError
from kernels import overlap
from kernels.prefix_index import ENTRY_BYTES, entries
from kernels.similarity import Documents, Loaded, Rule

Numbers = NDArray[np.uint64]
Rows = NDArray[np.int64]
Load = Callable[[Rows], tuple[Rows, Numbers]]
Found = tuple[Rows, Rows, NDArray[np.float64]]
_Number = TypeVar("_Number", bound=np.generic)

# The ids of documents of an earlier run have this bit.
EARLIER = np.uint64(1) << np.uint64(63)
# Entries of an index are numbered with 31 bits.
_MOST_MEMORY = ENTRY_BYTES << 31
_SHINGLE_BYTES = 8
# A place in its cluster's tables, and what was found for it.
_DOCUMENT_BYTES = 64
_NOTHING: Found = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


@dataclass(frozen=True)
class Members:
    """n documents of clusters, in any order.

    `label`, `id` and `rank` are (n,): equal labels are a cluster, and the smaller rank, then id, is preferred. `keys`
    are all keys, sorted and unique for each document, and `key_first` (n + 1,) tells where a document's start. `sketch`
    (n, s) are the low 8 bits of MinHash minima, and `sizes` (n,) how many shingles a document has. Documents of an
    earlier run have ids with the bit `EARLIER` and rank 0, and no others have.
    """

    label: Numbers
    id: Numbers
    rank: Numbers
    key_first: Rows
    keys: Numbers
    sketch: NDArray[np.uint8]
    sizes: Rows


def removals(
    members: Members, load: Load, *, measure: Literal["jaccard", "containment"], threshold: float, memory: int
) -> Found:
    """The rows to remove, sorted, for each the row of the most preferred document that it repeats, and the similarity.

    Two documents are candidates if they share a key or, for containment, at least half of the keys of the one that has
    fewer. The similarity of a candidate pair is |A & B| / |A | B| of their shingles or, for containment, / |B|, of the
    less preferred B: what goes is in what stays, and not the other way round. A pair is verified from `threshold` on:
    at least, where LLaMA (Touvron 2023) has books go that share more than 90 %. Documents of an earlier run stay and
    have no shingles: similarity with them is estimated from the sketches (b-bit minwise hashing, Li & König 2010) or,
    for containment, is the share of the keys of the other.

    `load` gives for rows, none of an earlier run, where the shingles of each start (with the end of the last) and all
    shingles, sorted and unique for each. `memory` is how many bytes of them are held at once, with the tables to find
    them by. Raises MemoryBudgetError if that does not do for two of a cluster's documents.
    """
    assert 0 < threshold <= 1, threshold
    rule = Rule(measure == "jaccard", float(threshold))
    earlier = members.id & EARLIER != 0
    assert not rule.jaccard or members.sketch.shape[1] or not earlier.any(), "there is nothing to estimate from"
    arrays = (earlier, members.key_first, members.keys, members.sketch)
    documents = Documents(*(_frozen(array) for array in arrays))
    order, starts = _clusters(members, earlier)
    work = _Work(documents, rule, load, _to_load(members, earlier, order, starts))
    rows, representatives, similarity = (
        np.concatenate(column) for column in zip(_NOTHING, *_found(work, order, starts, memory), strict=True)
    )
    by_row = np.argsort(rows)
    return rows[by_row], representatives[by_row], similarity[by_row]


@dataclass(frozen=True)
class _Work:
    """`sizes` are how many shingles there are to load for each row."""

    documents: Documents
    rule: Rule
    load: Load
    sizes: Rows

    def loaded(self, rows: Rows) -> Loaded:
        sizes = self.sizes[rows]
        wanted, shingles = rows[sizes > 0], np.empty(0, np.uint64)
        if len(wanted):
            first, shingles = self.load(wanted)
            assert np.array_equal(np.diff(first), self.sizes[wanted]), "as many shingles as were promised"
        return Loaded(_frozen(rows), _frozen(np.append(0, np.cumsum(sizes))), _frozen(shingles))


def _frozen(array: NDArray[_Number]) -> NDArray[_Number]:
    # A kernel compiled for arrays that can be written is another kernel.
    view = np.ascontiguousarray(array).view()
    view.setflags(write=False)
    return view


def _clusters(members: Members, earlier: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """The rows of clusters in which something may go, in the order of preference, and where each starts."""
    order = np.lexsort((members.id, members.rank, members.label))
    label = members.label[order]
    starts = np.flatnonzero(np.append(True, label[1:] != label[:-1]))[: len(label)]
    counts = np.diff(starts, append=len(order))
    undecided = (counts > 1) & (np.add.reduceat(~earlier[order], starts, dtype=np.int64) > 0)
    return order[np.repeat(undecided, counts)], np.append(0, np.cumsum(counts[undecided]))


def _to_load(members: Members, earlier: NDArray[np.bool_], order: Rows, starts: Rows) -> Rows:
    """How many shingles to load for each row: none where all others of its cluster are of an earlier run."""
    new = ~earlier[order]
    several = np.add.reduceat(new, starts[:-1], dtype=np.int64) > 1
    sizes = np.zeros(len(earlier), np.int64)
    sizes[order] = np.where(new & np.repeat(several, np.diff(starts)), members.sizes[order], 0)
    return sizes


def _found(work: _Work, order: Rows, starts: Rows, memory: int) -> Iterator[Found]:
    """What goes, first from the clusters that fit into the memory, then from the others."""
    sizes, counts = work.sizes[order], np.diff(starts)
    direct = _DOCUMENT_BYTES + _SHINGLE_BYTES * sizes
    # As much again are the counters of the shingles and one document's, in the order of these.
    indexed = direct + _SHINGLE_BYTES * sizes + ENTRY_BYTES * entries(work.documents, work.rule, order, sizes)
    by_pairs = np.repeat(counts <= overlap.DIRECT, counts)
    totals = np.add.reduceat(np.where(by_pairs, direct, indexed), starts[:-1])
    least = int(np.minimum(totals, 2 * np.maximum.reduceat(indexed, starts[:-1])).max(initial=0))
    if least > memory:
        raise MemoryBudgetError(least)
    room = min(memory, _MOST_MEMORY)
    fits = totals <= room
    yield from _in_packs(work, order[np.repeat(fits, counts)], counts[fits], totals[fits], room)
    for cluster in np.flatnonzero(~fits):
        part = slice(starts[cluster], starts[cluster + 1])
        yield from _in_blocks(work, order[part], indexed[part], room // 2)


def _packs(costs: Rows, room: int) -> Iterator[tuple[int, int]]:
    """The longest runs, one after the other, whose costs are within the room."""
    ends, begin, spent = np.cumsum(costs), 0, 0
    while begin < len(costs):
        end = int(np.searchsorted(ends, spent + room, "right"))
        assert end > begin, "one is larger than the room"
        yield begin, end
        begin, spent = end, int(ends[end - 1])


def _in_packs(work: _Work, order: Rows, counts: Rows, costs: Rows, room: int) -> Iterator[Found]:
    """Clusters of `counts` documents each, as many at a time as fit."""
    starts = np.append(0, np.cumsum(counts))
    for begin, end in _packs(costs, room):
        loaded = work.loaded(order[starts[begin] : starts[end]])
        places, similarity = overlap.decide(work.documents, work.rule, loaded, starts[begin : end + 1] - starts[begin])
        yield _removed(loaded, places, loaded, similarity)


def _in_blocks(work: _Work, rows: Rows, costs: Rows, room: int) -> Iterator[Found]:
    """One cluster: the most preferred documents that fit, what repeats these, and so on with what is undecided."""
    while len(rows):
        (_, size), *chunks = _packs(costs, room)
        block = work.loaded(rows[:size])
        places, similarity = overlap.decide(work.documents, work.rule, block, np.array([0, size]))
        yield _removed(block, places, block, similarity)
        index = overlap.index_of(work.documents, work.rule, block, np.flatnonzero(places < 0), work.sizes[rows].max())
        undecided = [np.empty(0, np.int64)]
        for begin, end in chunks:
            chunk = work.loaded(rows[begin:end])
            places, similarity = overlap.decide_against(work.documents, work.rule, block, index, chunk)
            yield _removed(chunk, places, block, similarity)
            undecided.append(begin + np.flatnonzero(places < 0))
        left = np.concatenate(undecided)
        rows, costs = rows[left], costs[left]


def _removed(asked: Loaded, places: Rows, held: Loaded, similarity: NDArray[np.float64]) -> Found:
    gone = places >= 0
    return asked.rows[gone], held.rows[places[gone]], similarity[gone]
