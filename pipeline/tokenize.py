"""The steps from documents to token ids: a tokenizer, and every document encoded with it once.

    documents of every source ──► tokenizer ──► tokenize (each source)

What goes in: documents. What comes out: `tokenizer.json`, trained on a sample of them or copied; all ids of a part end
to end. What stays true: a document is encoded once, so that every epoch of it is the same, and held-out documents are
not in the tokenizer's text.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from corpus import shards, storage
from corpus.hashing import keyed
from kernels.texts import Texts
from mixtures import plan, tokenizer
from mixtures.fast_encoder import Encoder
from mixtures.token_shards import Vocabulary
from pipeline.steps import Counts, Task

# A byte-level BPE's merges settle long before this much text.
TOKENIZER_BYTES = 64_000_000
ENCODE_BATCH = 512
TOKENIZER = "tokenizer.json"


def learn_tokenizer(task: Task) -> Counts:
    """The tokenizer step: `tokenizer.json`, trained on a sample of the sources by weight, or the one that was given."""
    config = task.params["tokenizer"]
    if config["file"]:
        data = storage.read_bytes(config["file"])
    else:
        texts = _sample(task)
        data = tokenizer.train(texts, config["train"], config["eos"]).to_str().encode()
    path = storage.join(task.out, TOKENIZER)
    storage.write_bytes(path, data)
    _, vocabulary = load_tokenizer(task.out, config["eos"])
    return {"vocabulary": vocabulary.size, "eos_id": vocabulary.eos_id}


def load_tokenizer(folder: str, eos: str) -> tuple[Tokenizer, Vocabulary]:
    loaded, eos_id = tokenizer.load(storage.join(folder, TOKENIZER), eos)
    return loaded, Vocabulary(size=_size(loaded), eos_id=eos_id)


# A worker has part after part with the same tokenizer.
@lru_cache(maxsize=4)
def _size(loaded: Tokenizer) -> int:
    """Ids can have gaps, so the largest counts and not how many there are."""
    return max(loaded.get_vocab(True).values()) + 1


@lru_cache(maxsize=4)
def _encoder(loaded: Tokenizer) -> Encoder:
    return Encoder.of(loaded)


def _sample(task: Task) -> Iterator[str]:
    """Texts of every source by hash, about TOKENIZER_BYTES in all, shared by the mixture's weights."""
    total = sum(task.params["weights"].values())
    for source, weight in task.params["weights"].items():
        folder = task.inputs[source]
        there = storage.read_json(storage.join(folder, "step.json"))["counts"]["text_bytes"]
        share = min(1.0, TOKENIZER_BYTES * weight / total / max(there, 1))
        for number in range(shards.count_parts(folder)):
            data = shards.read_part(folder, number, ["id", "text"])
            ids = data["id"].to_numpy()
            chosen = plan.sampled(keyed(ids, "tokenizer", task.params["seed"]), share)
            chosen &= ~plan.held_out(ids, task.params["seed"], task.params["validation"])
            yield from data["text"].filter(pa.array(chosen)).to_pylist()


def encode(task: Task) -> Counts:
    """The tokenize step, for one part: all ids end to end in `part-NNNNN.bin`, (id, tokens, text_bytes) in Parquet."""
    loaded, vocabulary = load_tokenizer(task.inputs["tokenizer"], task.params["eos"])
    encoder = _encoder(loaded)
    data = shards.read_part(task.inputs["documents"], task.number, ["id", "text"])
    lengths = np.empty(len(data), np.int64)
    with storage.open_write(task.file(".bin")) as file:
        for start in range(0, len(data), ENCODE_BATCH):
            texts = Texts.of(data["text"].slice(start, ENCODE_BATCH).cast(pa.large_string()).combine_chunks())
            with task.stage("encode"):
                ids, offsets = encoder.encode_batch(texts)
            lengths[start : start + len(texts)] = np.diff(offsets)
            file.write(ids.astype(vocabulary.dtype).tobytes())
            task.report((start + len(texts)) / len(data))
    columns = {"id": data["id"], "tokens": pa.array(lengths), "text_bytes": shards.text_bytes(data["text"])}
    shards.write(task.file(".parquet"), pa.table(columns))
    # Every document ends with an EOS, which counts as everywhere else.
    by = f"tokenizers: {encoder.reason}" if encoder.reason else "tiktoken"
    return {"documents": len(data), "tokens": int(lengths.sum()) + len(data), "encoded_by": {by: len(data)}}
