"""Files of rows in buckets: how documents that share a key meet without anybody holding all of them.

In go rows of 64-bit numbers, in the order of their buckets; out come the rows of any run of buckets, of many files, by
one read a file. Where a bucket stands for the top bits of a hash, every file has its rows of that bucket at a place the
header tells, so the same files can be shared out to any number of tasks: how many is decided by the memory there is
when they are read. Where a bucket stands for an input file, the same format carries the answer back.

Layout, all little-endian uint64: buckets, columns, then the first row of each bucket and the number of rows, then the
rows. What stays true: a row is a row, so nothing here changes what is found, whatever the buckets.
"""

from collections.abc import Sequence
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
    """The budget does not do for the smallest piece of work. The message names the least that would."""


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


def _header(file: Any) -> tuple[int, NDArray[np.int64]]:
    """Columns, and where each bucket starts, with the end of the last."""
    buckets, columns = np.frombuffer(file.read(2 * _WORD), "<u8").tolist()
    return columns, np.frombuffer(file.read(_WORD * (buckets + 1)), "<u8").astype(np.int64)


def sizes(paths: Sequence[str]) -> NDArray[np.int64]:
    """(files, buckets): how many rows each file has in each bucket. All have as many buckets."""
    counts = []
    for path in paths:
        with storage.open_read(path) as file:
            counts.append(np.diff(_header(file)[1]))
    return np.array(counts, np.int64).reshape(len(paths), -1)


def read(paths: Sequence[str], first: int, last: int) -> tuple[Numbers, NDArray[np.int64]]:
    """The rows of buckets `first` to `last` (exclusive) of all files, file by file, and how many are of each file.

    No file at all gives no rows of no columns.
    """
    found = []
    for path in paths:
        with storage.open_read(path) as file:
            columns, starts = _header(file)
        found.append((path, columns, starts[first], starts[last], _WORD * (2 + len(starts))))
    counts = np.array([end - start for _, _, start, end, _ in found], np.int64)
    rows = np.empty((int(counts.sum()), found[0][1] if found else 0), np.uint64)
    place = 0
    for path, columns, start, end, header in found:
        if end > start:
            with storage.open_read(path) as file:
                file.seek(header + _WORD * columns * int(start))
                data = file.read(_WORD * columns * int(end - start))
            rows[place : place + end - start] = np.frombuffer(data, "<u8").reshape(-1, columns)
            place += end - start
    return rows, counts
