"""Folders of token shards for what is measured of training: what stands beside the shards, and shards of random ids."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mixtures.token_shards import Origin, ShardEntry, Split, Vocabulary, write_manifest, write_shard

TOKENIZER = "tokenizer.json"


def finish(folder: Path, entries: Iterable[ShardEntry], vocabulary: Vocabulary, eos: str, tokenizer: bytes) -> str:
    """Write the tokenizer and the manifest; the folder's name."""
    (folder / TOKENIZER).write_bytes(tokenizer)
    origin = Origin.of(
        vocabulary,
        eos=eos,
        tokenizer_file=TOKENIZER,
        tokenizer_sha256=hashlib.sha256(tokenizer).hexdigest(),
        recipe_hash="",
        seed=0,
        version="",
    )
    write_manifest(str(folder), entries, origin)
    return str(folder)


def random(folder: Path, splits: Iterable[Split], documents: int, vocabulary: Vocabulary) -> str:
    """So many documents of 500 random ids in each split, of a source of that name; no text belongs to them."""
    generator = np.random.default_rng(0)
    entries = []
    for split in splits:
        ids = generator.integers(1, vocabulary.size, (documents, 500))
        entries.append(write_shard(str(folder), "random", 0, list(ids), ids.size, vocabulary=vocabulary, split=split))
    return finish(folder, entries, vocabulary, "", b"{}")
