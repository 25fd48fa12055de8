from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup import buckets


def files(folder: Path, sizes: list[int]) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(0)
    paths, everything = [], []
    for number, size in enumerate(sizes):
        keys = np.sort(rng.integers(0, 1 << 64, size, dtype=np.uint64))
        rows = np.column_stack([keys, np.arange(size, dtype=np.uint64) + np.uint64(1000 * number)])
        paths.append(str(folder / f"{number}"))
        buckets.write_by_key(paths[-1], rows)
        everything.append(rows)
    return paths, np.concatenate(everything)


@pytest.mark.parametrize("where", ["local", "memory"])
def test_any_runs_of_buckets_hold_every_row_once(where: str, tmp_path: Path) -> None:
    paths, rows = files(tmp_path, [500, 0, 1, 800])
    if where == "memory":
        for path in paths:
            buckets.storage.write_bytes(f"memory://b/{path}", Path(path).read_bytes())
        paths = [f"memory://b/{path}" for path in paths]
    for cuts in ([0, 4096], [0, 7, 8, 2000, 4096]):
        found = []
        for first, last in pairwise(cuts):
            here, counts = buckets.read(paths, first, last, 2)
            assert counts.sum() == len(here)
            assert np.all((buckets.of_keys(here[:, 0]) >= first) & (buckets.of_keys(here[:, 0]) < last))
            found.append(here)
        together = np.concatenate(found)
        assert np.array_equal(together[np.argsort(together[:, 1])], rows[np.argsort(rows[:, 1])])


def test_ranges_are_as_large_as_memory_and_rows_allow(tmp_path: Path) -> None:
    paths, rows = files(tmp_path, [5000, 5000])
    for memory, most in ((100_000, 10**9), (10**9, 700), (10**9, 10**9)):
        runs = buckets.ranges(paths, 16, memory, most)
        sizes = [len(buckets.read(paths, *run, 2)[0]) for run in runs]
        assert sum(sizes) == len(rows)
        assert max(sizes) <= min(memory // 16, most)
        assert len(runs) <= 1 + 1.1 * len(rows) / min(memory // 16, most)


def test_the_error_names_the_least_that_would_do(tmp_path: Path) -> None:
    paths, _ = files(tmp_path, [5000])
    with pytest.raises(buckets.MemoryBudgetError) as error:
        buckets.ranges(paths, 16, 30, 10**9)
    assert buckets.ranges(paths, 16, error.value.needed, 10**9)
    with pytest.raises(buckets.MemoryBudgetError):
        buckets.ranges(paths, 16, error.value.needed - 1, 10**9)


def test_no_rows_are_one_run_without_buckets(tmp_path: Path) -> None:
    paths, _ = files(tmp_path, [0])
    assert buckets.ranges(paths, 16, 0, 1) == buckets.ranges([], 16, 0, 1) == [(0, 0)]
    assert buckets.read(paths, 0, 0, 2)[0].shape == buckets.read([], 0, 0, 2)[0].shape == (0, 2)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20, unique=True))
def test_spans_are_counted_from_their_bucket(chosen: list[int]) -> None:
    rows = np.arange(40, dtype=np.uint64)[:, None]
    buckets.write("memory://spans", rows, np.arange(40) // 4, 10)
    starts = np.array(sorted(chosen))
    found = buckets.read_spans("memory://spans", 2, starts, starts + 1)
    assert found[:, 0].tolist() == [8 + start for start in sorted(chosen)]
