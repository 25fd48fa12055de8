"""The targets step: what proxy runs are measured on besides their sources' held-out text, encoded once.

    tokenizer ──► targets (one part each)

What goes in: a user's JSON lines. What comes out, by the target's name: a validation shard of its texts, or its options
in Parquet; at the end a manifest of the shards, which may be none. What stays true: the folder opens as any other
folder of token shards, and a file that has changed is encoded anew.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import TypeAdapter

from corpus import shards, storage
from corpus.strict import RecipeError
from kernels.texts import Texts
from mixtures import options, tokenizer
from mixtures.targets import AnsweredTarget, Target, TextTarget, read_items, read_texts
from mixtures.token_shards import ShardEntry, write_manifest, write_shard
from mixtures.tokenizer import Tokenizer
from pipeline.mix import origin, vocabulary_of
from pipeline.source_graph import files_of
from pipeline.steps import Counts, Step, Task
from pipeline.tokenize import ENCODE_BATCH, load_tokenizer

_TARGET: TypeAdapter[Target] = TypeAdapter(Target)


def targets_step(targets: Mapping[str, Target], learnt: Step, key: str = "targets") -> Step:
    """The step for a recipe's targets by name, after its tokenizer step; `key` is where the recipe has them.

    Raises `RecipeError` for no target, and for a file that is not there or cannot be read.
    """
    if not targets:
        raise RecipeError(f"{key}: name at least one target, or leave it out")
    parts = [
        {
            "name": name,
            "files": files_of(f"{key}.{name}.paths", target.paths),
            "target": target.model_dump(exclude={"paths"}),
        }
        for name, target in sorted(targets.items())
    ]
    # Targets depend on no recipe and no draw; the manifest names what was asked for.
    asked = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    params = {"eos": learnt.params["tokenizer"]["eos"], "recipe_hash": asked, "seed": 0}
    return Step("targets", encode_target, params, {"tokenizer": learnt}, parts, finish_targets)


def encode_target(task: Task) -> Counts:
    """One target. Its counts, under `targets` and its name, say what it is and how much.

    Raises `ValueError` for a file without text and for a line that is no item, with file and line.
    """
    name, files = task.part["name"], [file["file"] for file in task.part["files"]]
    # The step's parameters have no paths: the files are those that were found.
    target = _TARGET.validate_python({**task.part["target"], "paths": files})
    loaded = load_tokenizer(task.inputs["tokenizer"], task.params["eos"])
    if isinstance(target, TextTarget):
        return _encode_texts(task, name, target, loaded)
    return _encode_options(task, name, target, loaded)


def _encode_texts(task: Task, name: str, target: TextTarget, loaded: Tokenizer) -> Counts:
    sizes: list[int] = []

    def documents() -> Iterator[NDArray[Any]]:
        texts = (text for file in target.paths for text in read_texts(file, target.text_field))
        while batch := list(islice(texts, ENCODE_BATCH)):
            encoded = Texts.of(batch)
            if not sizes:
                tokenizer.check(loaded, encoded)
            sizes.extend(np.diff(encoded.offsets).tolist())
            ids, offsets = loaded.encode_batch(encoded)
            yield from (ids[start:end] for start, end in pairwise(offsets))

    entry = write_shard(task.out, name, 0, documents(), 0, vocabulary=vocabulary_of(task), split="validation")
    entry = entry.model_copy(update={"text_bytes": sum(sizes)})
    found = {"kind": target.kind, "documents": entry.documents, "tokens": entry.tokens, "bytes": entry.text_bytes}
    return {"targets": {name: found}, "shards": [entry.model_dump(mode="json")]}


def _encode_options(task: Task, name: str, target: AnsweredTarget, loaded: Tokenizer) -> Counts:
    """`bytes` are those of the right answers, `tokens` all that is scored and read for it, EOS aside."""
    items = [item for file in target.paths for item in read_items(file, target)]
    table, apart = options.encode(loaded, items, target)
    shards.write(storage.join(task.out, name + options.ENDING), table)
    right = table.filter(table["gold"])
    found = {
        "kind": target.kind,
        "measure": target.measure,
        "items": len(items),
        "options": len(table),
        "apart": apart,
        "tokens": pc.sum(pc.list_value_length(table["ids"])).as_py(),
        "bytes": pc.sum(right["text_bytes"]).as_py(),
    }
    return {"targets": {name: found}, "shards": []}


def finish_targets(task: Task, counts: Sequence[Counts]) -> None:
    """The tokenizer and then the manifest, with no shards where all targets are options."""
    entries = [ShardEntry.model_validate(entry) for part in counts for entry in part["shards"]]
    write_manifest(task.out, entries, origin(task))
