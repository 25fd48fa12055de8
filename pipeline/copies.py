"""The step that finds documents of equal text or equal URL, all over a group.

    keys ──► exact        url keys ──► url

What stays true: of equal documents one stays, the same one whatever the tasks and files were.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corpus import storage
from dedup import buckets, exact
from dedup.buckets import Numbers
from pipeline import group
from pipeline.steps import Counts, Task

HASHES, COPIES, RUNS = ".hashes", ".copies", "runs.json"
# Bytes a row takes at the most: itself, its order and a copy, and what becomes of it.
COPY_BYTES = 160


def hash_ranges(inputs: Mapping[str, str], keys: str, over: Mapping[str, Any], memory: int) -> list[list[int]]:
    """The parts of a copies step: runs of hash buckets."""
    there = group.files(inputs[keys], HASHES)
    there += [file for file, _ in group.earlier_files(over, HASHES)] if keys == "keys" else []
    return group.ranges(there, COPY_BYTES, memory)


def find_copies(task: Task) -> Counts:
    """The exact or url step, for a run of buckets: `.copies`, each as (id, the one of equal hash that stays)."""
    own = group.files(task.inputs[task.params["keys"]], HASHES)
    # Earlier runs are compared by their texts alone.
    old = group.earlier_files(task.params["group"], HASHES) if task.params["keys"] == "keys" else []
    rows, counts = buckets.read([*own, *(file for file, _ in old)], task.part[0], task.part[1], exact.COLUMNS)
    marked = group.mark_earlier(rows[:, 3], counts, [number for _, number in old])
    rows[marked, 2] = 0
    found = exact.winners(rows)
    gone = (found != np.arange(len(rows))) & ~marked
    copies = np.column_stack([rows[gone, 3], rows[found[gone], 3]])
    group.write_answers(task.file(COPIES), copies, task.params["group"])
    return {"copies": len(copies)}


def write_runs(task: Task, counts: Sequence[Counts]) -> None:
    """At the end of a keys step: the places and the number of files of each part, for whoever has one place."""
    storage.write_json(storage.join(task.out, RUNS), [run for part in counts for run in part["runs"]])


def _within_files(keys: str, place: int) -> Numbers:
    """The copies of a place that the keys step found in its own files; of these there may be thousands."""
    for number, (first, last, written) in enumerate(storage.read_json(storage.join(keys, RUNS))):
        if first <= place < last:
            names = [f"part-{number:05d}-{chunk:05d}{COPIES}" for chunk in range(written)]
            return buckets.read([storage.join(keys, name) for name in names], place, place + 1, 2)[0]
    raise AssertionError(place)


def copies_of(keys: str, found: str, place: int, over: Mapping[str, Any]) -> Numbers:
    """A place's copies as (id, the one that stays), sorted by id, of the folders of a keys and a copies step."""
    within = _within_files(keys, place)
    rows = np.concatenate([within, group.answers(found, COPIES, place, 2)])
    if not len(within):
        return rows
    # The one that stays in its file may be another file's copy.
    again = {int(p) for p in np.unique(group.of_ids(within[:, 1], over))}
    further = np.concatenate([group.answers(found, COPIES, p, 2) for p in sorted(again)])
    place_of = np.searchsorted(further[:, 0], within[:, 1])
    known = np.zeros(len(within), bool)
    inside = place_of < len(further)
    known[inside] = further[place_of[inside], 0] == within[inside, 1]
    rows[: len(within)][known, 1] = further[place_of[known], 1]
    return rows[np.argsort(rows[:, 0], kind="stable")]
