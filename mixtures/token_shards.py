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
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from corpus import storage

Split = Literal["train", "validation"]
Dtype = Literal["uint16", "uint32"]

MANIFEST = "manifest.json"
# Megatron-LM's IndexedDataset: magic, version, dtype code, number of sequences, number of documents + 1.
IDX_HEADER = struct.Struct("<9sQBQQ")
IDX_MAGIC = b"MMIDIDX\0\0"
IDX_VERSION = 1
# Megatron has no uint32; ids below 2^31 have the same bytes in its int32.
IDX_DTYPE_CODES: dict[Dtype, int] = {"uint16": 8, "uint32": 4}
# Hashing and writing this many tokens at a time bounds the memory and costs next to nothing per document.
CHUNK_TOKENS = 1 << 20
HASH_BYTES = 1 << 22


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


class ShardEntry(_Record):
    """What the manifest says of one shard. `tokens`, `min_id` and `max_id` count the EOS, `text_bytes` does not."""

    file: str
    source: str
    split: Split
    tokens: int
    documents: int
    bytes: int
    text_bytes: int
    min_id: int
    max_id: int
    sha256: str
    idx_sha256: str


class Manifest(_Record):
    """`manifest.json`: the shards in the order of their file names, and what all of them share."""

    vocabulary_size: int
    eos_id: int
    dtype: Dtype
    tokenizer_sha256: str
    recipe_hash: str
    seed: int
    version: str
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
        return storage.read_array(storage.join(self.folder, entry.file), _stored(self.manifest.dtype))

    def offsets(self, entry: ShardEntry) -> NDArray[np.int64]:
        """int64[documents + 1]: document i is `tokens[offsets[i]:offsets[i + 1]]`, its EOS the last of them."""
        idx = storage.read_bytes(storage.join(self.folder, _idx_name(entry.file)))
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
    digest = hashlib.sha256()
    lengths: list[int] = []
    low, high = vocabulary.eos_id, vocabulary.eos_id
    with storage.open_write(path) as out:
        for chunk in _chunks(_checked(documents, vocabulary, path, lengths)):
            low, high = min(low, int(chunk.min())), max(high, int(chunk.max()))
            digest.update(chunk.data)
            out.write(chunk.data)
        if not lengths:
            raise ValueError(f"{path}: no documents to write; leave the shard out")
    idx = _idx_bytes(np.array(lengths, "<i4"), vocabulary.dtype)
    storage.write_bytes(storage.join(folder, _idx_name(file)), idx)
    tokens = sum(lengths)
    return ShardEntry(
        file=file,
        source=source,
        split=split,
        tokens=tokens,
        documents=len(lengths),
        bytes=tokens * _stored(vocabulary.dtype).itemsize,
        text_bytes=text_bytes,
        min_id=low,
        max_id=high,
        sha256=digest.hexdigest(),
        idx_sha256=hashlib.sha256(idx).hexdigest(),
    )


def write_manifest(
    folder: str,
    entries: Iterable[ShardEntry],
    *,
    vocabulary: Vocabulary,
    tokenizer_sha256: str,
    recipe_hash: str,
    seed: int,
    version: str,
) -> Manifest:
    """Write `manifest.json`; the order of `entries` does not matter. Raises `ValueError` if two name the same file."""
    shards = sorted(entries, key=lambda entry: entry.file)
    for first, second in itertools.pairwise(shards):
        if first.file == second.file:
            raise ValueError(f"{storage.join(folder, first.file)} was written twice, by {first} and by {second}")
    manifest = Manifest(
        vocabulary_size=vocabulary.size,
        eos_id=vocabulary.eos_id,
        dtype=vocabulary.dtype,
        tokenizer_sha256=tokenizer_sha256,
        recipe_hash=recipe_hash,
        seed=seed,
        version=version,
        shards=tuple(shards),
    )
    storage.write_json(storage.join(folder, MANIFEST), manifest.model_dump(mode="json"))
    return manifest


def read_manifest(folder: str) -> Manifest:
    """Raises `FileNotFoundError` for an unfinished folder, which has none, and `ValueError` for what is no manifest."""
    path = storage.join(folder, MANIFEST)
    try:
        return Manifest.model_validate_json(storage.read_bytes(path))
    except ValidationError as error:
        raise ValueError(f"{path} is not a manifest of token shards: {error}") from error


def verify(folder: str) -> Manifest:
    """Read every file of the folder and raise `DamagedShardError` at the first that is not as it was written."""
    manifest = read_manifest(folder)
    for entry in manifest.shards:
        bin_path = storage.join(folder, entry.file)
        _check_size(bin_path, entry.bytes)
        _check_sha256(bin_path, entry.sha256)
        idx_path = storage.join(folder, _idx_name(entry.file))
        _check_size(idx_path, 42 + 20 * entry.documents)
        _check_sha256(idx_path, entry.idx_sha256)
    return manifest


def _checked(
    documents: Iterable[NDArray[Any]], vocabulary: Vocabulary, path: str, lengths: list[int]
) -> Iterator[NDArray[Any]]:
    """Every document in the stored dtype and its EOS after it; the length of both goes to `lengths`."""
    stored = _stored(vocabulary.dtype)
    eos = np.array([vocabulary.eos_id], stored)
    for number, document in enumerate(documents):
        low, high = (int(document.min()), int(document.max())) if document.size else (0, 0)
        if low < 0 or high >= vocabulary.size:
            bad = low if low < 0 else high
            raise ValueError(f"{path}: document {number} has id {bad}; the vocabulary ends at {vocabulary.size - 1}")
        if (document == vocabulary.eos_id).any():
            raise ValueError(f"{path}: document {number} has the EOS id {vocabulary.eos_id} inside; encode it as text")
        lengths.append(document.size + 1)
        yield document.astype(stored)
        yield eos


def _chunks(arrays: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    held: list[NDArray[Any]] = []
    tokens = 0
    for array in arrays:
        held.append(array)
        tokens += array.size
        if tokens >= CHUNK_TOKENS:
            yield np.concatenate(held)
            held, tokens = [], 0
    if held:
        yield np.concatenate(held)


def _idx_bytes(lengths: NDArray[np.int32], dtype: Dtype) -> bytes:
    pointers = (np.cumsum(lengths, dtype="<i8") - lengths) * _stored(dtype).itemsize
    # One sequence is one document, so the documents' first sequences simply count.
    documents = np.arange(len(lengths) + 1, dtype="<i8")
    header = IDX_HEADER.pack(IDX_MAGIC, IDX_VERSION, IDX_DTYPE_CODES[dtype], len(lengths), len(documents))
    return header + lengths.tobytes() + pointers.tobytes() + documents.tobytes()


def _idx_name(file: str) -> str:
    return file.removesuffix(".bin") + ".idx"


def _stored(dtype: Dtype) -> np.dtype[Any]:
    """Little-endian on every machine: the files travel."""
    return np.dtype(dtype).newbyteorder("<")


def _check_size(path: str, wanted: int) -> None:
    if not storage.exists(path):
        raise DamagedShardError(f"{path} is missing; the manifest wants {wanted:,} bytes. Write the folder again")
    if (got := storage.size(path)) != wanted:
        raise DamagedShardError(f"{path} has {got:,} bytes; the manifest wants {wanted:,}. Write the folder again")


def _check_sha256(path: str, wanted: str) -> None:
    digest = hashlib.sha256()
    with storage.open_read(path) as file:
        while block := file.read(HASH_BYTES):
            digest.update(block)
    if (got := digest.hexdigest()) != wanted:
        raise DamagedShardError(f"{path} has sha256 {got}; the manifest wants {wanted}. Write the folder again")
