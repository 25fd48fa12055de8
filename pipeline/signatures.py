"""What the documents of a part that stay are known by in later runs: hashes, near keys and sketches, without texts.

Written as by a keys step, a file for every CHUNK documents: `.hashes` rows of hash, rank 0 and id, `.keys` rows of near
key and id; and `signatures-NNNNN.parquet` with the near columns by id.
"""

import contextlib
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import shards, storage
from corpus.documents import DOCUMENT
from dedup import buckets
from dedup.buckets import Numbers
from pipeline import group
from pipeline.copies import HASHES
from pipeline.near import KEYS
from pipeline.near_columns import near_columns, near_fields, near_keys
from pipeline.steps import Task

CHUNK = group.ROWS


class Signatures:
    """Used as `with Signatures(task) as signed: signed.add(...)`; what the recipe does not compare by is not kept."""

    def __init__(self, task: Task) -> None:
        self._task, self._near = task, task.params["near"]
        self._files = contextlib.ExitStack()
        self._sketches: pq.ParquetWriter | None = None
        self._hashes: list[Numbers] = []
        self._keys: list[Numbers] = []
        self._held = self._chunks = 0

    def __enter__(self) -> Self:
        if self._near:
            path = storage.join(self._task.out, shards.part_name(self._task.number, "signatures"))
            schema = pa.schema([DOCUMENT.field("id"), *near_fields(self._near)])
            self._sketches = self._files.enter_context(shards.writer(path, schema))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self._write()
        self._files.__exit__(kind, error, at)

    def add(self, filtered: pa.RecordBatch, left: pa.RecordBatch) -> None:
        """The next documents that stay: their rows of the filter and of the read step."""
        ids = left["id"].to_numpy()
        if self._task.params["exact"]:
            halves = np.asarray(filtered["text_hash"].flatten()).reshape(-1, 2)
            self._hashes.append(np.column_stack([halves, np.zeros(len(ids), np.uint64), ids]))
        if self._sketches:
            self._sketches.write_batch(left.select(["id", *near_columns(self._near)]))
            first, keys = near_keys(left, self._near)
            self._keys.append(np.column_stack([keys, np.repeat(ids, np.diff(first))]))
        self._held += len(ids)
        if self._held >= CHUNK:
            self._write()

    def _write(self) -> None:
        for suffix, rows in ((HASHES, self._hashes), (KEYS, self._keys)):
            if rows:
                table = np.concatenate(rows)
                path = self._task.file(f"-{self._chunks:05d}{suffix}")
                buckets.write_by_key(path, table[np.argsort(table[:, 0], kind="stable")])
                rows.clear()
        self._chunks += 1
        self._held = 0
