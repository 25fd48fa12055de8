"""Token shards: what a mixture leaves behind for training, readable by Megatron-LM, OLMo-core and nanoGPT as it is.

What goes in: documents as arrays of token ids, without their end. What comes out, per shard: a headerless
`<source>-NNNNN.bin` (or `<source>-validation-NNNNN.bin`), every document followed by one end-of-document id (EOS),
and a Megatron `.idx` beside it (lengths, byte pointers and document numbers; 42 + 20 n bytes for n documents); per
folder, a `manifest.json`, written last. What stays true: exactly one EOS per document and none inside it, no document
split across shards, and the same input gives the same bytes.
"""

import hashlib
import itertools
import re
import struct
from collections.abc import Iterable
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from corpus import storage
from mixtures import token_stream
from mixtures.token_stream import Layout

Split = Literal["train", "validation"]
Dtype = Literal["uint16", "uint32"]

MANIFEST = "manifest.json"
# Megatron-LM's IndexedDataset: magic, version, dtype code, number of sequences, number of documents + 1.
IDX_HEADER = struct.Struct("<9sQBQQ")
IDX_MAGIC = b"MMIDIDX\0\0"
IDX_VERSION = 1
# Megatron has no uint32; ids below 2^31 have the same bytes in its int32.
IDX_DTYPE_CODES: dict[Dtype, int] = {"uint16": 8, "uint32": 4}


class DamagedShardError(ValueError):
    """A file is missing, or its size or checksum is not what the manifest says."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Vocabulary(_Record):
    """How many ids a tokenizer has, and which of them ends a document."""

    size: int
    eos_id: int

    @model_validator(mode="after")
    def _ids_fit(self) -> Self:
        if not 0 <= self.eos_id < self.size <= 1 << 31:
            raise ValueError(f"EOS id {self.eos_id}, vocabulary size {self.size}: need 0 <= EOS < size <= 2^31")
        return self

    @property
    def dtype(self) -> Dtype:
        """Megatron-LM's own limit for 16 bits is 65,500 ids, not 65,536."""
        return "uint16" if self.size <= 65_500 else "uint32"


class Entry(_Record):
    """What a manifest says of one file. `tokens`, `min_id` and `max_id` count the EOS, `text_bytes` does not."""

    file: str
    split: Split
    tokens: int
    documents: int
    bytes: int
    text_bytes: int
    min_id: int
    max_id: int
    sha256: str


class ShardEntry(Entry):
    """What the manifest says of one shard, which has one source, and of its index."""

    source: str
    idx_sha256: str


class Origin(_Record):
    """What all files of a folder share. `tokenizer_file` lies beside them; `eos` is the text of the EOS id."""

    vocabulary_size: int
    eos_id: int
    eos: str
    dtype: Dtype
    tokenizer_file: str
    tokenizer_sha256: str
    recipe_hash: str
    seed: int
    version: str

    @classmethod
    def of(
        cls,
        vocabulary: Vocabulary,
        *,
        eos: str,
        tokenizer_file: str,
        tokenizer_sha256: str,
        recipe_hash: str,
        seed: int,
        version: str,
    ) -> Self:
        return cls(
            vocabulary_size=vocabulary.size,
            eos_id=vocabulary.eos_id,
            eos=eos,
            dtype=vocabulary.dtype,
            tokenizer_file=tokenizer_file,
            tokenizer_sha256=tokenizer_sha256,
            recipe_hash=recipe_hash,
            seed=seed,
            version=version,
        )


class Manifest(Origin):
    """`manifest.json`: the shards in the order of their file names, and what all of them share."""

    shards: tuple[ShardEntry, ...]


