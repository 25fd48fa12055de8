"""Deduplication of made-up signatures, more of them than memory holds: what each step takes of memory and time.

In go only numbers: keys as 14 bands of a signature, a third of the documents sharing some with an earlier one, and sets
of shingles for those that meet. What runs on them are crawlmill's own steps, each in a process of its own.
"""

import multiprocessing
import resource
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.inputs import MINHASH, THRESHOLD, Inputs
from benchmarks.results import Table
from corpus import storage
from corpus.hashing import keyed, mix
from dedup import buckets, stars
from dedup.buckets import Numbers
from pipeline import copies, group, near, similar, steps
from pipeline.cluster import Cluster
from pipeline.steps import Counts, Step, Task
from pipeline.warm import warm

MILLION = 1_000_000
SIZES = (1, 5, 20, 50)
# Less than a tenth of the signatures and edges of 50 million documents.
MEMORY = 1 << 30
SHARD = 1 << 20
CHUNK = 1 << 18
BANDS, SHINGLES = MINHASH["bands"], 32
SKETCH_WORDS = 14
_SHARD_BITS = np.uint64(32)

COLUMNS = {
    "million": ",d",
    "signatures and edges, MB": ",.0f",
    "times the budget": ",.1f",
    "seconds": ",.0f",
    "µs a document": ",.1f",
    "peak, MB": ",.0f",
    "in clusters": ",d",
    "removed": ",d",
}
STEPS = ("exact", "pairs", "clusters", "verify")


def run(inputs: Inputs) -> list[Table]:
    sizes = [size for size in SIZES if size <= inputs.millions]
    whole: dict[str, dict[str, float]] = {}
    by_step: dict[str, dict[str, float]] = {}
    failures = []
    for millions in sizes:
        folder = inputs.folder / f"memory-{millions}"
        found = measure(millions * MILLION, folder)
        shutil.rmtree(folder)
        seconds = sum(found[step]["seconds"] for step in STEPS)
        peak = max(found[step]["peak, MB"] for step in STEPS)
        whole[f"{millions} million"] = {
            "million": millions,
            "signatures and edges, MB": found["bytes"] / 1e6,
            "times the budget": found["bytes"] / MEMORY,
            "seconds": seconds,
            "µs a document": seconds / millions,
            "peak, MB": peak,
            "in clusters": found["candidates"],
            "removed": found["verified"],
        }
        for step in STEPS:
            by_step[f"{step}, {millions} million"] = found[step]
        if peak > MEMORY >> 20:
            failures.append(f"{millions} million documents took {peak:,.0f} MB at the peak, of {MEMORY >> 20:,}")
    note = (
        f"Made-up signatures of {BANDS} bands, and dedup.memory of {MEMORY >> 20:,}MB. A third of the documents share "
        "half of their bands with another one, a twentieth its text. Steps: exact (equal hashes), pairs (of equal "
        "bands), clusters (connected components), verify (Jaccard similarity of sets of 32 shingles). Each step in a "
        "process of its own, one task after the other; the peak is the process's largest resident memory. Writing the "
        "signatures is not in the seconds: a crawl's come out of the reading pass."
    )
    return [
        Table("Deduplication out of core", note, COLUMNS, whole, failures),
        Table("Deduplication out of core, by step", "The same.", {"seconds": ",.1f", "peak, MB": ",.0f"}, by_step),
    ]


