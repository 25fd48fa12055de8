"""Components out of core against scipy's in memory, whatever the files and the memory."""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from corpus.hashing import mix
from dedup import buckets
from dedup.components import components

LEAST, PLENTY = 541_696, 100_000_000


def scattered(a: Sequence[int] | np.ndarray, b: Sequence[int] | np.ndarray) -> np.ndarray:
    """Edges (larger, smaller) between the scattered ids; an edge from a vertex to itself is none."""
    left, right = mix(np.asarray(a, np.uint64)), mix(np.asarray(b, np.uint64))
    rows = np.stack([np.maximum(left, right), np.minimum(left, right)], axis=1)
    return rows[left != right]


def written(folder: Path, parts: Sequence[np.ndarray]) -> list[str]:
    files = [str(folder / f"edges-{n}") for n in range(len(parts))]
    for file, rows in zip(files, parts, strict=True):
        buckets.write_by_key(file, rows[np.argsort(rows[:, 0])])
    return files


def found(files: Sequence[str], folder: Path, memory: int) -> tuple[np.ndarray, np.ndarray]:
    """All vertices and labels; every range in order, and nothing left in the scratch folder."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    ranges = list(components(files, str(scratch), memory))
    assert not list(scratch.iterdir())
    vertices = np.concatenate([np.empty(0, np.uint64), *(vertices for vertices, _ in ranges)])
    assert np.all(vertices[:-1] < vertices[1:])
    return vertices, np.concatenate([np.empty(0, np.uint64), *(labels for _, labels in ranges)])


def expected(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    vertices, ends = np.unique(edges, return_inverse=True)
    ends = ends.reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(len(vertices), len(vertices)))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    return vertices, vertices[first[component]]


def same(left: tuple[np.ndarray, np.ndarray], right: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def shape(kind: str, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The ends of `size` edges, before they are scattered."""
    rng = np.random.default_rng(seed)
    numbers = np.arange(size)
    match kind:
        case "chain":
            order = rng.permutation(size + 1)
            return order[:-1], order[1:]
        case "star":
            return numbers + 1, np.zeros(size, np.int64)
        case "pairs":
            return 2 * numbers, 2 * numbers + 1
        case "hubs":
            return numbers + 5, rng.integers(0, 5, size)
        case "sparse":
            return rng.integers(0, 2 * size + 2, size), rng.integers(0, 2 * size + 2, size)
        case _:
            return rng.integers(0, size // 8 + 2, size), rng.integers(0, size // 8 + 2, size)


SHAPES = ["chain", "star", "pairs", "hubs", "sparse", "dense"]


@given(st.sampled_from(SHAPES), st.integers(0, 30), st.integers(0, 9), st.integers(1, 4))
def test_small_graphs_have_scipys_components(
    tmp_path_factory: pytest.TempPathFactory, kind: str, size: int, seed: int, files: int
) -> None:
    edges, folder = scattered(*shape(kind, size, seed)), tmp_path_factory.mktemp("small")
    assert same(found(written(folder, np.array_split(edges, files)), folder, LEAST), expected(edges))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("memory", [LEAST + 20_000, LEAST + 200_000, PLENTY])
def test_memory_for_a_fraction_of_the_edges_finds_scipys_components(tmp_path: Path, kind: str, memory: int) -> None:
    edges = scattered(*shape(kind, 20_000, seed=1))
    assert same(found(written(tmp_path, np.array_split(edges, 3)), tmp_path, memory), expected(edges))


@pytest.mark.parametrize("kind", ["smallest", "largest"])
def test_the_center_of_a_star_may_be_the_smallest_and_the_largest_vertex(tmp_path: Path, kind: str) -> None:
    """All edges of a star around the largest vertex are in one bucket, many times as many as the table holds."""
    leaves = np.unique(mix(np.arange(30_000, dtype=np.uint64)))
    leaves = leaves[(leaves > 0) & (leaves < np.uint64(2**64 - 1))]
    center = np.full(len(leaves), 0 if kind == "smallest" else 2**64 - 1, np.uint64)
    edges = np.stack([leaves, center] if kind == "smallest" else [center, leaves], axis=1)
    vertices, labels = found(written(tmp_path, [edges]), tmp_path, LEAST)
    assert np.array_equal(vertices, np.unique(edges))
    assert np.all(labels == vertices[0])


def test_a_chain_of_a_million_vertices_in_random_order_is_one_component(tmp_path: Path) -> None:
    edges = scattered(*shape("chain", 1_000_000, seed=3))
    vertices, labels = found(written(tmp_path, [edges]), tmp_path, 5_000_000)
    assert np.array_equal(vertices, np.unique(edges))
    assert np.all(labels == vertices[0])


def test_files_split_otherwise_and_edges_in_several_give_the_same_output(tmp_path: Path) -> None:
    edges = scattered(*shape("sparse", 10_000, seed=2))
    shuffled = edges[np.random.default_rng(0).permutation(len(edges))]
    divisions = [[edges], [edges, edges], np.array_split(shuffled, 7), [edges[:0], shuffled[:6000], shuffled[3000:]]]
    for n, division in enumerate(divisions):
        folder = tmp_path / str(n)
        folder.mkdir()
        assert same(found(written(folder, division), folder, LEAST + 30_000), expected(edges))


def test_no_files_and_no_edges_have_no_vertices(tmp_path: Path) -> None:
    assert len(found([], tmp_path, LEAST)[0]) == 0
    assert len(found(written(tmp_path, [np.empty((0, 2), np.uint64)] * 2), tmp_path, LEAST)[0]) == 0


@pytest.mark.parametrize("kind", ["sparse", "dense", "star"])
def test_arrays_take_no_more_than_the_memory_there_is(tmp_path: Path, kind: str) -> None:
    size, memory = 1_000_000, 1_600_000
    files = written(tmp_path, [scattered(*shape(kind, size, seed=4))])
    # What is compiled and imported by the first call is not the function's.
    found(files[:1], tmp_path, memory)
    tracemalloc.start()
    try:
        count = sum(len(vertices) for vertices, _ in components(files, str(tmp_path / "scratch"), memory))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count > 100_000
    assert memory // 2 < peak <= memory, "the memory is used, and no more than it"


def test_the_error_names_the_least_memory_that_does(tmp_path: Path) -> None:
    edges = scattered(*np.random.default_rng(5).integers(0, 3000, (2, 450_000)))
    files = written(tmp_path, [edges])
    with pytest.raises(buckets.MemoryBudgetError) as error:
        components(files, str(tmp_path), LEAST)
    least = int(str(error.value).split()[0].replace(",", ""))
    assert LEAST < least < edges.nbytes // 10
    with pytest.raises(buckets.MemoryBudgetError):
        components(files, str(tmp_path), least - 1)
    assert same(found(files, tmp_path, least), expected(edges))


def test_an_iterator_that_is_given_up_leaves_no_files(tmp_path: Path) -> None:
    files = written(tmp_path, [scattered(*shape("sparse", 20_000, seed=6))])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    ranges = components(files, str(scratch), LEAST)
    next(ranges)
    assert list(scratch.iterdir())
    del ranges
    assert not list(scratch.iterdir())
