"""The steps that write the mixture once more for trainers that read all sources from the same files.

    mixture, tokenize (each source) ──► llmc        mixture, documents (each source) ──► text

What goes in: the documents that were drawn, with their places. What comes out: llm.c's token shards; texts as Parquet.
What stays true: these are the documents of the tokens step, repeated as there; every shard has the sources in their
shares, mixed evenly, and no document comes a second time before all others of its source have come once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import shards, storage
from mixtures import llmc
from mixtures.llmc import LlmcEntry
from pipeline.mix import MIXTURE, gather, origin, slice_numbers, vocabulary_of
from pipeline.steps import Counts, Task

COLUMNS = ["text", "source", "id", "url"]


def listed(inputs: Mapping[str, str]) -> Sequence[Any]:
    """The parts of either step: split, number of the slice, and of how many."""
    parts: Sequence[Any] = storage.read_json(storage.join(inputs["mixture"], MIXTURE))["interleaved"]
    return parts


def _uses(task: Task) -> pa.Table:
    """The documents of one slice, with their source, in order."""
    split, number, count = task.part["split"], task.part["number"], task.part["of"]
    folder = task.inputs["mixture"]
    tables = []
    for source in storage.read_json(storage.join(folder, MIXTURE))["sources"]:
        uses = shards.read(storage.join(folder, f"{source}.parquet"))
        uses = uses.filter(pc.equal(uses["split"], split))
        uses = uses.filter(pa.array(slice_numbers(uses["place"].to_numpy(), count) == number))
        tables.append(uses.append_column("source", pa.array([source] * len(uses), pa.string())))
    table = pa.concat_tables(tables)
    return table.take(np.argsort(table["place"].to_numpy(), kind="stable"))


def write_llmc(task: Task) -> Counts:
    """The llmc step, for one shard: its documents' ids in order."""
    uses, vocabulary = _uses(task), vocabulary_of(task)
    sums = uses.group_by("source").aggregate([("tokens", "sum")])
    sources = dict(sorted(zip(sums["source"].to_pylist(), sums["tokens_sum"].to_pylist(), strict=True)))
    documents = gather(task, uses, vocabulary)
    size = int(pc.sum(uses["text_bytes"]).as_py())
    entry = llmc.write_shard(task.out, task.part["split"], task.part["number"], documents, sources, size, vocabulary)
    return {"shards": [entry.model_dump(mode="json")]}


def finish_llmc(task: Task, counts: Sequence[Counts]) -> None:
    """The tokenizer and then the manifest, once every shard is there."""
    entries = [LlmcEntry.model_validate(entry) for part in counts for entry in part["shards"]]
    llmc.write_manifest(task.out, entries, origin(task))


def write_text(task: Task) -> Counts:
    """The text step, for one shard: its documents' texts in order, with source, id and URL."""
    uses = _uses(task)
    sources, parts, rows = (uses[column].to_numpy(zero_copy_only=False) for column in ("source", "part", "row"))
    order = np.lexsort((rows, parts, sources))
    changes = (sources[order][1:] != sources[order][:-1]) | (parts[order][1:] != parts[order][:-1])
    # A part of the documents at a time, so that of no other part more is held than goes into this shard.
    tables = [
        shards.read_part(task.inputs[f"{sources[own[0]]}.documents"], int(parts[own[0]]), COLUMNS).take(rows[own])
        for own in np.split(order, np.flatnonzero(changes) + 1)
    ]
    table = pa.concat_tables(tables).take(np.argsort(order))
    shards.write(storage.join(task.out, f"{task.part['split']}-{task.part['number']:05d}.parquet"), table)
    return {"texts": len(table)}
