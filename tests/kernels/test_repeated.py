"""Marking rows of many files, with enough rows that the kernel goes through them a part at a time."""

import numpy as np
import pytest

from kernels.repeated import FIRST, ONCE, REPEATED, mark

LARGEST = 2**64 - 1


def plainly(files: list[np.ndarray]) -> np.ndarray:
    """The same by one stable sort of all rows."""
    rows = np.concatenate(files)
    order = np.argsort(rows[:, 0], kind="stable")
    hashes = rows[order, 0]
    first = np.append(True, hashes[1:] != hashes[:-1])
    number = np.cumsum(first) - 1
    total = np.bincount(number, weights=rows[order, 1].astype(float))[number]
    verdicts = np.empty(len(rows), np.uint8)
    verdicts[order] = np.where(total == 1, ONCE, np.where(first, FIRST, REPEATED))
    return verdicts


def check(files: list[np.ndarray]) -> None:
    starts = np.cumsum([0, *map(len, files)])
    assert np.array_equal(mark(np.concatenate(files), starts), plainly(files))


def file_of(luck: np.random.Generator, hashes: np.ndarray) -> np.ndarray:
    different = np.unique(hashes)
    return np.stack([different, luck.choice(np.array([1, 1, 1, 2], np.uint64), len(different))], axis=1)


@pytest.mark.parametrize("files", [1, 3, 40, 20_000])
@pytest.mark.parametrize("high", [1 << 18, LARGEST])
def test_rows_are_marked_as_by_a_sort_of_them_all(files: int, high: int) -> None:
    luck = np.random.default_rng(0)
    hashes = luck.integers(1, high, 300_000, np.uint64, endpoint=True)
    hashes[luck.integers(0, len(hashes), 100_000)] = luck.choice(hashes[:50_000], 100_000)
    hashes[:6] = LARGEST
    check([file_of(luck, part) for part in np.split(hashes, np.sort(luck.integers(0, len(hashes), files - 1)))])


def test_hashes_that_lie_all_but_one_in_one_part() -> None:
    luck = np.random.default_rng(0)
    near = [np.append(luck.integers(1, 1 << 17, 60_000, np.uint64), np.uint64(LARGEST)) for _ in range(3)]
    check([file_of(luck, hashes) for hashes in near])


def test_files_without_rows_are_passed_over() -> None:
    luck = np.random.default_rng(0)
    some, none = file_of(luck, np.array([5, LARGEST], np.uint64)), np.empty((0, 2), np.uint64)
    check([none, some, none, none, some, none])
    check([some[:1]])
