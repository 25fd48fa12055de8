"""Token shards whose documents come from a known Markov chain, so that the least possible loss is known."""

import hashlib
from pathlib import Path

import numpy as np

from mixtures.token_shards import Origin, ShardEntry, Split, Vocabulary, write_manifest, write_shard

VOCABULARY = Vocabulary(size=24, eos_id=0)
TOKENIZER = b'{"planted": "no text belongs to these ids"}'


def transitions() -> np.ndarray:
    """P[i, j], the chance that j comes after i: four followers each, at .6, .2, .15 and .05; 0 ends the document."""
    chances = np.zeros((24, 24))
    generator = np.random.default_rng(5)
    for token in range(24):
        followers = generator.choice(np.arange(1, 24), 4, replace=False)
        chances[token, followers] = 0.97 * np.array([0.6, 0.2, 0.15, 0.05])
        chances[token, 0] = 0.03
    chances[0] = np.where(np.arange(24) == 0, 0, chances[0]) / chances[0, 1:].sum()
    return chances


def markov(documents: int, seed: int) -> list[np.ndarray]:
    """Documents of the chain, which starts after an EOS and leaves it out."""
    chances, generator = transitions(), np.random.default_rng(seed)
    made = []
    for _ in range(documents):
        token, ids = 0, []
        while token := int(generator.choice(24, p=chances[token])):
            ids.append(token)
        made.append(np.array(ids, np.int64))
    return made


def true_entropy(documents: list[np.ndarray]) -> float:
    """Nats per token that the chain itself gives the documents, their EOS included."""
    chances = transitions()
    stream = np.concatenate([[0], *(np.append(ids, 0) for ids in documents)])
    return float(-np.log(chances[stream[:-1], stream[1:]]).mean())


def shard(
    folder: Path, source: str, documents: list[np.ndarray], split: Split = "train", number: int = 0
) -> ShardEntry:
    text_bytes = 3 * sum(len(ids) for ids in documents)
    return write_shard(str(folder), source, number, documents, text_bytes, vocabulary=VOCABULARY, split=split)


def finish(
    folder: Path, entries: list[ShardEntry], vocabulary: Vocabulary = VOCABULARY, tokenizer: bytes = TOKENIZER
) -> str:
    """Write what is beside the shards; the folder's name."""
    (folder / "tokenizer.json").write_bytes(tokenizer)
    origin = Origin.of(
        vocabulary,
        eos="<|endoftext|>",
        tokenizer_file="tokenizer.json",
        tokenizer_sha256=hashlib.sha256(tokenizer).hexdigest(),
        recipe_hash="",
        seed=0,
        version="0",
    )
    write_manifest(str(folder), entries, origin)
    return str(folder)


def write(folder: Path) -> str:
    """Two sources to train on, one of them with held-out text."""
    train = markov(400, seed=1)
    return finish(
        folder,
        [
            shard(folder, "books", train[:100]),
            shard(folder, "c4", train[100:]),
            shard(folder, "c4", markov(30, seed=2), "validation"),
        ],
    )
