"""The steps from token ids to token shards.

    tokenize (each source) ──► mixture ──► tokens

`mixture` plans tokens and epochs and draws the documents; `tokens` writes one shard a part. What stays true: ids are
copied and not made again, and held-out documents are in no training shard.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards, storage
from mixtures import plan
from mixtures.token_shards import ShardEntry, Split, Vocabulary, write_manifest, write_shard
from pipeline.steps import VERSION, Counts, Task
from pipeline.tokenize import TOKENIZER, load_tokenizer

MIXTURE = "mixture.json"


def draw(task: Task) -> Counts:
    """The mixture step: `mixture.json` with the plan and the list of shards, `<source>.parquet` with their documents.

    A row of `<source>.parquet` is one use of one document, in order: split, number of the shard, part and row.
    """
    params = task.params
    indexes = {source: _index(task.inputs[source]) for source in params["weights"]}
    for source, index in indexes.items():
        held_out = plan.held_out(index["id"].to_numpy(), params["seed"], params["validation"])
        indexes[source] = index.append_column("held_out", pa.array(held_out))
    unique = {source: _tokens(index.filter(pc.invert(index["held_out"]))) for source, index in indexes.items()}
    plans = plan.plan(unique, params["tokens"], params["weights"], params["max_epochs"])
    listed: list[dict[str, Any]] = []
    report: dict[str, Any] = {}
    for source, index in indexes.items():
        train = index.filter(pc.invert(index["held_out"]))
        ids, lengths = train["id"].to_numpy(), train["tokens"].to_numpy()
        train = train.take(plan.draw(ids, lengths, plans[source].planned, source, params["seed"]))
        validation = index.filter(index["held_out"])
        uses = [_in_shards(train, "train", params), _in_shards(validation, "validation", params)]
        shards.write(storage.join(task.out, f"{source}.parquet"), pa.concat_tables(uses))
        listed += [
            {"source": source, "split": split, "number": number}
            for split, table in zip(("train", "validation"), uses, strict=True)
            for number in pc.unique(table["number"]).to_pylist()
        ]
        report[source] = _report(plans[source], train, validation)
    storage.write_json(storage.join(task.out, MIXTURE), {"sources": report, "shards": listed})
    return {"mixture": report}


def _index(folder: str) -> pa.Table:
    """id, tokens (EOS included), text_bytes, part and row of every document of a source."""
    tables = []
    for part in range(shards.count_parts(folder)):
        data = shards.read_part(folder, part)
        data = data.set_column(1, "tokens", pc.add(data["tokens"], 1))
        data = data.append_column("part", pa.array(np.full(len(data), part, np.int32)))
        tables.append(data.append_column("row", pa.array(np.arange(len(data), dtype=np.int64))))
    return pa.concat_tables(tables)


def _tokens(index: pa.Table) -> int:
    return int(pc.sum(index["tokens"]).as_py() or 0)


def _in_shards(uses: pa.Table, split: Split, params: Mapping[str, Any]) -> pa.Table:
    numbers = plan.shard_numbers(uses["tokens"].to_numpy(), params["shard_tokens"])
    uses = uses.append_column("number", pa.array(numbers))
    return uses.append_column("split", pa.array([split] * len(uses), pa.string()))


def _report(planned: plan.SourcePlan, train: pa.Table, validation: pa.Table) -> dict[str, Any]:
    tokens = _tokens(train)
    return {
        "weight": planned.weight,
        "unique_tokens": planned.unique,
        "wanted_tokens": planned.wanted,
        "tokens": tokens,
        "missing_tokens": max(0, planned.missing),
        "epochs": tokens / planned.unique if planned.unique else 0.0,
        "documents": len(train),
        "validation_tokens": _tokens(validation),
    }


def listed_shards(inputs: Mapping[str, str]) -> Sequence[Any]:
    """The parts of the tokens step, known once the mixture is drawn."""
    parts: Sequence[Any] = storage.read_json(storage.join(inputs["mixture"], MIXTURE))["shards"]
    return parts


def write_tokens(task: Task) -> Counts:
    """The tokens step, for one shard: gather its documents' ids in order."""
    source, split, number = task.part["source"], task.part["split"], task.part["number"]
    _, vocabulary = load_tokenizer(task.inputs["tokenizer"], task.params["eos"])
    uses = shards.read(storage.join(task.inputs["mixture"], f"{source}.parquet"))
    uses = uses.filter(pc.and_(pc.equal(uses["split"], split), pc.equal(uses["number"], number)))
    documents = _gather(task.inputs[source], uses, vocabulary)
    size = int(pc.sum(uses["text_bytes"]).as_py())
    entry = write_shard(task.out, source, number, documents, size, vocabulary=vocabulary, split=split)
    return {"shards": [entry.model_dump(mode="json")], "tokens": {split: {source: entry.tokens}}}


def _gather(folder: str, uses: pa.Table, vocabulary: Vocabulary) -> Iterator[NDArray[Any]]:
    ids: dict[int, NDArray[Any]] = {}
    ends: dict[int, NDArray[np.int64]] = {}
    for part, row in zip(uses["part"].to_pylist(), uses["row"].to_pylist(), strict=True):
        if part not in ids:
            ids[part] = storage.read_array(storage.join(folder, f"part-{part:05d}.bin"), vocabulary.dtype)
            ends[part] = np.cumsum(shards.read_part(folder, part, ["tokens"])["tokens"].to_numpy())
        start = int(ends[part][row - 1]) if row else 0
        yield ids[part][start : int(ends[part][row])]


def finish_tokens(task: Task, counts: Sequence[Counts]) -> None:
    """The token manifest, once every shard is there."""
    _, vocabulary = load_tokenizer(task.inputs["tokenizer"], task.params["eos"])
    digest = hashlib.sha256(storage.read_bytes(storage.join(task.inputs["tokenizer"], TOKENIZER))).hexdigest()
    entries = [ShardEntry.model_validate(entry) for part in counts for entry in part["shards"]]
    write_manifest(
        task.out,
        entries,
        vocabulary=vocabulary,
        tokenizer_sha256=digest,
        recipe_hash=task.params["recipe_hash"],
        seed=task.params["seed"],
        version=VERSION,
    )