def measure(documents: int, folder: Path) -> dict[str, Any]:
    """Run all steps; seconds and MB by step, and the counts."""
    folder.mkdir()
    places = list(range(-(-documents // SHARD)))
    source = {"name": "made", "first_shard": 0, "parts": len(places), "priority": 0}
    over: dict[str, Any] = {"sources": [source], "earlier": []}
    shared = {"group": over, "memory": MEMORY, "documents": documents}
    near_by = {**MINHASH, "measure": "jaccard"}
    keys = Step("made.keys", make_keys, shared, parts=places)
    exact_ranges = partial(copies.hash_ranges, keys="keys", over=over, memory=MEMORY)
    exact = Step("made.exact", copies.find_copies, {**shared, "keys": "keys"}, {"keys": keys}, exact_ranges)
    key_ranges = partial(near.key_ranges, over=over, memory=MEMORY)
    pairs = Step("made.pairs", near.find_pairs, shared, {"keys": keys}, key_ranges)
    clusters = Step("made.clusters", near.find_clusters, shared, {"keys": keys, "pairs": pairs})
    shingles = Step("made.shingles", make_members, shared, {"clusters": clusters}, places)
    judged = {**shared, "near": near_by, "threshold": THRESHOLD}
    verify = Step(
        "made.verify",
        similar.verify_members,
        judged,
        {"shingles": shingles},
        partial(similar.member_ranges, memory=MEMORY),
    )
    found: dict[str, Any] = {}
    for step in (keys, exact, pairs, clusters, shingles, verify):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            found[step.name.removeprefix("made.")] = process.submit(_execute, str(folder), step).result()
    found["candidates"] = steps.counts_of(str(folder), clusters)["candidates"]
    found["verified"] = steps.counts_of(str(folder), verify)["verified"]
    found["bytes"] = sum(
        size
        for step in (keys, pairs)
        for name, size in storage.list_folder(steps.folder(str(folder), step)).items()
        if name.endswith((copies.HASHES, near.KEYS, near.EDGES))
    )
    return found


def _execute(root: str, step: Step) -> dict[str, float]:
    """In a process of its own: the step, and what it took."""
    warm(step, print)
    for _ in steps.execute(root, step, Cluster(0)):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": steps.timing_of(root, step)["seconds"], "peak, MB": peak}


def _bases(numbers: Numbers) -> Numbers:
    """The document each is made from: itself, or for a third any one before it."""
    drawn = keyed(numbers, "base")
    return np.where(drawn % np.uint64(3) == 0, keyed(numbers, "which") % (numbers + np.uint64(1)), numbers)


def _ids(numbers: Numbers) -> Numbers:
    size = np.uint64(SHARD)
    return (numbers // size << _SHARD_BITS) | (numbers % size)


def make_keys(task: Task) -> Counts:
    """As a keys step, for a shard of made-up documents."""
    first, last = task.part * SHARD, min((task.part + 1) * SHARD, task.params["documents"])
    for chunk, start in enumerate(range(first, last, CHUNK)):
        numbers = np.arange(start, min(start + CHUNK, last), dtype=np.uint64)
        ids, bases = _ids(numbers), _bases(numbers)
        rows = np.concatenate([np.column_stack([_band(numbers, bases, band), ids]) for band in range(BANDS)])
        firsts, edges = stars.stars(rows)
        suffix = f"-{chunk:05d}"
        buckets.write_by_key(task.file(suffix + near.KEYS), firsts)
        buckets.write_by_key(task.file(suffix + near.EDGES), edges)
        text = np.where(keyed(numbers, "text") % np.uint64(20) == 0, bases, numbers)
        hashes = np.column_stack([mix(text), keyed(text, "low"), np.ones(len(ids), np.uint64), ids])
        hashes = hashes[np.argsort(hashes[:, 0])]
        buckets.write_by_key(task.file(suffix + copies.HASHES), hashes)
    return {"compared": last - first}


def _band(numbers: Numbers, bases: Numbers, band: int) -> Numbers:
    """Its own, or in half of all bands that of its base."""
    shared = keyed(numbers, "band", band) % np.uint64(2) == 0
    return keyed(np.where(shared, bases, numbers), "key", band)


def make_members(task: Task) -> Counts:
    """As a shingles step: sets of made-up shingles, from none to half of which are the document's own."""
    members = group.answers(task.inputs["clusters"], near.MEMBERS, task.part, 2)
    for number, start in enumerate(range(0, len(members), CHUNK)):
        ids, labels = members[start : start + CHUNK].T
        numbers = (ids >> _SHARD_BITS) * np.uint64(SHARD) + (ids & np.uint64((1 << 32) - 1))
        count = len(numbers)
        keys = np.stack([_band(numbers, _bases(numbers), band) for band in range(BANDS)], axis=1)
        rows = np.zeros((count, 5 + SKETCH_WORDS), np.uint64)
        rows[:, 0], rows[:, 1] = labels, ids
        rows[:, 2:5] = 1, BANDS, SHINGLES
        shingles = np.sort(_sets(numbers), axis=1).reshape(-1)
        similar.write_gathered(task, number, [similar.Gathered(rows, np.sort(keys, axis=1).reshape(-1), shingles)])
    return {"shingled": len(members)}


def _sets(numbers: Numbers) -> NDArray[np.uint64]:
    bases = _bases(numbers)
    own = keyed(numbers, "own") % np.uint64(SHINGLES // 2)
    place = np.arange(SHINGLES, dtype=np.uint64)
    of = np.where(place[None, :] < own[:, None], numbers[:, None], bases[:, None])
    return mix(of * np.uint64(SHINGLES) + place[None, :])
