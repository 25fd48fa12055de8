"""The steps that find which documents may be near-duplicates, in memory that the recipe bounds.

    keys ──► pairs ──► clusters

`pairs` joins documents that share a key, `clusters` what is joined over any number of steps. A cluster says who is
looked at together (pipeline.similar) and nothing else. What stays true: what is found depends on no number of tasks,
files or bytes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from corpus import storage
from corpus.hashing import mix, unmix
from dedup import buckets, stars
from dedup.components import components
from pipeline import group
from pipeline.steps import Counts, Task

KEYS, EDGES, MEMBERS = ".keys", ".edges", ".members"
# Bytes a row takes at the most: itself, its order and a copy, and the edge it becomes.
KEY_BYTES = 128


def key_ranges(inputs: Mapping[str, str], over: Mapping[str, Any], memory: int) -> list[list[int]]:
    """The parts of the pairs step: runs of key buckets."""
    there = [*group.files(inputs["keys"], KEYS), *(file for file, _ in group.earlier_files(over, KEYS))]
    return group.ranges(there, KEY_BYTES, memory)


def find_pairs(task: Task) -> Counts:
    """The pairs step, for a run of buckets: `.edges` from all documents of a key to its first."""
    own = group.files(task.inputs["keys"], KEYS)
    old = group.earlier_files(task.params["group"], KEYS)
    rows, counts = buckets.read([*own, *(file for file, _ in old)], task.part[0], task.part[1], 2)
    group.mark_earlier(rows[:, 1], counts, [number for _, number in old])
    _, edges = stars.stars(rows)
    buckets.write_by_key(task.file(EDGES), edges)
    return {"edges": len(edges)}


def find_clusters(task: Task) -> Counts:
    """The clusters step: `.members`, for each place its documents that are in a cluster, as (id, cluster)."""
    files = group.files(task.inputs["keys"], EDGES) + group.files(task.inputs["pairs"], EDGES)
    counts = {"candidates": 0, "clusters": 0}
    with group.within(task.params["memory"]) as usable, storage.scratch(task.out) as scratch:
        for number, (vertices, labels) in enumerate(components(files, scratch, usable)):
            counts["candidates"] += len(vertices)
            counts["clusters"] += int((vertices == labels).sum())
            # A label is the smallest of its cluster, so that all of the large ones would be in the first bucket.
            rows = np.column_stack([unmix(vertices), mix(labels)])
            group.write_answers(storage.join(task.out, f"range-{number:05d}{MEMBERS}"), rows, task.params["group"])
    return counts
