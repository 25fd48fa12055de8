"""The table of a union-find against a plain search, and its rows in groups against sorting."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels import union_find
from tests.kernels import twins

LARGEST = (1 << 64) - 1
VERTICES = st.integers(0, 30) | st.sampled_from([LARGEST, LARGEST - 1, 1 << 63, 1 << 32])
EDGES = st.lists(st.tuples(VERTICES, VERTICES).filter(lambda edge: edge[0] > edge[1]), min_size=1, max_size=40)


def array(rows: list[tuple[int, int]]) -> np.ndarray:
    return np.array(rows, np.uint64).reshape(-1, 2)


@given(EDGES, st.integers(2, 80))
def test_stars_are_those_of_the_edges_that_were_taken(edges: list[tuple[int, int]], most: int) -> None:
    table = union_find.table(most + 1)
    done, used = union_find.unite(table, 0, most, array(edges))
    stars = table[: union_find.stars(table)].tolist()
    assert sorted(map(tuple, stars)) == sorted(twins.components(edges[:done]).items())
    assert used == len(stars) <= most
    if done < len(edges):
        assert used + 2 > most, "it stops when it might not have room, and not before"


@given(EDGES, st.integers(0, 40))
def test_edges_in_two_calls_are_edges_in_one(edges: list[tuple[int, int]], cut: int) -> None:
    table, used = union_find.table(100), 0
    for some in edges[:cut], edges[cut:]:
        done, used = union_find.unite(table, used, 90, array(some))
        assert done == len(some)
    assert dict(table[: union_find.stars(table)].tolist()) == twins.components(edges)
    union_find.clear(table)
    assert union_find.unite(table, 0, 90, array(edges[:1])) == (1, 2)
    assert union_find.stars(table) == 2


def test_labels_are_what_was_learned_and_told() -> None:
    table, out = union_find.table(9), np.zeros((3, 2), np.uint64)
    assert union_find.learn(table, array([(LARGEST, 3), (9, 0), (0, 0)])) == 3
    asked = array([(9, 30), (4, 10), (0, 31), (10, 11)])
    assert union_find.tell(table, asked, np.uint64(29), out, 1) == (3, 3), "4, 10 and 11 are new"
    assert out.tolist() == [[0, 0], [30, 0], [31, 0]]
    vertices, labels = union_find.labels(table, 6)
    assert (vertices.tolist(), labels.tolist()) == ([0, 4, 9, 10, 11, LARGEST], [0, 4, 0, 4, 4, 3])


@given(EDGES, st.sampled_from([1, 2, 12]), st.data())
def test_stars_are_addressed_to_where_they_are_needed(
    edges: list[tuple[int, int]], bits: int, data: st.DataObject
) -> None:
    done = data.draw(st.integers(0, 1 << bits))
    stars = list(twins.components(edges).items())
    rows = array(stars)
    kept = rows[: union_find.address(rows, done, bits)].tolist()
    assert kept == [list(row) for star in stars for row in twins.address(*star, done << (64 - bits))]


@given(EDGES, st.sampled_from([1, 2, 12]))
def test_groups_are_the_rows_sorted_by_their_top_bits_and_direction(edges: list[tuple[int, int]], bits: int) -> None:
    edges = [edge[::-1] if n % 3 == 0 else edge for n, edge in enumerate(edges)]
    key = [(first >> (64 - bits)) * 2 + (first < second) for first, second in edges]
    rows = array(edges)
    starts = union_find.group(rows, bits).tolist()
    assert len(starts) == (2 << bits) + 1
    assert starts == np.searchsorted(sorted(key), np.arange((2 << bits) + 1)).tolist()
    for group in set(key):
        expected = [edge for edge, k in zip(edges, key, strict=True) if k == group]
        assert sorted(map(tuple, rows[starts[group] : starts[group + 1]].tolist())) == sorted(expected)
