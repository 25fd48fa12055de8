"""What the steps that find near-duplicates take of memory, and what they say is the least."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus.hashing import mix, unmix
from dedup import buckets
from dedup.buckets import Numbers
from pipeline import group, near, similar
from pipeline.similar import Gathered
from pipeline.steps import Task

GROUP = {"sources": [{"name": "web", "first_shard": 0, "parts": 1, "priority": 0}], "earlier": []}
NEAR = {"measure": "jaccard", "bands": 14, "rows": 8, "ngram": 5}
FIXED, SKETCH = 5, 14


def gathered(folder: Path, labels: Numbers, keys: int, shingles: int) -> dict[str, str]:
    """What the shingles step leaves of documents of these clusters, each with so many keys and shingles."""
    count = len(labels)
    rows = np.zeros((count, FIXED + SKETCH), np.uint64)
    rows[:, 0], rows[:, 1], rows[:, 2] = labels, np.arange(count), 1
    rows[:, 3], rows[:, 4] = keys, shingles
    own = [np.tile(np.arange(1, size + 1, dtype=np.uint64), count) for size in (keys, shingles)]
    similar.write_gathered(Task(str(folder), 0, 0, {}, {}), 0, [Gathered(rows, *own)])
    return {"shingles": str(folder)}


def verify(inputs: dict[str, str], out: Path, memory: int) -> int:
    parts = similar.member_ranges(inputs, memory)
    params: dict[str, Any] = {"group": GROUP, "near": NEAR, "threshold": 0.75, "memory": memory}
    return sum(
        similar.verify_members(Task(str(out), number, part, params, inputs))["verified"]
        for number, part in enumerate(parts)
    )


@pytest.mark.parametrize(("documents", "keys", "shingles"), [(3000, 14, 4), (40, 20_000, 4), (2, 14, 200_000)])
def test_the_least_memory_that_is_named_does(documents: int, keys: int, shingles: int, tmp_path: Path) -> None:
    """For a cluster of many documents, for one of documents of many keys, and for two long documents."""
    inputs = gathered(tmp_path / "in", np.full(documents, 5, np.uint64), keys, shingles)
    with pytest.raises(ValueError, match=r"the least that does is \d+MB") as error:
        verify(inputs, tmp_path / "out", group.BASE + (1 << 18))
    least = int(re.findall(r"(\d+)MB", str(error.value))[-1])
    try:
        assert verify(inputs, tmp_path / "out", least << 20) == documents - 1
    except ValueError as other:
        # What is found out later can need more, and then says so.
        least = int(re.findall(r"(\d+)MB", str(other))[-1])
        assert verify(inputs, tmp_path / "out", least << 20) == documents - 1


def test_documents_of_many_keys_are_fewer_a_task(tmp_path: Path) -> None:
    labels = mix(np.arange(2000, dtype=np.uint64))
    for keys, most in ((1, 2000), (500, (4 << 20) // (500 * similar.OWN_KEY_BYTES))):
        inputs = gathered(tmp_path / f"{keys}", labels, keys, 1)
        runs = similar.member_ranges(inputs, group.BASE + (24 << 20))
        files = group.files(inputs["shingles"], similar.DOCUMENTS)
        sizes = [len(buckets.read(files, first, last, FIXED)[0]) for first, last in runs]
        assert sum(sizes) == 2000
        assert max(sizes) <= most
        assert all(before[1] <= after[0] for before, after in pairwise(runs))


def test_large_clusters_do_not_meet_in_one_bucket(tmp_path: Path) -> None:
    """The smallest of tens of thousands of numbers is always a very small one."""
    vertices = np.sort(mix(np.arange(60_000, dtype=np.uint64)))
    centers = vertices[:6]
    edges = np.column_stack([vertices[6:], centers[np.arange(len(vertices) - 6) % 6]])
    (tmp_path / "keys").mkdir()
    (tmp_path / "pairs").mkdir()
    buckets.write_by_key(str(tmp_path / "keys/part-00000.edges"), edges)
    params = {"group": GROUP, "memory": 1 << 30}
    inputs = {role: str(tmp_path / role) for role in ("keys", "pairs")}
    near.find_clusters(Task(str(tmp_path / "out"), 0, None, params, inputs))
    rows = group.answers(str(tmp_path / "out"), near.MEMBERS, 0, 2)
    assert np.array_equal(rows[:, 0], np.sort(unmix(vertices)))
    assert len(np.unique(buckets.of_keys(np.unique(rows[:, 1])))) == 6


def test_long_texts_are_read_few_at_a_time() -> None:
    sizes = np.full(5000, 1000)
    assert group.rows_within(sizes, 1 << 30) == group.TEXT_ROWS
    assert group.rows_within(sizes, 64_000) == 64
    sizes[4000] = 10**9
    assert group.rows_within(sizes, 64_000) == 1


def test_files_are_in_the_order_of_parts_of_any_number(tmp_path: Path) -> None:
    names = ["part-00002-00001.tally", "part-99999-00000.tally", "part-100000-00000.tally"]
    for name in reversed([*names, "part-00002.json"]):
        (tmp_path / name).touch()
    assert group.files(str(tmp_path), ".tally") == [f"{tmp_path}/{name}" for name in names]
