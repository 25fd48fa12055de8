"""Connected components of a graph that is larger than memory: edges in files in, a label for every vertex out.

In go bucket files of edges (larger, smaller) between scattered ids, which are spread evenly over 64 bits; out come all
vertices in order, each with its label, the smallest vertex of its component. The vertices are cut into equal parts. The
first pass goes from the highest part to the lowest and unites edges in a table. When the table is full, what it holds
is a star to the smallest vertex for each component so far: of a part that is done a vertex only has to learn the label
of its star's center, and for all others the star's edges take the place of those that made it, and wait for their
parts. The second pass goes back up with the labels, since a center is always smaller.

What stays true: edges never become more than there were, and labels depend on the edges and on nothing else, neither
their order, nor their files, nor the memory.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from dedup import buckets
from dedup.buckets import KEY_BUCKETS, MemoryBudgetError, Numbers
from kernels import union_find

# A file's header and the starts of groups, more than once, and what else does not grow with the budget.
_FIXED = 1 << 19
# All sizes are multiples of the rows that are read at once, of 16 bytes, as are the places of a table: 64 times as many
# places, with vertices in three quarters of them, as a fuller table is slow, and room for four pieces that are read.
_PLACES, _VERTICES, _BYTES = 64, 48, 16 * (64 + 4)
# In the second pass: the places of its table, the vertices that come together, and the rows on their way up. With the
# labels that are returned and those returned before, which the caller may still have, they are less than the above.
_LABEL_PLACES, _LABEL_VERTICES, _OUT = 24, 12, 12
# Below this, chance decides how many vertices are in a part.
_LEAST_PIECE = 16
# The places of a table are numbers of 32 bits.
_MOST_PIECE = (1 << 32) // _PLACES - 1
_UNEVEN = "the vertices are not spread evenly over 64 bits"


def components(files: Sequence[str], scratch: str, memory: int) -> Iterator[tuple[Numbers, Numbers]]:
    """The vertices of the edges in bucket `files` and the label of each, range after range, all ascending.

    `files` are of `buckets.write_by_key`, and an edge may be in any number of them. `memory` is the bytes that arrays
    take at most; raises MemoryBudgetError before an edge is read if a bucket's vertices might not fit. `scratch` is a
    local folder for temporary files of up to 64 bytes an edge, and seldom half of that; they are gone when the iterator
    is.
    """
    edges = buckets.total(files)
    # An edge has at most two vertices. A part has at most a quarter of those that the table holds, so that the stars of
    # one part leave room for what they are joined to, in spite of chance.
    least = max(_LEAST_PIECE, 8 * edges // (_VERTICES * KEY_BUCKETS) + 1)
    if memory < _FIXED + least * _BYTES:
        raise MemoryBudgetError(_FIXED + least * _BYTES)
    # A table with a place for every edge is seldom full, and a larger one only slower.
    piece = min((memory - _FIXED) // _BYTES, max(least, edges // _PLACES), _MOST_PIECE)
    bits = max(1, (8 * edges // (_VERTICES * piece)).bit_length())
    return _components(files, scratch, bits, piece)


def _components(files: Sequence[str], scratch: str, bits: int, piece: int) -> Iterator[tuple[Numbers, Numbers]]:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        spills = _Spills(folder, bits, piece)
        _contract(files, spills)
        out = np.empty((piece * _OUT, 2), np.uint64)
        for first, last in _runs(spills):
            yield _labels(first, last, spills, out)


class _Spill:
    """Rows of two numbers in temporary files, one for each part: that of the row's first number."""

    def __init__(self, prefix: str, piece: int) -> None:
        self._prefix, self._piece = prefix, piece

    def _path(self, part: int) -> str:
        return f"{self._prefix}-{part}"

    def rows(self, part: int) -> int:
        path = self._path(part)
        return os.path.getsize(path) // 16 if os.path.exists(path) else 0

    def add(self, part: int, rows: Numbers) -> None:
        with open(self._path(part), "ab") as file:
            file.write(rows.data)

    def take(self, part: int) -> Iterator[Numbers]:
        """A part's rows, with those that are added before the last is taken; then they are gone."""
        path = self._path(part)
        if os.path.exists(path):
            with open(path, "rb") as file:
                while data := file.read(16 * self._piece):
                    yield np.frombuffer(data, np.uint64).reshape(-1, 2)
            os.remove(path)


