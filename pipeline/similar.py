"""The steps that compare the documents of each cluster: who is similar enough to one that stays, goes.

    clusters ──► shingles ──► verify

`shingles` gathers each cluster's documents with all their shingles, `verify` decides (dedup.verify). What stays true:
nobody goes for a document it was not compared with, and what is found depends on no number of tasks, files or bytes.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from corpus import shards, storage
from dedup import buckets, preference, ragged, verify
from dedup.buckets import Numbers
from kernels.ragged import put
from kernels.signatures import shingle_sets
from kernels.texts import Texts
from pipeline import group
from pipeline.copies import copies_of
from pipeline.near import MEMBERS
from pipeline.near_columns import near_columns, near_keys, near_sketches, sketch_bytes
from pipeline.steps import Counts, Task

DOCUMENTS, OWN_KEYS, SHINGLES, NEAR = ".documents", ".own_keys", ".shingles", ".near"
# A member's numbers and sketch, twice while they are put together, and its keys while they are read.
MEMBER_BYTES, OWN_KEY_BYTES = 1_024, 16
# Of the memory of a verify task: members have a third, their keys a sixth, and the shingles held a sixth, which are
# three times as much while they are put into order.
MEMBERS_SHARE, OWN_KEYS_SHARE, SHINGLES_SHARE = 3, 6, 6
# Of the memory of a shingles task: what is held, which is five times as much while it is put into order, and the texts
# read at once.
HELD_SHARE, TEXTS_SHARE = 8, 32
MOST_MEMBERS = 1 << 18
# Words take some 50 bytes each while they are found, for 6 bytes of text.
BYTES_A_TEXT_BYTE = 10


def gather(task: Task) -> Counts:
    """The shingles step, for one place: what `verify` needs of its documents, in the order of their clusters.

    `.documents` rows of cluster, id, rank, number of keys and of shingles, and the sketch; `.own_keys` and `.shingles`,
    each document's in that order.
    """
    members = _members(task)
    with group.within(task.params["memory"]) as usable:
        limit = usable // HELD_SHARE
        held: list[Gathered] = []
        files = 0
        for found in _gathered(task, members, usable):
            if held and sum(g.bytes for g in held) + found.bytes > limit:
                write_gathered(task, files, held)
                files, held = files + 1, []
            held.append(found)
        if held:
            write_gathered(task, files, held)
    return {"shingled": len(members)}


def _members(task: Task) -> Numbers:
    """The documents of a place that are in a cluster, as (id, cluster), but for copies of a whole text.

    Whatever is like a copy is like the one that stays of the copies, which is compared.
    """
    members = group.answers(task.inputs["clusters"], MEMBERS, task.part, 2)
    if "exact" not in task.inputs or group.parts(task.params["group"])[task.part].folder is not None:
        return members
    copies = copies_of(task.inputs["keys"], task.inputs["exact"], task.part, task.params["group"])
    return members[~np.isin(members[:, 0], copies[:, 0])]


class Gathered:
    """Some documents: `rows` as they are written, keys and shingles end to end with where each document's begin."""

    def __init__(self, rows: Numbers, keys: Numbers, shingles: Numbers) -> None:
        self.rows, self.keys, self.shingles = rows, keys, shingles
        self.bytes = rows.nbytes + keys.nbytes + shingles.nbytes


