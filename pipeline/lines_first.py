"""Repeated lines taken out before anything is measured, as CCNet does and so Llama-1 did.

    read ──► tally ──► repeated ──► measure ──► (perplexity, reference) ──► filter

`read` then only extracts; `measure` takes out the lines that are repeated anywhere in the source, in whatever language
and on whatever page, and writes of what is left what the read step writes otherwise. What stays true: a document's row
is its row in the read step, so that its id still tells where it came from.
"""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import shards, storage
from corpus.documents import DOCUMENT
from dedup import buckets, lines
from kernels.lines import find_units
from kernels.signatures import unit_hashes
from kernels.texts import Texts
from pipeline import read
from pipeline.repeated import CHUNK, TALLY, repeated_of
from pipeline.steps import Counts, Task

COLUMNS = [*DOCUMENT.names, "dropped", "offset"]


def tally(task: Task) -> Counts:
    """The tally step, for one part: `.tally` rows of hash and count for each chunk of documents that were read."""
    held: list[buckets.Numbers] = []
    rows = units = chunks = 0

    def write() -> int:
        found = lines.tally(np.concatenate(held))
        buckets.write_by_key(task.file(f"-{chunks:05d}{TALLY}"), found)
        held.clear()
        return int(found[:, 1].sum())

    path = storage.join(task.inputs["read"], shards.part_name(task.number))
    for batch in shards.batches(path, ["text"], read.BATCH):
        texts = Texts.of(batch["text"])
        held.append(unit_hashes(texts, find_units(texts.lines, task.params["unit"])))
        rows += len(batch)
        if rows % CHUNK == 0:
            units += write()
            chunks += 1
    if held:
        units += write()
        chunks += 1
    return {"units": units, "chunks": [chunks]}


def measure(task: Task) -> Counts:
    """The measure step, for one part: `part-NNNNN.parquet` as the read step's, of texts less their repeated lines."""
    wanted = task.params["lines"]
    counts = {"measured": 0, "repeated_units": 0, "text_bytes": 0}
    languages: Counter[str] = Counter()
    path = storage.join(task.inputs["read"], shards.part_name(task.number))
    with shards.writer(task.file(".parquet"), read.schema(task.params)) as out:
        for batch in shards.batches(path, COLUMNS, read.BATCH):
            if counts["measured"] % CHUNK == 0:
                gone = repeated_of(task, task.number, counts["measured"] // CHUNK, wanted["unit"])
            with task.stage("lines"):
                texts, lost, units = gone.without(Texts.of(batch["text"]))
            short = lost & (pc.utf8_length(texts).to_numpy(zero_copy_only=False) < max(1, wanted["min_characters"]))
            dropped = pc.coalesce(batch["dropped"], pc.if_else(pa.array(short), f"repeated_{wanted['unit']}s", None))
            known = zip(batch["language"].to_pylist(), batch["language_score"].to_pylist(), strict=True)
            told = [(label, score) if label else None for label, score in known]
            same = {name: batch[name] for name in ("id", "url", "date", "source", "offset")}
            columns = same | {"dropped": dropped} | read.measure(task, texts, batch["url"].to_pylist(), told)
            table = pa.table(columns, schema=read.schema(task.params))
            out.write_table(table)
            counts["measured"] += len(batch)
            counts["repeated_units"] += units
            counts["text_bytes"] += pc.sum(shards.text_bytes(table["text"])).as_py() or 0
            languages.update(table["language"].drop_null().to_pylist())
    return {**counts, "languages": dict(sorted(languages.items()))}