class _Spills:
    """What is handed from part to part."""

    def __init__(self, folder: str, bits: int, piece: int) -> None:
        self.bits, self.piece = bits, piece
        # Edges as (larger, smaller); (center, vertex) that waits for the center's label; (vertex, label).
        self.edges = _Spill(f"{folder}/edges", piece)
        self.waiting = _Spill(f"{folder}/waiting", piece)
        self.labels = _Spill(f"{folder}/labels", piece)


def _contract(files: Sequence[str], spills: _Spills) -> None:
    """The first pass: leaves every vertex of an edge a label, or waiting for one, or waited for."""
    table, used, most = union_find.table(spills.piece * _PLACES), 0, spills.piece * _VERTICES
    width = KEY_BUCKETS >> spills.bits
    for part in reversed(range(1 << spills.bits)):
        read = buckets.pieces(files, part * width, (part + 1) * width, spills.piece)
        for edges in chain(read, spills.edges.take(part)):
            rest = edges
            while len(rest):
                done, used = union_find.unite(table, used, most, rest)
                rest = rest[done:]
                if len(rest):
                    # This part is not done: what the table has of it goes back to it.
                    back = _spill_stars(table, part + 1, spills)
                    assert back < most // 2, _UNEVEN
                    used = 0
    _spill_stars(table, 0, spills)


def _spill_stars(table: Numbers, done: int, spills: _Spills) -> int:
    """Empty the table into `spills`, where parts from `done` on are done. Returns the edges of the part before."""
    stars = table[: union_find.stars(table)]
    rows, back = stars[: union_find.address(stars, done, spills.bits)], 0
    starts = union_find.group(rows, spills.bits)
    for group in np.flatnonzero(np.diff(starts)).tolist():
        part, ascending = divmod(group, 2)
        kind = spills.labels if part >= done else spills.waiting if ascending else spills.edges
        kind.add(part, rows[starts[group] : starts[group + 1]])
        if kind is spills.edges and part == done - 1:
            back = int(starts[group + 1] - starts[group])
    union_find.clear(table)
    return back


def _most(part: int, spills: _Spills) -> int:
    """How many vertices a part adds to a table of labels at most: a waiting one comes with its center."""
    return spills.labels.rows(part) + 2 * spills.waiting.rows(part)


def _runs(spills: _Spills) -> Iterator[tuple[int, int]]:
    """Runs of parts (first, last), with vertices, whose labels fit; the parts before have to be done."""
    first, parts = 0, 1 << spills.bits
    while first < parts:
        vertices, last = _most(first, spills), first + 1
        while last < parts and vertices + _most(last, spills) <= spills.piece * _LABEL_VERTICES:
            vertices, last = vertices + _most(last, spills), last + 1
        if vertices:
            yield first, last
        first = last


def _labels(first: int, last: int, spills: _Spills, out: Numbers) -> tuple[Numbers, Numbers]:
    """The second pass for a run of parts, after all below it: its vertices, sorted, and their labels."""
    most = sum(_most(part, spills) for part in range(first, last))
    table, used, filled = union_find.table(min(2 * most, spills.piece * _LABEL_PLACES)), 0, 0
    for known in chain.from_iterable(map(spills.labels.take, range(first, last))):
        assert used + len(known) < len(table), _UNEVEN
        used += union_find.learn(table, known)
    largest = np.uint64((last << (64 - spills.bits)) - 1)
    # A center is always in a lower part than who waits for it, so that its own label is known by then.
    for waiting in chain.from_iterable(map(spills.waiting.take, range(first, last))):
        assert used + 2 * len(waiting) < len(table), _UNEVEN
        if filled + len(waiting) > len(out):
            _spill_labels(out[:filled], spills)
            filled = 0
        filled, new = union_find.tell(table, waiting, largest, out, filled)
        used += new
    _spill_labels(out[:filled], spills)
    return union_find.labels(table, used)


def _spill_labels(rows: Numbers, spills: _Spills) -> None:
    starts = union_find.group(rows, spills.bits)
    for group in np.flatnonzero(np.diff(starts)).tolist():
        spills.labels.add(group // 2, rows[starts[group] : starts[group + 1]])