def _gathered(task: Task, members: Numbers, usable: int) -> Iterator[Gathered]:
    """The members of the task's place, in batches small enough to find their words."""
    if not len(members):
        return
    over, near = task.params["group"], task.params["near"]
    part = group.parts(over)[task.part]
    if part.folder is not None:
        path = storage.join(part.folder, shards.part_name(part.number, "signatures"))
        for batch in shards.batches(path, ["id", *near_columns(near)], group.ROWS):
            ids = preference.earlier(batch["id"].to_numpy(), part.run)
            here, labels = _of(ids, members)
            batch = batch.filter(pa.array(here))
            empty = [np.empty(0, np.uint64)] * len(batch)
            yield _gather(batch, near, ids[here], labels, np.zeros(len(batch), np.uint64), empty)
        return
    judged = ["reference_score"] if task.params["survivor"] == "best" else []
    rows = group.text_rows(task, task.part, usable // TEXTS_SHARE)
    for verdicts, batch, _ in group.standing(task, task.part, judged, ["text", *near_columns(near)], rows):
        ids = batch["id"].to_numpy()
        here, labels = _of(ids, members)
        mask = pa.array(here)
        verdicts, batch = verdicts.filter(mask), batch.filter(mask)
        scores = verdicts["reference_score"].to_numpy() if judged else None
        rank = preference.ranks(task.params["survivor"], part.priority, verdicts["text_bytes"].to_numpy(), scores)
        yield _gather(batch, near, ids[here], labels, rank, _shingle_sets(batch["text"], near["ngram"], usable))


def _of(ids: Numbers, members: Numbers) -> tuple[NDArray[np.bool_], Numbers]:
    """Which of `ids` are members, and the clusters of those."""
    place = np.minimum(np.searchsorted(members[:, 0], ids), len(members) - 1)
    here = members[place, 0] == ids
    return here, members[place[here], 1]


def _shingle_sets(texts: pa.Array, ngram: int, usable: int) -> list[Numbers]:
    """Each text's distinct shingles, a few texts at a time."""
    found: list[Numbers] = []
    if not len(texts):
        return found
    sizes = np.diff(Texts.of(texts.cast(pa.large_string())).offsets)
    most = usable // BYTES_A_TEXT_BYTE // 4
    if int(sizes.max()) > most:
        raise buckets.MemoryBudgetError(int(sizes.max()) * BYTES_A_TEXT_BYTE * 4)
    starts = np.flatnonzero(np.diff(np.cumsum(sizes) // max(most // 2, 1), prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(sizes)], strict=True):
        first, hashes = shingle_sets(Texts.of(texts.slice(start, end - start).cast(pa.large_string())), ngram)
        found += np.split(hashes, first[1:-1])
    return found


def _gather(
    batch: pa.RecordBatch, near: Mapping[str, Any], ids: Numbers, labels: Numbers, rank: Numbers, sets: list[Numbers]
) -> Gathered:
    """Put a batch into the order of clusters."""
    first, keys = near_keys(batch, near)
    sizes = np.array([len(found) for found in sets], np.uint64)
    columns = [labels, ids, rank, np.diff(first).astype(np.uint64), sizes]
    return Gathered(np.column_stack([*columns, near_sketches(batch, near)]), keys, np.concatenate([*sets, keys[:0]]))


def write_gathered(task: Task, number: int, held: list[Gathered]) -> None:
    rows = np.concatenate([g.rows for g in held])
    keys = np.concatenate([g.keys for g in held])
    shingles = np.concatenate([g.shingles for g in held])
    order = np.argsort(rows[:, 0], kind="stable")
    suffix = f"-{number:05d}"
    buckets.write_by_key(task.file(suffix + DOCUMENTS), rows[order])
    for values, column, name in ((keys, 3, OWN_KEYS), (shingles, 4, SHINGLES)):
        counts = rows[:, column].astype(np.int64)
        moved = ragged.take(values, counts, order)
        of = np.repeat(buckets.of_keys(rows[order, 0]), counts[order])
        buckets.write(task.file(suffix + name), moved[:, None], of, buckets.KEY_BUCKETS)


def member_ranges(inputs: Mapping[str, str], memory: int) -> list[list[int]]:
    """The parts of the verify step: runs of cluster buckets."""
    with group.within(memory, MEMBERS_SHARE) as usable:
        found = buckets.ranges(group.files(inputs["shingles"], DOCUMENTS), MEMBER_BYTES, usable, MOST_MEMBERS)
    with group.within(memory, OWN_KEYS_SHARE) as usable:
        keys = buckets.ranges(group.files(inputs["shingles"], OWN_KEYS), OWN_KEY_BYTES, usable, group.MOST_ROWS)
    # Documents can have thousands of keys: a run ends where either has to.
    cuts = {first for first, _ in keys}
    runs = []
    for first, last in found:
        starts = sorted({first} | {cut for cut in cuts if first < cut < last})
        runs += [list(run) for run in zip(starts, [*starts[1:], last], strict=True)]
    return runs


def verify_members(task: Task) -> Counts:
    """The verify step, for a run of clusters: `.near` rows of id, the document it repeats, and their similarity."""
    files = group.files(task.inputs["shingles"], DOCUMENTS)
    rows, counts = buckets.read(files, task.part[0], task.part[1], 5)
    keys, _ = buckets.read(group.files(task.inputs["shingles"], OWN_KEYS), task.part[0], task.part[1], 1)
    first = np.concatenate([[0], np.cumsum(rows[:, 3], dtype=np.int64)])
    near, sizes = task.params["near"], rows[:, 4].astype(np.int64)
    sketch = np.ascontiguousarray(rows[:, 5:]).view(np.uint8)[:, : sketch_bytes(near)]
    members = verify.Members(
        label=rows[:, 0], id=rows[:, 1], rank=rows[:, 2], key_first=first, keys=keys[:, 0], sketch=sketch, sizes=sizes
    )
    load = partial(_load, group.files(task.inputs["shingles"], SHINGLES), task.part, counts, sizes)
    with group.within(task.params["memory"], SHINGLES_SHARE) as usable:
        gone, kept, similarity = verify.removals(
            members, load, measure=near["measure"], threshold=task.params["threshold"], memory=usable
        )
    found = np.column_stack([members.id[gone], members.id[kept], group.as_bits(similarity)])
    group.write_answers(task.file(NEAR), found, task.params["group"])
    return {"verified": len(gone)}


def _load(
    files: list[str],
    part: tuple[int, int],
    counts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], Numbers]:
    """The shingles of some rows of this task's documents, from the files that hold them in the same order."""
    first = np.append(0, np.cumsum(sizes[rows]))
    found = np.empty(int(first[-1]), np.uint64)
    order = np.argsort(rows, kind="stable")
    ends = np.cumsum(counts)
    for path, begin, end in zip(files, ends - counts, ends, strict=True):
        here = order[np.searchsorted(rows[order], begin) : np.searchsorted(rows[order], end)]
        if len(here):
            wanted = rows[here]
            starts = (np.cumsum(sizes[begin:end]) - sizes[begin:end])[wanted - begin]
            values = buckets.read_spans(path, part[0], starts, starts + sizes[wanted])
            put(values[:, 0], sizes[wanted], first[here], found)
    return first, found