class TokenShards:
    """A folder of shards, opened for reading; tokens are mapped when they are asked for."""

    def __init__(self, folder: str, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, folder: str) -> Self:
        """Raises `DamagedShardError` for a shard that is missing or not as long as the manifest says."""
        manifest = read_manifest(folder)
        for entry in manifest.shards:
            _check_size(storage.join(folder, entry.file), entry.bytes)
        return cls(folder, manifest)

    def entries(self, split: Split) -> list[ShardEntry]:
        return [entry for entry in self.manifest.shards if entry.split == split]

    def tokens(self, entry: ShardEntry) -> NDArray[Any]:
        """All ids of a shard, EOS included, memory-mapped where the file is local."""
        return storage.read_array(storage.join(self.folder, entry.file), stored(self.manifest.dtype))

    def offsets(self, entry: ShardEntry) -> NDArray[np.int64]:
        """int64[documents + 1]: document i is `tokens[offsets[i]:offsets[i + 1]]`, its EOS the last of them."""
        idx = storage.read_bytes(storage.join(self.folder, idx_name(entry.file)))
        lengths = np.frombuffer(idx, "<i4", entry.documents, IDX_HEADER.size)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def write_shard(
    folder: str,
    source: str,
    number: int,
    documents: Iterable[NDArray[Any]],
    text_bytes: int,
    *,
    vocabulary: Vocabulary,
    split: Split = "train",
) -> ShardEntry:
    """Write one shard, the `.bin` and then its `.idx`, and return what the manifest is to say of it.

    `documents` are flat integer arrays of ids without EOS, taken one at a time; `text_bytes` is the UTF-8 length of
    their texts together. Raises `ValueError` for an id outside the vocabulary, an EOS inside a document, a shard
    without documents (nothing can map an empty file) and a source whose name cannot be part of a file's.
    """
    if not re.fullmatch(r"[\w.+-]+", source, re.ASCII):
        raise ValueError(f"source {source!r} gives its token files their name: use letters, digits, . _ + and - only")
    file = f"{source}-validation-{number:05d}.bin" if split == "validation" else f"{source}-{number:05d}.bin"
    path = storage.join(folder, file)
    with storage.open_write(path) as out:
        found = token_stream.write(out, documents, layout(vocabulary), path)
    idx = idx_bytes(found.lengths, vocabulary.dtype)
    storage.write_bytes(storage.join(folder, idx_name(file)), idx)
    return ShardEntry(
        file=file,
        source=source,
        split=split,
        tokens=found.tokens,
        documents=len(found.lengths),
        bytes=found.tokens * stored(vocabulary.dtype).itemsize,
        text_bytes=text_bytes,
        min_id=found.low,
        max_id=found.high,
        sha256=found.sha256,
        idx_sha256=hashlib.sha256(idx).hexdigest(),
    )


def write_manifest(folder: str, entries: Iterable[ShardEntry], origin: Origin) -> Manifest:
    """Write `manifest.json`; the order of `entries` does not matter. Raises `ValueError` if two name the same file.

    The tokenizer's file is to be there already.
    """
    shards = sorted(entries, key=lambda entry: entry.file)
    for first, second in itertools.pairwise(shards):
        if first.file == second.file:
            raise ValueError(f"{storage.join(folder, first.file)} was written twice, by {first} and by {second}")
    manifest = Manifest(**origin.model_dump(), shards=tuple(shards))
    storage.write_json(storage.join(folder, MANIFEST), manifest.model_dump(mode="json"))
    return manifest


def read_manifest(folder: str) -> Manifest:
    """Raises `FileNotFoundError` for an unfinished folder, which has none, and `ValueError` for what is no manifest."""
    path = storage.join(folder, MANIFEST)
    try:
        return Manifest.model_validate_json(storage.read_bytes(path))
    except ValidationError as error:
        raise ValueError(f"{path} is not a manifest of token shards: {error}") from error


def layout(vocabulary: Vocabulary) -> Layout:
    return Layout(stored(vocabulary.dtype), vocabulary.size, vocabulary.eos_id)


def stored(dtype: Dtype) -> np.dtype[Any]:
    """Little-endian on every machine: the files travel."""
    return np.dtype(dtype).newbyteorder("<")


def idx_name(file: str) -> str:
    return file.removesuffix(".bin") + ".idx"


def idx_bytes(lengths: NDArray[np.int64], dtype: Dtype) -> bytes:
    """All of the index of documents with so many tokens each."""
    pointers = (np.cumsum(lengths, dtype="<i8") - lengths) * stored(dtype).itemsize
    # One sequence is one document, so the documents' first sequences simply count.
    documents = np.arange(len(lengths) + 1, dtype="<i8")
    header = IDX_HEADER.pack(IDX_MAGIC, IDX_VERSION, IDX_DTYPE_CODES[dtype], len(lengths), len(documents))
    return header + lengths.astype("<i4").tobytes() + pointers.astype("<i8").tobytes() + documents.tobytes()


def _check_size(path: str, wanted: int) -> None:
    if not storage.exists(path):
        raise DamagedShardError(f"{path} is missing; the manifest wants {wanted:,} bytes. Write the folder again")
    if (got := storage.size(path)) != wanted:
        raise DamagedShardError(f"{path} has {got:,} bytes; the manifest wants {wanted:,}. Write the folder again")
