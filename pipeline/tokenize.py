"""The steps from documents to token ids: a tokenizer, and every document encoded with it once.

    documents of every source ──► tokenizer ──► tokenize (each source)

What goes in: documents. What comes out: a tokenizer, trained on a sample of them or copied; all ids of a part end to
end. What stays true: a document is encoded once, so that every epoch of it is the same, and held-out documents are not
in the tokenizer's text.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from corpus import shards, storage
from corpus.hashing import keyed
from kernels.texts import Texts
from mixtures import json_tokenizer, plan, tokenizer
from mixtures.mixture import Mixture
from mixtures.tokenizer import Tokenizer
from pipeline.steps import Counts, Task

# A byte-level BPE's merges settle long before this much text.
TOKENIZER_BYTES = 64_000_000
# What sources have in tokens is not known before there is a tokenizer; its sample alone goes by this.
BYTES_PER_TOKEN = 4
# Of an equal share of the sample.
LEAST_SHARE = 0.1
ENCODE_BATCH = 512


def learn_tokenizer(task: Task) -> Counts:
    """The tokenizer step: the file that was given, or one trained on a sample of the sources by weight."""
    config = task.params["tokenizer"]
    if config["file"]:
        given = tokenizer.adopt(config["file"], config["pattern"], config["eos"], config["eos_id"])
        file, data = given.file, given.data
    else:
        trained = json_tokenizer.train(_sample(task), config["train"], config["eos"])
        file, data = tokenizer.JSON, trained.to_str().encode()
    storage.write_bytes(storage.join(task.out, file), data)
    vocabulary = load_tokenizer(task.out, config["eos"]).vocabulary
    return {"vocabulary": vocabulary.size, "eos_id": vocabulary.eos_id}


def load_tokenizer(folder: str, eos: str) -> Tokenizer:
    """The one in the folder of a tokenizer step."""
    return tokenizer.load(storage.join(folder, tokenizer.file_in(folder)), eos)


def _sample(task: Task) -> Iterator[str]:
    """Texts of every source by hash, about TOKENIZER_BYTES in all, shared as the mixture shares tokens."""
    there = {
        source: storage.read_json(storage.join(folder, "step.json"))["counts"]["text_bytes"]
        for source, folder in task.inputs.items()
    }
    tokens = {source: size // BYTES_PER_TOKEN for source, size in there.items()}
    wanted = plan.wanted(tokens, Mixture.model_validate(task.params["mixture"]))
    # An estimate can leave nothing for a source, and its tokens would then be single bytes.
    least = LEAST_SHARE * sum(wanted.values()) / len(wanted)
    wanted = {source: max(least, tokens) for source, tokens in wanted.items()}
    total = sum(wanted.values())
    for source, folder in task.inputs.items():
        share = min(1.0, TOKENIZER_BYTES * wanted[source] / max(total, 1) / max(there[source], 1))
        for number in range(shards.count_parts(folder)):
            data = shards.read_part(folder, number, ["id", "text"])
            ids = data["id"].to_numpy()
            chosen = plan.sampled(keyed(ids, "tokenizer", task.params["seed"]), share)
            chosen &= ~plan.held_out(ids, task.params["seed"], task.params["validation"])
            yield from data["text"].filter(pa.array(chosen)).to_pylist()


def encode(task: Task) -> Counts:
    """The tokenize step, for one part: all ids end to end in `part-NNNNN.bin`, (id, tokens, text_bytes) in Parquet."""
    loaded = load_tokenizer(task.inputs["tokenizer"], task.params["eos"])
    data = shards.read_part(task.inputs["documents"], task.number, ["id", "text"])
    lengths = np.empty(len(data), np.int64)
    with storage.open_write(task.file(".bin")) as file:
        for start in range(0, len(data), ENCODE_BATCH):
            texts = Texts.of(data["text"].slice(start, ENCODE_BATCH).cast(pa.large_string()).combine_chunks())
            with task.stage("encode"):
                if start == 0:
                    tokenizer.check(loaded, texts)
                ids, offsets = loaded.encode_batch(texts)
            lengths[start : start + len(texts)] = np.diff(offsets)
            file.write(ids.astype(loaded.vocabulary.dtype).tobytes())
            task.report((start + len(texts)) / len(data))
    columns = {"id": data["id"], "tokens": pa.array(lengths), "text_bytes": shards.text_bytes(data["text"])}
    shards.write(task.file(".parquet"), pa.table(columns))
    # Every document ends with an EOS, which counts as everywhere else.
    tokens = int(lengths.sum()) + len(data)
    return {"documents": len(data), "tokens": tokens, "encoded_by": {loaded.encoded_by: len(data)}}
