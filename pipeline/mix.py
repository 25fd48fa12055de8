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
from mixtures import llmc, plan, tokenizer
from mixtures.mixture import Mixture
from mixtures.token_shards import Origin, ShardEntry, Split, Vocabulary, write_manifest, write_shard
from pipeline.steps import VERSION, Counts, Task

MIXTURE = "mixture.json"
SPLITS: tuple[Split, ...] = ("train", "validation")


def draw(task: Task) -> Counts:
    """The mixture step: `mixture.json` with the plan and the lists of shards, `<source>.parquet` with their documents.

    A row of `<source>.parquet` is one use of one document, in order: split, number of the shard, part and row, and its
    place (`plan.places`), by which documents of all sources are interleaved. Raises `ValueError` for a plan that asks
    for more than there is.
    """
    params = task.params
    mixture = Mixture.model_validate(params["mixture"])
    indexes = {source: _index(folder, params["seed"], mixture.validation) for source, folder in task.inputs.items()}
    trains = {source: index.filter(pc.invert(index["held_out"])) for source, index in indexes.items()}
    plans = plan.plan({source: _tokens(train) for source, train in trains.items()}, mixture)
    plan.refuse_missing(plans, mixture)
    listed: list[dict[str, Any]] = []
    report: dict[str, Any] = {}
    drawn: dict[Split, list[pa.Table]] = {split: [] for split in SPLITS}
    for source, train in trains.items():
        ids, lengths = train["id"].to_numpy(), train["tokens"].to_numpy()
        train = train.take(plan.draw(ids, lengths, plans[source].planned, source, params["seed"]))
        validation = indexes[source].filter(indexes[source]["held_out"])
        uses = [
            _placed(table, split, params["shard_tokens"])
            for split, table in zip(SPLITS, (train, validation), strict=True)
        ]
        shards.write(storage.join(task.out, f"{source}.parquet"), pa.concat_tables(uses))
        for split, table in zip(SPLITS, uses, strict=True):
            numbers = pc.unique(table["number"]).to_pylist()
            listed += [{"source": source, "split": split, "number": number} for number in numbers]
            drawn[split].append(table)
        report[source] = {
            **reported(plans[source], _tokens(train)),
            "documents": len(train),
            "validation_tokens": _tokens(validation),
        }
    interleaved = [part for split, tables in drawn.items() for part in _slices(split, tables, params["shard_tokens"])]
    storage.write_json(
        storage.join(task.out, MIXTURE), {"sources": report, "shards": listed, "interleaved": interleaved}
    )
    return {"mixture": report}


def _index(folder: str, seed: int, validation: float) -> pa.Table:
    """id, tokens (EOS included), text_bytes, part, row and whether it is held out, of every document of a source."""
    tables = []
    for part in range(shards.count_parts(folder)):
        data = shards.read_part(folder, part)
        data = data.set_column(1, "tokens", pc.add(data["tokens"], 1))
        data = data.append_column("part", pa.array(np.full(len(data), part, np.int32)))
        data = data.append_column("row", pa.array(np.arange(len(data), dtype=np.int64)))
        held_out = plan.held_out(data["id"].to_numpy(), seed, validation)
        tables.append(data.append_column("held_out", pa.array(held_out)))
    return pa.concat_tables(tables)


def _tokens(index: pa.Table) -> int:
    return int(pc.sum(index["tokens"]).as_py() or 0)


def _placed(uses: pa.Table, split: Split, shard_tokens: int) -> pa.Table:
    lengths = uses["tokens"].to_numpy()
    uses = uses.append_column("number", pa.array(plan.shard_numbers(lengths, shard_tokens)))
    uses = uses.append_column("place", pa.array(plan.places(lengths)))
    return uses.append_column("split", pa.array([split] * len(uses), pa.string()))


