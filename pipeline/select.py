"""The steps where a source's documents meet, and where what stays is written.

    read, filter ──► select ──► documents

`select` finds who goes once all are seen; `documents` writes the rest. Each kind of removal sees only what the one
before it left: low reference scores, exact duplicates, near-duplicates, repeated lines. Near-duplicates go before
lines: all copies of a repeated line go, so two near-duplicates would delete each other's text and both be lost.

What stays true: every row of the read step gets exactly one verdict, and none is both kept and dropped.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards, storage
from corpus.documents import DOCUMENT
from dedup import exact, lines, minhash
from filters import reference
from kernels.texts import Texts
from pipeline.read import BANDS
from pipeline.steps import Counts, Task

REMOVED = "removed.parquet"
REPEATED = "repeated_lines.u64"


class _Survivors:
    """The documents of a source that are still there, and a record of those removed."""

    def __init__(self, data: pa.Table) -> None:
        self.ids = data["id"].to_numpy()
        self.rows = np.flatnonzero(pc.is_null(data["reason"]))
        self.removed: list[pa.Table] = []

    def keep(self, stays: NDArray[np.bool_], reason: str, twins: NDArray[np.int64] | None = None) -> None:
        """Remove where not `stays`; `twins` are the places, among those there now, of the documents repeated."""
        gone = self.rows[~stays]
        twin_ids = None if twins is None else pa.array(self.ids[self.rows[twins[~stays]]])
        columns = {
            "id": pa.array(self.ids[gone]),
            "reason": pa.array([reason] * len(gone), pa.string()),
            "duplicate_of": pa.nulls(len(gone), pa.uint64()) if twin_ids is None else twin_ids,
        }
        self.removed.append(pa.table(columns))
        self.rows = self.rows[stays]

    def keep_first(self, first: NDArray[np.int64], reason: str) -> None:
        """Remove all that are not their own first copy."""
        self.keep(first == np.arange(len(self.rows)), reason, first)


def _matrix(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    """A fixed-size-list column as a matrix."""
    array = column.combine_chunks()
    return np.asarray(array.flatten()).reshape(len(array), array.type.list_size)


def compare(task: Task) -> Counts:
    """The select step: `removed.parquet` (id, reason, duplicate_of) and the hashes of all repeated lines.

    Every document's hashes are in memory at once: about 170 bytes a document and 8 a line.
    """
    on: Mapping[str, Any] = task.params
    optional = {"reference_score": on["keep"], "text_hash": on["exact"], "line_hashes": on["lines"]}
    data = shards.read_parts(
        task.inputs["filter"], ["id", "reason", "text_bytes", *(name for name, wanted in optional.items() if wanted)]
    )
    there = _Survivors(data)
    judged = len(there.rows)
    if on["keep"]:
        scores, sizes = data["reference_score"].to_numpy()[there.rows], data["text_bytes"].to_numpy()[there.rows]
        there.keep(reference.above_cutoff(scores, sizes, on["keep"]), "reference_low_score")
    if on["exact"]:
        there.keep_first(exact.first_copies(_matrix(data["text_hash"])[there.rows]), "exact_duplicate")
    if on["minhash"]:
        bands = _matrix(shards.read_parts(task.inputs["read"], [BANDS])[BANDS])[there.rows]
        there.keep_first(minhash.clusters(bands), "near_duplicate")
    repeated = np.empty(0, np.uint64)
    if on["lines"]:
        repeated = lines.repeated(np.asarray(data["line_hashes"].take(there.rows).combine_chunks().flatten()))
    empty = pa.table({"id": pa.array([], pa.uint64()), "reason": pa.array([], pa.string())})
    removed = pa.concat_tables([empty, *there.removed], promote_options="default")
    shards.write(storage.join(task.out, REMOVED), removed)
    storage.write_bytes(storage.join(task.out, REPEATED), repeated.tobytes())
    return {"compared": judged, "removed": len(removed), "repeated_lines": len(repeated)}


def write(task: Task) -> Counts:
    """The documents step, for one part: what stays as `part-NNNNN.parquet`, the verdict on every row beside it."""
    data = shards.read_part(task.inputs["read"], task.number, DOCUMENT.names)
    removed = shards.read(storage.join(task.inputs["select"], REMOVED), ["id", "reason"])
    judged = shards.read_part(task.inputs["filter"], task.number, ["reason"])["reason"]
    reasons = pc.coalesce(judged, removed["reason"].take(pc.index_in(data["id"], value_set=removed["id"])))
    repeated = storage.read_array(storage.join(task.inputs["select"], REPEATED), np.uint64)
    if len(repeated):
        data, reasons = _without_repeated(data, reasons, repeated)
    documents = data.filter(pc.is_null(reasons))
    shards.write(task.file(".parquet"), documents)
    shards.write(
        storage.join(task.out, f"verdicts-{task.number:05d}.parquet"), pa.table([data["id"], reasons], ["id", "reason"])
    )
    dropped = _value_counts(reasons.drop_null())
    assert len(documents) + sum(dropped.values()) == len(data), "a document is neither kept nor dropped"
    return {
        "kept": len(documents),
        "dropped": dropped,
        "kept_languages": _value_counts(documents["language"].drop_null()),
        "text_bytes": int(pc.sum(shards.text_bytes(documents["text"])).as_py() or 0),
    }


def _without_repeated(
    data: pa.Table, reasons: pa.ChunkedArray, repeated: NDArray[np.uint64]
) -> tuple[pa.Table, pa.ChunkedArray]:
    """The documents less their repeated lines, with a reason where too little is left.

    A text that lost no line is not held to CCNet's minimum: the recipe's own rules have judged it.
    """
    stays = np.flatnonzero(pc.is_null(reasons))
    before = data["text"].take(stays)
    left = pa.array(lines.without_lines(Texts.of(before.combine_chunks()), repeated), pa.large_string())
    too_little = pc.and_(pc.not_equal(left, before), pc.less(pc.utf8_length(left), lines.MIN_CHARACTERS))
    texts, verdicts = data["text"].to_pylist(), reasons.to_pylist()
    for row, text, fails in zip(stays, left.to_pylist(), too_little.to_pylist(), strict=True):
        texts[row] = text
        verdicts[row] = "repeated_lines" if fails else None
    column = data.schema.get_field_index("text")
    data = data.set_column(column, DOCUMENT.field("text"), pa.array(texts, pa.large_string()))
    return data, pa.chunked_array([pa.array(verdicts, pa.string())])


def _value_counts(column: pa.ChunkedArray) -> dict[str, int]:
    pairs = [(item["values"], item["counts"]) for item in pc.value_counts(column).to_pylist()]
    return dict(sorted(pairs))
