"""Parquet shards: `part-NNNNN.parquet` or of another kind in a folder, zstd, whole or not there."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import storage

# Columns of few different values. For all others a dictionary is built and thrown away, a sixth of the time to write.
_FEW_VALUES = ["source", "language", "dropped", "reason"]
OPTIONS: dict[str, Any] = {"compression": "zstd", "use_dictionary": _FEW_VALUES}


def part_name(number: int, kind: str = "part") -> str:
    return f"{kind}-{number:05d}.parquet"


def write(path: str, table: pa.Table) -> None:
    with storage.open_write(path) as file:
        pq.write_table(table, file, **OPTIONS)


@contextlib.contextmanager
def writer(path: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A file to write batch by batch; it appears when the block ends without an exception."""
    with storage.open_write(path) as file, pq.ParquetWriter(file, schema, **OPTIONS) as out:
        yield out


def read(path: str, columns: list[str] | None = None, filters: list[tuple[str, str, Any]] | None = None) -> pa.Table:
    """Columns of a file; `filters` as pyarrow's, so that row groups with nothing of that are not read."""
    with storage.open_read(path) as file:
        return pq.read_table(file, columns=columns, filters=filters)


def batches(path: str, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Columns of a Parquet file, so many rows at a time."""
    with storage.open_read(path) as file:
        yield from pq.ParquetFile(file).iter_batches(rows, columns=list(columns))


def read_part(folder: str, number: int, columns: list[str] | None = None) -> pa.Table:
    return read(storage.join(folder, part_name(number)), columns)


def count_parts(folder: str) -> int:
    return sum(name.startswith("part-") and name.endswith(".parquet") for name in storage.list_folder(folder))


def text_bytes(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """UTF-8 bytes of each text, int64."""
    return pc.binary_length(texts.cast(pa.large_binary()))
