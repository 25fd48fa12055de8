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
from dedup.lines import Repeated
from kernels.texts import Texts
from pipeline import group, repeated
from pipeline.near_columns import near_columns
from pipeline.signatures import Signatures
from pipeline.steps import Counts, Task
from pipeline.verdicts import SCHEMA, VERDICTS, verdicts

# Texts that are read together; with the copies that are made of them some ten times that is held.
TEXT_BYTES = 32 << 20


def write(task: Task) -> Counts:
    """The documents step, for one part: what stays as `part-NNNNN.parquet`, `verdicts-NNNNN.parquet` for every row, and
    of what stays `.hashes`, `.keys` and `signatures-NNNNN.parquet`, where the recipe compares by them.
    """
    dropped, sizes, languages = Counter[str](), Counter[str](), Counter[str]()
    counts = {"kept": 0, "text_bytes": 0, "repeated_units": 0}
    with (
        Signatures(task) as signed,
        shards.writer(task.file(".parquet"), DOCUMENT) as documents,
        shards.writer(storage.join(task.out, shards.part_name(task.number, VERDICTS)), SCHEMA) as judged,
    ):
        for found, filtered, left, units in _left(task):
            judged.write_batch(found)
            # Parquet keeps whole seconds as milliseconds.
            documents.write_batch(left.select(DOCUMENT.names).cast(DOCUMENT))
            signed.add(filtered.filter(pc.is_null(found["reason"])), left)
            counts["kept"] += len(left)
            counts["text_bytes"] += int(pc.sum(pc.binary_length(left["text"].cast(pa.large_binary()))).as_py() or 0)
            counts["repeated_units"] += units
            languages.update(left["language"].drop_null().to_pylist())
            reasons = found["reason"].drop_null()
            dropped.update(reasons.to_pylist())
            sizes.update(_bytes_by(found["reason"], filtered["text_bytes"]))
            assert len(left) + len(reasons) == len(found), "a document is neither kept nor dropped"
    return {
        **counts,
        "dropped": dict(sorted(dropped.items())),
        "dropped_bytes": dict(sorted(sizes.items())),
        "kept_languages": dict(sorted(languages.items())),
    }


def _bytes_by(reasons: pa.Array, sizes: pa.Array) -> dict[str, int]:
    """Bytes of text that went for each reason."""
    table = pa.table({"reason": reasons, "bytes": sizes}).group_by("reason").aggregate([("bytes", "sum")])
    return {row["reason"]: row["bytes_sum"] for row in table.to_pylist() if row["reason"]}


def _left(task: Task) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch, pa.RecordBatch, int]]:
    """For each batch all verdicts and the filter's rows, the read step's of documents that stay, and units lost."""
    params = task.params
    judged = ["text_hash"] if params["exact"] else []
    read = [*DOCUMENT.names, *(near_columns(params["near"]) if params["near"] else [])]
    place = params["first_place"] + task.number
    gone: Repeated | None = None
    row = 0
    for found, filtered, measured in verdicts(task, place, judged, read, group.text_rows(task, place, TEXT_BYTES)):
        if params["lines"] and row % repeated.CHUNK == 0:
            gone = repeated.repeated_of(task, task.number, row // repeated.CHUNK, params["lines"]["unit"])
        row += len(found)
        stays = pc.is_null(found["reason"])
        units = 0
        left = measured.filter(stays)
        if gone:
            left, fails, units = _without(gone, left, params["lines"])
            found, stays = _with_reasons(found, stays, fails, f"repeated_{params['lines']['unit']}s")
        yield found, filtered, left, units


def _without(
    gone: Repeated, left: pa.RecordBatch, wanted: Mapping[str, Any]
) -> tuple[pa.RecordBatch, NDArray[np.bool_], int]:
    """Documents less what is repeated, without those of which too little is left, and which those are.

    A text that lost nothing is not held to the minimum: the recipe's own rules have judged it.
    """
    texts, lost, units = gone.without(Texts.of(left["text"]))
    fails = lost & (pc.utf8_length(texts).to_numpy(zero_copy_only=False) < max(1, wanted["min_characters"]))
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
