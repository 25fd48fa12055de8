"""A group: sources whose documents are compared with each other's, and earlier runs they are compared with.

A place is one input file's position in the group: its parts of all sources in their order, then the parts of earlier
runs. Files that carry answers back have a bucket a place. What stays true: the place follows from the document's id.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards, storage
from dedup import buckets, preference
from dedup.buckets import Numbers
from pipeline.quality import Cutoffs
from pipeline.steps import Task

# Rows of numbers, and of texts, that are read together.
ROWS, TEXT_ROWS = 1 << 16, 1 << 10
# What a process takes before it holds any document: the interpreter, Arrow and compiled kernels (measured: 330 MB).
BASE = 400 << 20
# More would not be faster, and fewer and larger tasks keep fewer workers busy.
MOST_ROWS = 1 << 23
_SHARD = np.uint64(32)


@dataclass(frozen=True)
class Part:
    """One part of the group: the files of a source of this run, or of an earlier one (`folder`)."""

    source: str
    number: int
    shard: int
    priority: int
    folder: str | None = None
    run: int = 0


def parts(group: Mapping[str, Any]) -> list[Part]:
    """All places, in order. `group` has lists of `sources` and of `earlier` sources, as parameters of steps."""
    own = [
        Part(source["name"], number, source["first_shard"] + number, source["priority"])
        for source in group["sources"]
        for number in range(source["parts"])
    ]
    return own + [
        Part(source["name"], number, shard, 0, source["folder"], source["number"])
        for source in group["earlier"]
        for number, shard in enumerate(_earlier_shards(source))
    ]


def of_ids(ids: Numbers, group: Mapping[str, Any]) -> NDArray[np.int64]:
    """The place of each document."""
    shard_numbers = np.array([part.shard for part in parts(group)], np.uint64)
    return np.searchsorted(shard_numbers, ids >> _SHARD)


def _earlier_shards(source: Mapping[str, Any]) -> list[int]:
    """The shards by which the documents of an earlier run's source go here: behind all of this run's."""
    ids = np.arange(source["first_shard"], source["first_shard"] + source["parts"], dtype=np.uint64) << _SHARD
    return [int(shard) for shard in preference.earlier(ids, source["number"]) >> _SHARD]


def files(folder: str, suffix: str) -> list[str]:
    """The files of a step's folder that end so, in the order of the numbers in their names, of five digits or more."""
    names = sorted(storage.list_folder(folder), key=lambda name: (len(name), name))
    return [storage.join(folder, name) for name in names if name.endswith(suffix)]


def earlier_files(group: Mapping[str, Any], suffix: str) -> list[tuple[str, int]]:
    """The files of earlier runs that end so, each with the number of its run."""
    return [(file, s["number"]) for s in group["earlier"] for file in files(s["folder"], suffix)]


def ranges(paths: Sequence[str], row_bytes: int, memory: int) -> list[list[int]]:
    """Parts of a step: runs of buckets that a task can hold. MemoryBudgetError names the least memory that would do."""
    with within(memory) as usable:
        return [list(run) for run in buckets.ranges(paths, row_bytes, usable, MOST_ROWS)]


@contextlib.contextmanager
def within(memory: int, share: int = 1) -> Iterator[int]:
    """One `share`-th of the bytes there are for arrays; an error of whoever needs more becomes one about
    `dedup.memory`.
    """
    try:
        yield max(0, memory - BASE) // share
    except buckets.MemoryBudgetError as error:
        least = -(-(error.needed * share + BASE) // (1 << 20))
        raise ValueError(
            f"dedup.memory: {memory >> 20}MB do not hold the smallest piece of work; the least that does is {least}MB"
        ) from error


def answers(folder: str, suffix: str, place: int, columns: int) -> Numbers:
    """What the tasks of a step say about the documents of a place, sorted by id."""
    rows, _ = buckets.read(files(folder, suffix), place, place + 1, columns)
    return rows[np.argsort(rows[:, 0], kind="stable")]


def write_answers(path: str, rows: Numbers, group: Mapping[str, Any]) -> None:
    """Write rows that begin with a document's id, for whoever asks about its place."""
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    buckets.write(path, rows, of_ids(rows[:, 0], group), len(parts(group)))


def standing(
    task: Task, place: int, judged: Sequence[str] = (), read: Sequence[str] = (), rows: int = ROWS
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch, NDArray[np.bool_]]]:
    """A part's columns of the filter and read steps, batch by batch, and who is neither dropped nor scored too low.

    `reason` among the first is the filter's or, where that has none, the one that a score gives.
    """
    part = parts(task.params["group"])[place]
    cutoffs = Cutoffs(task.inputs, f"{part.source}.")
    columns = {"id", "reason", "text_bytes", *judged, *cutoffs.columns}
    name = shards.part_name(part.number)
    both = zip(
        shards.batches(storage.join(task.inputs[f"{part.source}.filter"], name), sorted(columns), rows),
        shards.batches(storage.join(task.inputs[f"{part.source}.read"], name), ["id", *read], rows),
        strict=True,
    )
    for verdicts, measured in both:
        reasons = cutoffs.reasons(verdicts)
        verdicts = verdicts.set_column(verdicts.schema.get_field_index("reason"), "reason", reasons)
        yield verdicts, measured, np.asarray(pc.is_null(reasons))


def text_rows(task: Task, place: int, most: int) -> int:
    """How many rows of a part to read at a time with their texts, so that no batch has more than `most` bytes."""
    part = parts(task.params["group"])[place]
    sizes = shards.read_part(task.inputs[f"{part.source}.filter"], part.number, ["text_bytes"])["text_bytes"].to_numpy()
    return rows_within(sizes, most)


def rows_within(sizes: NDArray[np.int64], most: int) -> int:
    """The largest power of 2 up to TEXT_ROWS of which no batch has more than `most` bytes: 1 where one row has."""
    rows = TEXT_ROWS
    while rows > 1 and np.add.reduceat(sizes, np.arange(0, len(sizes), rows)).max(initial=0) > most:
        rows //= 2
    return rows


def mark_earlier(ids: Numbers, counts: NDArray[np.int64], runs: Sequence[int]) -> NDArray[np.bool_]:
    """Make ids those of earlier runs, in place: of the rows of the last `counts`, a count for each of `runs`."""
    place = len(ids) - int(counts[len(counts) - len(runs) :].sum())
    marked = np.arange(len(ids)) >= place
    for number, count in zip(runs, counts[len(counts) - len(runs) :], strict=True):
        ids[place : place + count] = preference.earlier(ids[place : place + count], number)
        place += int(count)
    return marked


def as_bits(similarity: NDArray[np.float64]) -> Numbers:
    """Floats among rows of whole numbers."""
    return similarity.astype(np.float64).view(np.uint64)
