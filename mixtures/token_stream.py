"""A file of token ids, as all formats of token shards have it: documents end to end, written once and looked through.

What goes in: documents as arrays of token ids. What comes out: their ids in one file, one end-of-document id (EOS)
with each, and what a manifest is to say of the file. What stays true: ids are in the vocabulary, no document has the
EOS inside, memory holds a chunk and not a file, and what was written is found again by looking through it.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from corpus import storage

# Hashing and writing this many tokens at a time bounds the memory and costs next to nothing per document.
CHUNK_TOKENS = 1 << 20


@dataclass(frozen=True)
class Layout:
    """How ids lie in a file: in little-endian `dtype`, all below `ids`, `eos_id` after each document or before it."""

    dtype: np.dtype[Any]
    ids: int
    eos_id: int
    eos_first: bool = False


@dataclass(frozen=True)
class Found:
    """What a file holds: the tokens of each document, EOS included, the least and the largest id, its sha256.

    `loose` ids, at the end or the beginning of the file, belong to no EOS.
    """

    lengths: NDArray[np.int64]
    low: int
    high: int
    sha256: str
    loose: int = 0

    @property
    def tokens(self) -> int:
        return int(self.lengths.sum()) + self.loose


def write(out: IO[bytes], documents: Iterable[NDArray[Any]], layout: Layout, path: str, header: bytes = b"") -> Found:
    """Write `documents`, flat integer arrays of ids without EOS and taken one at a time, after `header`.

    Raises `ValueError`, which names `path`, for an id outside the vocabulary, an EOS inside a document, and no
    documents (nothing can map an empty file).
    """
    digest = hashlib.sha256(header)
    out.write(header)
    lengths: list[int] = []
    low, high = layout.eos_id, layout.eos_id
    for chunk in _chunks(_checked(documents, layout, path, lengths)):
        low, high = min(low, int(chunk.min())), max(high, int(chunk.max()))
        digest.update(chunk.data)
        out.write(chunk.data)
    if not lengths:
        raise ValueError(f"{path}: no documents to write; leave the shard out")
    return Found(np.array(lengths, np.int64), low, high, digest.hexdigest())


def look_through(path: str, layout: Layout, say: Callable[[int], None], header: int = 0) -> Found:
    """Read a whole file whose ids come after `header` bytes; `say` hears of the bytes as they are read.

    Without ids `low` is 0 and `high` is -1.
    """
    digest = hashlib.sha256()
    edges: list[NDArray[np.int64]] = []
    tokens, low, high, size = 0, (1 << 32) - 1, -1, layout.dtype.itemsize
    with storage.open_read(path) as file:
        digest.update(file.read(header))
        say(header)
        while data := file.read(CHUNK_TOKENS * size):
            digest.update(data)
            ids = np.frombuffer(data, layout.dtype, len(data) // size)
            # A file cut within an id may leave none.
            if len(ids):
                low, high = min(low, int(ids.min())), max(high, int(ids.max()))
            edges.append(np.flatnonzero(ids == layout.eos_id) + tokens)
            tokens += len(ids)
            say(len(data))
    ends = np.concatenate([np.empty(0, np.int64), *edges])
    if layout.eos_first:
        loose = int(ends[0]) if len(ends) else tokens
        bounds = np.concatenate([ends, [tokens]])
    else:
        loose = tokens - int(ends[-1]) - 1 if len(ends) else tokens
        bounds = np.concatenate([[-1], ends]) + 1
    lengths = np.diff(bounds)
    return Found(lengths, low if tokens else 0, high, digest.hexdigest(), loose)


def _checked(
    documents: Iterable[NDArray[Any]], layout: Layout, path: str, lengths: list[int]
) -> Iterator[NDArray[Any]]:
    """Every document in the layout's dtype and its EOS beside it; the length of both goes to `lengths`."""
    eos = np.array([layout.eos_id], layout.dtype)
    for number, document in enumerate(documents):
        low, high = (int(document.min()), int(document.max())) if document.size else (0, 0)
        if low < 0 or high >= layout.ids:
            bad = low if low < 0 else high
            raise ValueError(f"{path}: document {number} has id {bad}; the vocabulary ends at {layout.ids - 1}")
        if (document == layout.eos_id).any():
            raise ValueError(f"{path}: document {number} has the EOS id {layout.eos_id} inside; encode it as text")
        lengths.append(document.size + 1)
        ids = document.astype(layout.dtype)
        yield from (eos, ids) if layout.eos_first else (ids, eos)


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
