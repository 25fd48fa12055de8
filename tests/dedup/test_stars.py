import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from corpus.hashing import unmix
from dedup.stars import stars

rows_of = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 9)), max_size=40)


def components(pairs: np.ndarray, ids: list[int]) -> set[frozenset[int]]:
    place = {number: row for row, number in enumerate(ids)}
    a, b = ([place[int(number)] for number in side] for side in pairs.reshape(-1, 2).T)
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(len(ids), len(ids)))
    _, labels = connected_components(graph, directed=False)
    return {frozenset(ids[i] for i in np.flatnonzero(labels == label)) for label in set(labels.tolist())}


@given(rows_of)
def test_a_star_joins_what_all_pairs_of_a_key_would(rows: list[tuple[int, int]]) -> None:
    table = np.array(rows, np.uint64).reshape(-1, 2)
    ids = sorted(set(table[:, 1].tolist()))
    pairs = [(a, b) for key, a in rows for other, b in rows if key == other]
    firsts, edges = stars(table)
    assert firsts.tolist() == [[key, min(b for k, b in rows if k == key)] for key in sorted({k for k, _ in rows})]
    assert np.all(edges[:, 0] > edges[:, 1])
    assert len(np.unique(edges, axis=0)) == len(edges)
    if ids:
        assert components(unmix(edges), ids) == components(np.array(pairs), ids)


@given(rows_of, st.integers(0, 40))
def test_stars_of_parts_and_then_of_their_firsts_join_the_same(rows: list[tuple[int, int]], cut: int) -> None:
    table = np.array(rows, np.uint64).reshape(-1, 2)
    ids = sorted(set(table[:, 1].tolist()))
    _, whole = stars(table)
    (first, left), (second, right) = stars(table[:cut]), stars(table[cut:])
    _, between = stars(np.concatenate([first, second]))
    if ids:
        parts = np.concatenate([left, right, between])
        assert components(unmix(parts), ids) == components(unmix(whole), ids)
