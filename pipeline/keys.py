"""The steps that write down what documents are compared by.

    filter ──► (cutoffs) ──► (url keys ──► url) ──► keys

`keys` writes the hashes of those that stand, in the order of the hashes. What stays true: only a document that nothing
else has turned away can make another one go.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from corpus import shards, storage
from dedup import buckets, exact, stars
from dedup.buckets import Numbers
from dedup.preference import ranks
from pipeline import group
from pipeline.copies import COPIES, HASHES, copies_of
from pipeline.near import EDGES, KEYS
from pipeline.near_columns import key_column, near_keys
from pipeline.steps import Counts, Task

# Bytes of the filter step's files that make a part: small files are hashed together, to be found in fewer places.
PART_BYTES = 64 << 20
# Bytes a row takes at the most: itself, its order and a copy, and what becomes of it.
ROW_BYTES = 128
# Fewer documents are read at a time where each has more keys than this.
MANY_KEYS, LEAST_ROWS = 32, 1 << 10


def runs_of_places(inputs: Mapping[str, str], sources: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """The parts of a keys step: [first, last) places, of as many input files as make PART_BYTES together."""
    sizes = []
    for source in sources:
        there = storage.list_folder(inputs[f"{source['name']}.filter"])
        sizes += [there[shards.part_name(number)] for number in range(source["parts"])]
    runs: list[list[int]] = []
    taken = PART_BYTES
    for place, size in enumerate(sizes):
        if taken >= PART_BYTES:
            runs.append([place, place])
            taken = 0
        runs[-1][1] = place + 1
        taken += size
    return runs


def write_keys(task: Task) -> Counts:
    """The keys step, for a run of places: sorted hashes, each only once a file.

    Leaves `.hashes`, rows of hash, rank and id, and `.copies`, the copies in the file itself, as (id, the one that
    stays); `.keys`, rows of MinHash band or sampled shingle and id, and `.edges`, the candidates in the file itself.
    """
    with group.within(task.params["memory"]) as usable:
        chunks = _chunks(task, usable // ROW_BYTES)
        compared = written = 0
        for hashes, near in chunks:
            compared += len(hashes)
            _write_hashes(task, f"-{written:05d}", hashes)
            if task.params["near"]:
                _write_near(task, f"-{written:05d}", near)
            written += 1
    return {"compared": compared, "runs": [[*task.part, written]]}


def _chunks(task: Task, limit: int) -> Iterator[tuple[Numbers, Numbers]]:
    """Rows of hash, rank and id, and of near key and id, of as many documents as can be held."""
    hashes: list[Numbers] = []
    near: list[Numbers] = []
    held = 0
    for of_documents, of_keys in _standing(task):
        rows = 2 * len(of_documents) + len(of_keys)
        if rows > limit:
            raise buckets.MemoryBudgetError(rows * ROW_BYTES)
        if hashes and held + rows > limit:
            yield np.concatenate(hashes), np.concatenate(near)
            hashes, near, held = [], [], 0
        hashes.append(of_documents)
        near.append(of_keys)
        held += rows
    nothing = np.empty((0, exact.COLUMNS), np.uint64)
    yield np.concatenate([nothing, *hashes]), np.concatenate([nothing[:, :2], *near])


def _standing(task: Task) -> Iterator[tuple[Numbers, Numbers]]:
    """The rows of batches of documents that nothing has turned away so far."""
    params, url = task.params, task.params["by"] == "url"
    near = params["near"]
    judged = ["text_hash"] if params["by"] == "exact" else []
    judged += ["reference_score"] if params["survivor"] == "best" else []
    # 450 bands of 65,536 documents would not be little.
    bands = near.get("bands", 0) if near else 0
    at_once = max(LEAST_ROWS, group.ROWS * MANY_KEYS // max(bands, MANY_KEYS))
    for place in range(*task.part):
        part = group.parts(params["group"])[place]
        turned_away = _turned_away(task, place)
        columns = ["url"] if url else [key_column(near)] if near else []
        for verdicts, read, stands in group.standing(task, place, judged, columns, at_once):
            stands &= ~np.isin(verdicts["id"].to_numpy(), turned_away)
            mask = pa.array(stands)
            verdicts, read = verdicts.filter(mask), read.filter(mask)
            ids = verdicts["id"].to_numpy()
            hashes = _hashes(verdicts, read, params["by"])
            scores = verdicts["reference_score"].to_numpy() if params["survivor"] == "best" else None
            rank = ranks(params["survivor"], part.priority, verdicts["text_bytes"].to_numpy(), scores)
            rows = np.column_stack([hashes, rank, ids])[hashes.any(axis=1)]
            first, keys = near_keys(read, near) if near else (np.zeros(1, np.int64), np.empty(0, np.uint64))
            yield rows, np.column_stack([keys, np.repeat(ids, np.diff(first)) if near else keys])


def _turned_away(task: Task, place: int) -> Numbers:
    """The documents that have another one's URL, where that was looked at before."""
    if "url" not in task.inputs:
        return np.empty(0, np.uint64)
    return copies_of(task.inputs["url_keys"], task.inputs["url"], place, task.params["group"])[:, 0]


def _hashes(verdicts: pa.RecordBatch, read: pa.RecordBatch, by: str | None) -> Numbers:
    if by == "exact":
        return np.asarray(verdicts["text_hash"].flatten()).reshape(-1, 2)
    if by == "url":
        return exact.url_hashes(read["url"].to_pylist())
    return np.zeros((len(verdicts), 2), np.uint64)


def _write_hashes(task: Task, suffix: str, rows: Numbers) -> None:
    if task.params["by"] is None:
        return
    found = exact.winners(rows)
    stays = found == np.arange(len(rows))
    copies = np.column_stack([rows[~stays, 3], rows[found[~stays], 3]])
    group.write_answers(task.file(suffix + COPIES), copies, task.params["group"])
    left = rows[stays]
    buckets.write_by_key(task.file(suffix + HASHES), left[np.argsort(left[:, 0])])


def _write_near(task: Task, suffix: str, rows: Numbers) -> None:
    firsts, edges = stars.stars(rows)
    buckets.write_by_key(task.file(suffix + KEYS), firsts)
    buckets.write_by_key(task.file(suffix + EDGES), edges)
