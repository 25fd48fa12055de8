"""The steps that count a source's lines or paragraphs and say which are repeated.

    verdicts ──► tally ──► repeated ──► documents

Only documents that stay until here are counted: of two near-duplicates all lines would be repeated, and both be lost.
What stays true: a unit is counted over the whole source, in chunks of CHUNK rows of a part, whatever the tasks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from corpus import storage
from dedup import buckets, lines
from pipeline import group
from pipeline.steps import Counts, Task
from pipeline.verdicts import verdicts

CHUNK = group.ROWS
TALLY, REPEATED, CHUNKS = ".tally", ".repeated", "chunks.json"
# A row, its copy from the file, and what may become of it.
ROW_BYTES = 80


def tally(task: Task) -> Counts:
    """The tally step, for one part: `.tally` rows of hash and count for each chunk."""
    units = chunks = 0
    place = task.params["first_place"] + task.number
    for found, filtered, _ in verdicts(task, place, ["line_hashes"]):
        stays = filtered["line_hashes"].filter(pc.is_null(found["reason"]))
        rows = lines.tally(np.asarray(stays.flatten(), np.uint64))
        units += int(rows[:, 1].sum())
        buckets.write_by_key(task.file(f"-{chunks:05d}{TALLY}"), rows)
        chunks += 1
    return {"units": units, "chunks": [chunks]}


def write_chunks(task: Task, counts: Sequence[Counts]) -> None:
    """At the end of the tally step: how many chunks each part has."""
    storage.write_json(storage.join(task.out, CHUNKS), [chunks for part in counts for chunks in part["chunks"]])


def tally_ranges(inputs: Mapping[str, str], memory: int) -> list[list[int]]:
    """The parts of the repeated step: runs of buckets of hashes."""
    return group.ranges(group.files(inputs["tally"], TALLY), ROW_BYTES, memory)


def find_repeated(task: Task) -> Counts:
    """The repeated step, for a run of buckets: `.repeated`, for each chunk its repeated units' hashes, and 1 where the
    first copy is in it and stays."""
    files = group.files(task.inputs["tally"], TALLY)
    rows, counts = buckets.read(files, task.part[0], task.part[1], 2)
    found, of_files = lines.answers(rows, counts, task.params["keep"])
    buckets.write(task.file(REPEATED), found, np.repeat(np.arange(len(files)), of_files), len(files))
    return {"repeated": len(np.unique(found[:, 0]))}


def repeated_of(task: Task, number: int, chunk: int, unit: Any) -> lines.Repeated:
    """What of a chunk's units is repeated anywhere."""
    bucket = sum(storage.read_json(storage.join(task.inputs["tally"], CHUNKS))[:number]) + chunk
    rows, _ = buckets.read(group.files(task.inputs["repeated"], REPEATED), bucket, bucket + 1, 2)
    return lines.Repeated(rows, unit)
