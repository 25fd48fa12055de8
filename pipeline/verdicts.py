"""Why each document of a part goes, and for a copy which document it repeats and how far.

In come the filter step's reasons and the answers of the steps where documents met; out comes one verdict a document:
the first of filter, perplexity, likeness to references, URL, text, likeness to others that turned it away.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup.buckets import Numbers
from pipeline import group
from pipeline.copies import copies_of
from pipeline.similar import NEAR
from pipeline.steps import Task

# What their files are called: verdicts-NNNNN.parquet.
VERDICTS = "verdicts"
SCHEMA = pa.schema(
    [("id", pa.uint64()), ("reason", pa.string()), ("duplicate_of", pa.uint64()), ("similarity", pa.float64())]
)
REASONS = {"exact": "exact_duplicate", "url": "url_duplicate", "jaccard": "near_duplicate"}
REASONS |= {"containment": "contained_duplicate"}
# What a document is that has no reason.
KEPT = "kept"
# Their texts can differ from those they repeat, and are worth a look.
DIFFERING = ("near_duplicate", "contained_duplicate")


def verdicts(
    task: Task, place: int, judged: Sequence[str] = (), read: Sequence[str] = (), rows: int = group.ROWS
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch, pa.RecordBatch]]:
    """For each batch of a part its verdicts (SCHEMA), and those columns of the filter and read steps."""
    answers = _answers(task, place)
    for filtered, measured, _ in group.standing(task, place, judged, read, rows):
        ids = filtered["id"].to_numpy()
        reasons = filtered["reason"]
        repeated, similarity = np.zeros(len(ids), np.uint64), np.full(len(ids), np.nan)
        copy = np.zeros(len(ids), bool)
        for reason, found in answers:
            row, answer = _matching(ids, found)
            new = np.asarray(pc.is_null(reasons))[row]
            row, answer = row[new], answer[new]
            copy[row] = True
            repeated[row], similarity[row] = found[answer, 1], found[answer, 2].view(np.float64)
            gone = np.zeros(len(ids), bool)
            gone[row] = True
            reasons = pc.coalesce(reasons, _where(gone, reason))
        alike = pa.array(similarity, mask=np.isnan(similarity))
        columns = [filtered["id"], reasons, pa.array(repeated, mask=~copy), alike]
        yield pa.record_batch(columns, schema=SCHEMA), filtered, measured


def _where(rows: NDArray[np.bool_], reason: str) -> pa.Array:
    return pc.if_else(pa.array(rows), reason, pa.scalar(None, pa.string()))


def _answers(task: Task, place: int) -> list[tuple[str, Numbers]]:
    """Reason, and rows of id, the document repeated and the bits of their similarity, sorted by id; in their order."""
    found = []
    for name in ("url", "exact"):
        if name in task.inputs:
            keys = task.inputs["url_keys" if name == "url" else "keys"]
            copies = copies_of(keys, task.inputs[name], place, task.params["group"])
            # Texts at the same URL can be as different as they like.
            similarity = np.full(len(copies), np.nan if name == "url" else 1.0)
            found.append((REASONS[name], np.column_stack([copies, group.as_bits(similarity)])))
    if "verify" in task.inputs:
        near = group.answers(task.inputs["verify"], NEAR, place, 3)
        found.append((REASONS[task.params["measure"]], near))
    return found


def _matching(ids: Numbers, found: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places in sorted `ids` of the rows of `found` that are about them, and those rows."""
    first, last = np.searchsorted(found[:, 0], ids[[0, -1]])
    about = found[first : last + 1, 0]
    _, row, answer = np.intersect1d(ids, about, assume_unique=True, return_indices=True)
    return row, answer + first
