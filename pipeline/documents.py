"""The step that writes what stays of a source, and the verdict on every document.

Repeated lines go last, out of documents that are left; the signatures of those that stay are kept beside them, so that
a later run can tell what this one holds without reading its texts. What stays true: every row of the read step gets
exactly one verdict, and none is both kept and dropped.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards, storage
from corpus.documents import DOCUMENT
from dedup import buckets
from dedup.buckets import Numbers
from dedup.exact import COLUMNS
from dedup.lines import Repeated
from kernels.texts import Texts
from pipeline import repeated
from pipeline.copies import HASHES
from pipeline.near import KEYS, TEXT_ROWS
from pipeline.near_columns import near_columns, near_fields, near_keys
from pipeline.steps import Counts, Task
from pipeline.verdicts import SCHEMA, verdicts


def write(task: Task) -> Counts:
    """The documents step, for one part: what stays as `part-NNNNN.parquet`, `verdicts-NNNNN.parquet` for every row, and
    of what stays `.hashes`, `.keys` and `signatures-NNNNN.parquet`, where the recipe compares by them.
    """
    dropped, languages = Counter[str](), Counter[str]()
    counts = {"kept": 0, "text_bytes": 0, "repeated_units": 0}
    signed = _Signatures(task)
    with (
        shards.writer(task.file(".parquet"), DOCUMENT) as documents,
        shards.writer(_beside(task, "verdicts"), SCHEMA) as judged,
    ):
        for found, filtered, left, units in _left(task):
            judged.write_batch(found)
            # Parquet keeps whole seconds as milliseconds.
            documents.write_batch(left.select(DOCUMENT.names).cast(DOCUMENT))
            signed.add(filtered, left)
            counts["kept"] += len(left)
            counts["text_bytes"] += int(pc.sum(pc.binary_length(left["text"].cast(pa.large_binary()))).as_py() or 0)
            counts["repeated_units"] += units
            languages.update(left["language"].drop_null().to_pylist())
            reasons = found["reason"].drop_null()
            dropped.update(reasons.to_pylist())
            assert len(left) + len(reasons) == len(found), "a document is neither kept nor dropped"
    signed.write()
    return {**counts, "dropped": dict(sorted(dropped.items())), "kept_languages": dict(sorted(languages.items()))}


def _beside(task: Task, name: str) -> str:
    """A file of this part that is no documents."""
    return storage.join(task.out, f"{name}-{task.number:05d}.parquet")


def _left(task: Task) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch, pa.RecordBatch, int]]:
    """For each batch all verdicts, the filter's and the read step's rows of documents that stay, and units lost."""
    params = task.params
    judged = ["text_hash"] if params["exact"] else []
    read = [*DOCUMENT.names, *(near_columns(params["near"]) if params["near"] else [])]
    place = params["first_place"] + task.number
    gone: Repeated | None = None
    row = 0
    for found, filtered, measured in verdicts(task, place, judged, read, TEXT_ROWS):
        if params["lines"] and row % repeated.CHUNK == 0:
            gone = repeated.repeated_of(task, task.number, row // repeated.CHUNK, params["lines"]["unit"])
        row += len(found)
        stays = pc.is_null(found["reason"])
        units = 0
        left = measured.filter(stays)
        if gone:
            left, fails, units = _without(gone, left, params["lines"])
            found, stays = _with_reasons(found, stays, fails, f"repeated_{params['lines']['unit']}s")
        yield found, filtered.filter(stays), left, units


def _without(
    gone: Repeated, left: pa.RecordBatch, wanted: Mapping[str, Any]
) -> tuple[pa.RecordBatch, NDArray[np.bool_], int]:
    """Documents less what is repeated, without those of which too little is left, and which those are.

    A text that lost nothing is not held to the minimum: the recipe's own rules have judged it.
    """
    texts, lost, units = gone.without(Texts.of(left["text"]))
    fails = lost & (pc.utf8_length(texts).to_numpy(zero_copy_only=False) < wanted["min_characters"])
    left = left.set_column(left.schema.get_field_index("text"), DOCUMENT.field("text"), texts)
    return left.filter(pa.array(~fails)), fails, units


def _with_reasons(
    found: pa.RecordBatch, stays: pa.Array, fails: NDArray[np.bool_], reason: str
) -> tuple[pa.RecordBatch, pa.Array]:
    """The verdicts with a reason for those that fail, which are counted among those that stay; and who stays then."""
    reasons = found["reason"].to_numpy(zero_copy_only=False)
    reasons[np.flatnonzero(stays)[fails]] = reason
    named = pa.array(reasons, pa.string())
    return found.set_column(1, SCHEMA.field("reason"), named), pc.is_null(named)


class _Signatures:
    """What the documents that stay are known by in a later run."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.near = task.params["near"]
        self.hashes: list[Numbers] = [np.empty((0, COLUMNS), np.uint64)]
        self.near_batches: list[pa.RecordBatch] = []

    def add(self, filtered: pa.RecordBatch, left: pa.RecordBatch) -> None:
        ids = left["id"].to_numpy()
        if self.task.params["exact"]:
            halves = np.asarray(filtered["text_hash"].flatten()).reshape(-1, 2)
            self.hashes.append(np.column_stack([halves, np.zeros(len(ids), np.uint64), ids]))
        if self.near:
            self.near_batches.append(left.select(["id", *near_columns(self.near)]))

    def write(self) -> None:
        if self.task.params["exact"]:
            rows = np.concatenate(self.hashes)
            buckets.write_by_key(self.task.file(HASHES), rows[np.argsort(rows[:, 0], kind="stable")])
        if self.near:
            schema = pa.schema([DOCUMENT.field("id"), *near_fields(self.near)])
            table = pa.Table.from_batches(self.near_batches, schema=schema)
            shards.write(_beside(self.task, "signatures"), table)
            batch = table.combine_chunks().to_batches()
            rows = np.empty((0, 2), np.uint64)
            if batch:
                first, keys = near_keys(batch[0], self.near)
                rows = np.column_stack([keys, np.repeat(batch[0]["id"].to_numpy(), np.diff(first))])
            buckets.write_by_key(self.task.file(KEYS), rows[np.argsort(rows[:, 0], kind="stable")])
