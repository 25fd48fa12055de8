"""Files of rows in buckets: how documents that share a key meet without anybody holding all of them.

In go rows of 64-bit numbers, in the order of their buckets; out come the rows of any run of buckets, of many files, by
one read a file. Where a bucket stands for the top bits of a hash, every file has its rows of that bucket at a place the
header tells, so the same files can be shared out to any number of tasks: how many is decided by the memory there is
when they are read. Where a bucket stands for an input file, the same format carries the answer back.

Layout, all little-endian uint64: buckets, columns, then the first row of each bucket and the number of rows, then the
rows. What stays true: a row is a row, so nothing here changes what is found, whatever the buckets.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpus import storage

Numbers = NDArray[np.uint64]

# 12 bits: 10 billion documents of 14 bands are 547 MB a bucket, and the header of a small file is 32 KB.
KEY_BUCKETS = 4096
_KEY_SHIFT = np.uint64(52)
_WORD = 8


class MemoryBudgetError(ValueError):
    """The budget does not do for the smallest piece of work. `needed` are the bytes that would, for arrays alone."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"{needed:,} bytes are needed at once for one piece of work; give more by dedup.memory")
        self.needed = needed


def of_keys(keys: Numbers) -> NDArray[np.int64]:
    """The bucket of each key, a hash: its top 12 bits, so that keys in order are buckets in order."""
    return (keys >> _KEY_SHIFT).astype(np.int64)


def write(path: str, rows: Numbers, bucket: NDArray[np.int64], buckets: int) -> None:
    """Write (n, columns) rows whose `bucket`s, numbers below `buckets`, are in order."""
    assert np.all(bucket[:-1] <= bucket[1:]), "rows are not in the order of their buckets"
    starts = np.searchsorted(bucket, np.arange(buckets + 1))
    with storage.open_write(path) as file:
        file.write(np.array([buckets, rows.shape[1], *starts], "<u8").tobytes())
        file.write(np.ascontiguousarray(rows, "<u8").data)


def write_by_key(path: str, rows: Numbers) -> None:
    """Write rows whose first column is a hash, sorted by it."""
    write(path, rows, of_keys(rows[:, 0]), KEY_BUCKETS)


def _header(file: Any, first: int = 0, last: int | None = None) -> tuple[int, int, NDArray[np.int64]]:
    """Columns, the byte where the rows begin, and where buckets `first` to `last` start, with the end of the last.

    A task needs two numbers of the 32 KB, of thousands of files.
    """
    buckets, columns = np.frombuffer(file.read(2 * _WORD), "<u8").tolist()
    last = buckets if last is None else last
    file.seek(_WORD * (2 + first))
    starts = np.frombuffer(file.read(_WORD * (last - first + 1)), "<u8").astype(np.int64)
    return columns, _WORD * (3 + buckets), starts


def ranges(paths: Sequence[str], row_bytes: int, memory: int, most: int) -> list[tuple[int, int]]:
    """Runs of buckets, (first, last), for tasks that take `row_bytes` a row: at most `memory` bytes and `most` rows.

    No rows at all are one run without buckets. Raises MemoryBudgetError where one bucket is too large by itself.
    """
    rows = np.zeros(0, np.int64)
    for path in paths:
        with storage.open_read(path) as file:
            counts = np.diff(_header(file)[2])
        rows = rows + counts if len(rows) else counts
    least = int(rows.max(initial=0)) * row_bytes
    if least > memory:
        raise MemoryBudgetError(needed=least)
    found: list[tuple[int, int]] = []
    limit, taken = min(memory // row_bytes, most), 0
    for bucket in np.flatnonzero(rows).tolist():
        if not found or taken + rows[bucket] > limit:
            found.append((bucket, bucket + 1))
            taken = 0
        found[-1] = (found[-1][0], bucket + 1)
        taken += int(rows[bucket])
    return found or [(0, 0)]


def read(paths: Sequence[str], first: int, last: int, columns: int) -> tuple[Numbers, NDArray[np.int64]]:
    """The rows of buckets `first` to `last` (exclusive) of all files, file by file, and how many are of each file.

    `columns` are how many they have; more, as of files with a sketch behind, are taken as they come.
    """
    places = []
    for path in paths:
        with storage.open_read(path) as file:
            columns, begin, starts = _header(file, first, last)
        places.append((begin, int(starts[0]), int(starts[-1])))
    counts = np.array([end - start for _, start, end in places], np.int64)
    rows = np.empty((int(counts.sum()), columns), np.uint64)
    place = 0
    for path, (begin, start, end) in zip(paths, places, strict=True):
        if end > start:
            with storage.open_read(path) as file:
                file.seek(begin + _WORD * columns * start)
                data = file.read(_WORD * columns * (end - start))
            rows[place : place + end - start] = np.frombuffer(data, "<u8").reshape(-1, columns)
            place += end - start
    return rows, counts


def read_spans(path: str, bucket: int, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Numbers:
    """The rows from each start to its end, counted from the first row of `bucket`; neither overlap nor go back."""
    with storage.open_read(path) as file:
        columns, begin, offset = _header(file, bucket, bucket)
        rows = np.empty((int((ends - starts).sum()), columns), np.uint64)
        # Spans that touch are one.
        apart = starts[1:] != ends[:-1]
        first, last = np.append(True, apart), np.append(apart, True)
        place = 0
        for start, end in zip(starts[first[: len(starts)]], ends[last[: len(ends)]], strict=True):
            file.seek(begin + _WORD * columns * int(offset[0] + start))
            data = file.read(_WORD * columns * int(end - start))
            rows[place : place + end - start] = np.frombuffer(data, "<u8").reshape(-1, columns)
            place += end - start
    return rows


def total(paths: Sequence[str]) -> int:
    """How many rows the files have together."""
    rows = 0
    for path in paths:
        with storage.open_read(path) as file:
            rows += int(_header(file)[2][-1])
    return rows


def pieces(paths: Sequence[str], first: int, last: int, most: int) -> Iterator[Numbers]:
    """The rows of buckets `first` to `last` (exclusive) of all files, file by file, at most `most` at a time."""
    for path in paths:
        with storage.open_read(path) as file:
            columns, begin, starts = _header(file, first, last)
            file.seek(begin + _WORD * columns * int(starts[0]))
            for start in range(int(starts[0]), int(starts[-1]), most):
                count = min(most, int(starts[-1]) - start)
                yield np.frombuffer(file.read(_WORD * columns * count), "<u8").reshape(count, columns)
