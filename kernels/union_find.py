"""Components of a graph in a hash table of its vertices: as many places as memory allows, whatever the edges.

In go edges, a piece at a time, and a table: (places, 2) uint64, in each row a vertex and the place of its parent, which
is a smaller vertex of the same component, or its own place. Out come rows of vertex and root, which is the smallest
vertex of the component as far as its edges were seen. The same table holds the label of a vertex, in the second pass.

What stays true: no vertex is the largest 64-bit number with a larger one beside it, so that number as a parent or a
label marks a place as free.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner, kernel

Table = NDArray[np.uint64]

_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_0, _1, _HALF = np.uint64(0), np.uint64(1), np.uint64(32)
# The golden ratio, whose product has its best bits at the top (Knuth, volume 3, section 6.4).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def table(places: int) -> Table:
    """A table without vertices, of fewer than 2**32 places."""
    assert 0 < places < 1 << 32, places
    return np.full((places, 2), _FREE)


def clear(table: Table) -> None:
    """Make `table` one without vertices."""
    table.fill(_FREE)


@inner
def _place(table: Table, vertex: np.uint64) -> np.uint64:
    """Where `vertex` is, or the free place where it goes."""
    places = np.uint64(len(table))
    place = (((vertex * _GOLDEN) >> _HALF) * places) >> _HALF
    while table[place, _1] != _FREE and table[place, _0] != vertex:
        place += _1
        if place == places:
            place = _0
    return place


@inner
def _root(table: Table, place: np.uint64) -> np.uint64:
    """The place of the root, with the path halved."""
    parent = table[place, _1]
    while parent != place:
        above = table[parent, _1]
        table[place, _1] = above
        place, parent = above, table[above, _1]
    return place


@kernel
def unite(table: Table, used: int, most: int, edges: NDArray[np.uint64]) -> tuple[int, int]:
    """Join the ends of each edge until the table has `most` vertices: the edges it took, and the vertices there are.

    Edges that share their larger vertex are best next to each other.
    """
    for e in range(len(edges)):
        if used + 2 > most:
            return e, used
        larger, smaller = edges[e, 0], edges[e, 1]
        if e == 0 or larger != edges[e - 1, 0]:
            a = _place(table, larger)
            if table[a, _1] == _FREE:
                table[a, _0], table[a, _1] = larger, a
                used += 1
        b = _place(table, smaller)
        if table[b, _1] == _FREE:
            table[b, _0], table[b, _1] = smaller, b
            used += 1
        a, b = _root(table, a), _root(table, b)
        if table[a, _0] < table[b, _0]:
            table[b, _1] = a
        else:
            table[a, _1] = b
    return len(edges), used


@kernel
def stars(table: Table) -> int:
    """Turn the table into rows of vertex and root, at its front, and say how many they are."""
    places = np.uint64(len(table))
    for place in range(places):
        if table[place, _1] != _FREE:
            table[place, _1] = _root(table, place)
    # A root's own parent is read no more, so that it may become a vertex while others still point to its place.
    for place in range(places):
        if table[place, _1] != _FREE:
            table[place, _1] = table[table[place, _1], _0]
    return _compact(table)


@inner
def _compact(table: Table) -> int:
    n = _0
    for place in range(np.uint64(len(table))):
        if table[place, _1] != _FREE:
            table[n, _0], table[n, _1] = table[place, _0], table[place, _1]
            n += _1
    return np.int64(n)


@kernel
def learn(table: Table, rows: NDArray[np.uint64]) -> int:
    """Keep rows of vertex and label, and say how many are new."""
    new = 0
    for vertex, label in rows:
        place = _place(table, vertex)
        if table[place, _1] == _FREE:
            new += 1
        table[place, _0], table[place, _1] = vertex, label
    return new


@kernel
def tell(
    table: Table, rows: NDArray[np.uint64], last: np.uint64, out: NDArray[np.uint64], filled: int
) -> tuple[int, int]:
    """For rows of center and vertex give the vertex the center's label: in the table up to `last`, and else in `out`.

    A center that the table does not have is its own label. Returns how many rows of `out` are filled, after `filled`
    before, and how many vertices are new.
    """
    new = 0
    for center, vertex in rows:
        place = _place(table, center)
        if table[place, _1] == _FREE:
            table[place, _0], table[place, _1] = center, center
            new += 1
        label = table[place, _1]
        if vertex > last:
            out[filled, 0], out[filled, 1] = vertex, label
            filled += 1
            continue
        place = _place(table, vertex)
        if table[place, _1] == _FREE:
            new += 1
        table[place, _0], table[place, _1] = vertex, label
    return filled, new


def labels(table: Table, used: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The `used` vertices of a table of labels, sorted, and the label of each."""
    found = np.empty(used, np.uint64)
    _vertices(table, found)
    # numpy sorts numbers several times as fast as anything sorts pairs, so labels are looked up instead.
    found.sort()
    label = np.empty(used, np.uint64)
    _look_up(table, found, label)
    return found, label


@kernel
def _vertices(table: Table, out: NDArray[np.uint64]) -> None:
    n = 0
    for place in range(len(table)):
        if table[place, 1] != _FREE:
            out[n] = table[place, 0]
            n += 1


@kernel
def _look_up(table: Table, vertices: NDArray[np.uint64], out: NDArray[np.uint64]) -> None:
    for i in range(len(vertices)):
        out[i] = table[_place(table, vertices[i]), _1]


@kernel
def address(stars: NDArray[np.uint64], done: int, bits: int) -> int:
    """Turn rows of vertex and root, in place, into what is to be kept; the number of such rows, at the front.

    A vertex is done if its top `bits` are `done` or more: all its edges to smaller ones are known. Kept are the edge
    (vertex, root) of one that is not; (vertex, label) if the root is done; and (root, vertex) of one that is done and
    waits for the label of a root that is not. A root that is not done needs no row.
    """
    shift, first = np.uint64(64 - bits), np.uint64(done)
    n = 0
    for i in range(len(stars)):
        vertex, root = stars[i, 0], stars[i, 1]
        vertex_done, root_done = (vertex >> shift) >= first, (root >> shift) >= first
        if vertex == root and not root_done:
            continue
        waits = vertex_done and not root_done
        stars[n, 0], stars[n, 1] = (root, vertex) if waits else (vertex, root)
        n += 1
    return n


@inner
def _group(rows: NDArray[np.uint64], row: int, shift: np.uint64) -> int:
    return np.int64(rows[row, 0] >> shift) * 2 + (rows[row, 0] < rows[row, 1])


@kernel
def group(rows: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Order (n, 2) rows by the top `bits` of the first number, and those where it is the smaller one after the others.

    In place (McIlroy et al. 1993, "Engineering radix sort"). Returns where each of the 2 * 2**bits groups starts, and
    the end of the last.
    """
    shift = np.uint64(64 - bits)
    starts = np.zeros((2 << bits) + 1, np.int64)
    for row in range(len(rows)):
        starts[_group(rows, row, shift) + 1] += 1
    for k in range(2 << bits):
        starts[k + 1] += starts[k]
    place = starts[:-1].copy()
    for k in range(2 << bits):
        while place[k] < starts[k + 1]:
            row = place[k]
            right = _group(rows, row, shift)
            other = place[right]
            place[right] += 1
            if right != k:
                first, second = rows[row, 0], rows[row, 1]
                rows[row, 0], rows[row, 1] = rows[other, 0], rows[other, 1]
                rows[other, 0], rows[other, 1] = first, second
    return starts