def _slices(split: Split, tables: Sequence[pa.Table], shard_tokens: int) -> list[dict[str, Any]]:
    """The interleaved shards: each one of `of` equal slices of the places of all documents."""
    # A slice ends within a document of each source.
    longest = sum(pc.max(table["tokens"]).as_py() or 0 for table in tables)
    most = max(1, min(shard_tokens, llmc.MAX_TOKENS - longest))
    count = -(-sum(map(_tokens, tables)) // most)
    numbers = np.unique(np.concatenate([slice_numbers(table["place"].to_numpy(), count) for table in tables]))
    return [{"split": split, "number": number, "of": count} for number in numbers.tolist()]


def slice_numbers(places: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Which of `count` equal slices each place is in."""
    return (places * count).astype(np.int64)


def reported(planned: plan.SourcePlan, tokens: int) -> dict[str, Any]:
    """A source's plan as JSON values; `tokens` is what it came to, or is to come to."""
    return {
        "weight": planned.weight,
        "share": planned.share,
        "max_epochs": planned.cap,
        "unique_tokens": planned.unique,
        "wanted_tokens": planned.wanted,
        "tokens": tokens,
        "repeated_tokens": max(0, tokens - planned.unique),
        "missing_tokens": planned.missing,
        "epochs": tokens / planned.unique if planned.unique else 0.0,
    }


def listed_shards(inputs: Mapping[str, str]) -> Sequence[Any]:
    """The parts of the tokens step, known once the mixture is drawn."""
    parts: Sequence[Any] = storage.read_json(storage.join(inputs["mixture"], MIXTURE))["shards"]
    return parts


def write_tokens(task: Task) -> Counts:
    """The tokens step, for one shard: gather its documents' ids in order."""
    source, split, number = task.part["source"], task.part["split"], task.part["number"]
    vocabulary = vocabulary_of(task)
    uses = shards.read(storage.join(task.inputs["mixture"], f"{source}.parquet"))
    uses = uses.filter(pc.and_(pc.equal(uses["split"], split), pc.equal(uses["number"], number)))
    documents = gather(task, uses.append_column("source", pa.array([source] * len(uses))), vocabulary)
    size = int(pc.sum(uses["text_bytes"]).as_py())
    entry = write_shard(task.out, source, number, documents, size, vocabulary=vocabulary, split=split)
    return {"shards": [entry.model_dump(mode="json")], "tokens": {split: {source: entry.tokens}}}


def vocabulary_of(task: Task) -> Vocabulary:
    """As the tokenizer step found it."""
    found = storage.read_json(storage.join(task.inputs["tokenizer"], "step.json"))["counts"]
    return Vocabulary(size=found["vocabulary"], eos_id=found["eos_id"])


def gather(task: Task, uses: pa.Table, vocabulary: Vocabulary) -> Iterator[NDArray[Any]]:
    """The ids of documents in the order of `uses` (their source, part and row), as their tokenize steps left them."""
    ids: dict[tuple[str, int], NDArray[Any]] = {}
    ends: dict[tuple[str, int], NDArray[np.int64]] = {}
    places = (uses[column].to_pylist() for column in ("source", "part", "row"))
    for source, part, row in zip(*places, strict=True):
        file = source, part
        if file not in ids:
            folder = task.inputs[f"{source}.tokenize"]
            ids[file] = storage.read_array(storage.join(folder, f"part-{part:05d}.bin"), vocabulary.dtype)
            ends[file] = np.cumsum(shards.read_part(folder, part, ["tokens"])["tokens"].to_numpy())
        start = int(ends[file][row - 1]) if row else 0
        yield ids[file][start : int(ends[file][row])]


def finish_tokens(task: Task, counts: Sequence[Counts]) -> None:
    """The tokenizer and then the manifest, once every shard is there."""
    entries = [ShardEntry.model_validate(entry) for part in counts for entry in part["shards"]]
    write_manifest(task.out, entries, origin(task))


def origin(task: Task) -> Origin:
    """What the manifest says of all shards; the tokenizer's file, which it names, is copied beside it."""
    file = tokenizer.file_in(task.inputs["tokenizer"])
    data = storage.read_bytes(storage.join(task.inputs["tokenizer"], file))
    storage.write_bytes(storage.join(task.out, file), data)
    return Origin.of(
        vocabulary_of(task),
        eos=task.params["eos"],
        tokenizer_file=file,
        tokenizer_sha256=hashlib.sha256(data).hexdigest(),
        recipe_hash=task.params["recipe_hash"],
        seed=task.params["seed"],
        version=VERSION,
    )
