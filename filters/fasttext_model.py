"""fastText's model files (version 12, which it writes since 2017): a path in, the tables of our kernel out.

What stays true: a file that is damaged is refused by name, and every number of it that becomes an index has been
compared with the table it goes into, because kernels do not look.
"""

import math
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kernels.hashing import EMPTY, table_bits
from kernels.language_id import Buckets, Dictionary, Model, prepare

_MAGIC, _VERSION, _SUPERVISED = 793712314, 12, 3
_LOSSES = {1: "hierarchical softmax", 2: "negative sampling", 3: "softmax", 4: "one against all"}
_RUN = ("hierarchical softmax", "softmax")
_ENTRY, _WORD = struct.Struct("<qB"), 0
_END = b"</s>"
# A code of a product quantiser is a byte.
_CODES = 256
# All white space is below; fastText takes a NUL for some.
_SPACE_POINTS = 0x3001
# Ten times fastText's default each; our kernel's memory grows with them.
_MOST_BUCKETS, _MOST_CHARACTERS = 20_000_000, 60


class OtherModelError(ValueError):
    """The file is a fastText model, and one that only the fasttext package can run."""


@dataclass(frozen=True)
class FasttextModel:
    """`labels` are as in the file, "__label__" included, and numbered from 0 by the kernel."""

    labels: list[str]
    unprepared: Model

    @cached_property
    def tables(self) -> Model:
        """What the kernel takes; made when it is asked for, since who wants the labels need not wait for a kernel."""
        prepare(self.unprepared)
        return self.unprepared


def read_model(path: str) -> FasttextModel:
    """The model at `path`.

    Raises OtherModelError for one of word n-grams or another loss than a (hierarchical) softmax, and ValueError for a
    file that is no model that predicts labels, or a damaged one.
    """
    try:
        return _read(_File(Path(path).read_bytes()))
    except OtherModelError as error:
        raise OtherModelError(f"{path}: {error}") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no fastText model: {error}") from error


class _File:
    """The bytes of a file, and how far they have been read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, dtype: DTypeLike, *shape: int) -> NDArray[Any]:
        """The next numbers, in an array of their own: kernels want one that is aligned and can be written."""
        count = math.prod(shape)
        end = self.at + count * np.dtype(dtype).itemsize
        if min(shape) < 0 or end > len(self.data):
            raise ValueError(f"it ends at byte {len(self.data):,}, and {shape} numbers were to follow byte {self.at:,}")
        numbers = np.frombuffer(self.data, dtype, count, self.at).reshape(shape).copy()
        self.at = end
        return numbers

    def number(self, dtype: DTypeLike) -> int:
        return int(self.take(dtype, 1)[0])

    def entry(self) -> tuple[bytes, int, int]:
        """The next word of the dictionary, how often it was seen, and its kind."""
        end = self.data.find(b"\0", self.at)
        if end < 0 or end + 1 + _ENTRY.size > len(self.data):
            raise ValueError(f"it ends at byte {len(self.data):,}, in its dictionary")
        word = self.data[self.at : end]
        self.at = end + 1 + _ENTRY.size
        count, kind = _ENTRY.unpack_from(self.data, end + 1)
        return word, count, kind


class _Settings(NamedTuple):
    """As the file has them; those of training play no part."""

    dim: int
    window: int
    epochs: int
    least: int
    negatives: int
    word_ngrams: int
    loss: int
    kind: int
    buckets: int
    shortest: int
    longest: int
    rate: int


class _Dictionary(NamedTuple):
    """`entries` are `words` words and then labels, with how often each was seen; `kept` are the buckets of n-grams
    that pruning left and their rows after those of the words, None where nothing was pruned."""

    entries: list[bytes]
    counts: list[int]
    words: int
    kept: NDArray[np.int32] | None


def _read(file: _File) -> FasttextModel:
    if len(file.data) < 8 or file.number("<i4") != _MAGIC:
        raise ValueError("it does not start like one")
    version = file.number("<i4")
    if version != _VERSION:
        raise OtherModelError(f"version {version} of the format, not {_VERSION}")
    settings = _Settings(*file.take("<i4", len(_Settings._fields)).tolist())
    file.take("<f8", 1)
    loss = _LOSSES.get(settings.loss)
    if settings.kind != _SUPERVISED:
        raise ValueError("it has word vectors and no labels to predict")
    if settings.word_ngrams > 1 or loss not in _RUN:
        raise OtherModelError(f"word n-grams up to {settings.word_ngrams} and the loss {loss}")
    words = _dictionary(file)
    quantised = bool(file.number("u1"))
    if words.kept is not None and not quantised:
        raise ValueError("its n-grams are pruned and its rows are not quantised")
    vectors = _quantised(file) if quantised else _matrix(file)
    quantised_output = bool(file.number("u1"))
    output = _quantised(file) if quantised and quantised_output else _matrix(file)
    return FasttextModel(
        [label.decode() for label in words.entries[words.words :]], _tables(settings, loss, words, vectors, output)
    )


def _dictionary(file: _File) -> _Dictionary:
    size, words, labels = file.take("<i4", 3).tolist()
    _, pruned = file.take("<i8", 2).tolist()
    if min(words, labels - 1) < 0 or words + labels != size:
        raise ValueError(f"{size} entries that are {words} words and {labels} labels")
    entries, counts = [], []
    for entry in range(size):
        word, count, kind = file.entry()
        entries.append(word)
        counts.append(count)
        if (kind == _WORD) != (entry < words):
            raise ValueError(f"a label among words, or a word among labels, before byte {file.at:,}")
    return _Dictionary(entries, counts, words, file.take("<i4", pruned, 2) if pruned >= 0 else None)


def _matrix(file: _File) -> NDArray[np.float32]:
    rows, dim = file.take("<i8", 2).tolist()
    return file.take("<f4", rows, dim)


def _quantised(file: _File) -> NDArray[np.float32]:
    """A matrix by product quantisation (arXiv:1612.03651): each row is a few codes, each code a few numbers."""
    norms = bool(file.number("u1"))
    rows, dim = file.take("<i8", 2).tolist()
    codes = file.take("u1", file.number("<i4"))
    matrix = _decoded(file, codes, rows, dim)
    if norms:
        matrix *= _decoded(file, file.take("u1", rows), rows, 1)
    return matrix


def _decoded(file: _File, codes: NDArray[np.uint8], rows: int, dim: int) -> NDArray[np.float32]:
    """The quantiser that comes next in the file, applied to `codes`."""
    of_dim, parts, width, last = file.take("<i4", 4).tolist()
    if of_dim != dim or min(parts, width, last) < 1 or width * (parts - 1) + last != dim or len(codes) != rows * parts:
        raise ValueError(f"{len(codes):,} codes for {rows:,} rows of {dim} numbers in {parts} parts of {width}")
    centroids = file.take("<f4", dim * _CODES)
    matrix = np.empty((rows, dim), np.float32)
    for part, column in enumerate(codes.reshape(rows, parts).T):
        start = part * width
        end = min(start + width, dim)
        matrix[:, start:end] = centroids[start * _CODES : end * _CODES].reshape(_CODES, -1)[column]
    return matrix


def _tables(
    settings: _Settings, loss: str, words: _Dictionary, vectors: NDArray[np.float32], output: NDArray[np.float32]
) -> Model:
    labels = len(words.entries) - words.words
    tree = _tree(words.counts[words.words :]) if loss == "hierarchical softmax" else np.empty((0, 2), np.int32)
    if not vectors.shape[1] == output.shape[1] == settings.dim > 0 or len(output) != labels:
        raise ValueError(f"matrices of {vectors.shape} and {output.shape} for {labels} labels and dim {settings.dim}")
    buckets, vectors = _buckets(settings, words, vectors)
    # One beyond words and labels is known and has no row.
    entries = words.entries if _END in words.entries else [*words.entries, _END]
    starts = np.zeros(len(entries) + 1, np.int64)
    np.cumsum([len(entry) for entry in entries], out=starts[1:])
    return Model(
        words=words.words,
        labels=labels,
        end=entries.index(_END),
        buckets=buckets,
        vectors=vectors,
        dictionary=Dictionary(
            entries=np.frombuffer(bytearray(b"".join(entries)), np.uint8),
            starts=starts,
            hashes=np.zeros(len(entries), np.uint64),
            slots=np.full(1 << table_bits(len(entries)), EMPTY),
        ),
        parts=np.zeros(len(entries), np.int64),
        output=output,
        left=tree[:, 0].copy(),
        right=tree[:, 1].copy(),
        spaces=np.array([point == 0 or chr(point).isspace() for point in range(_SPACE_POINTS)], np.uint8),
    )


def _buckets(
    settings: _Settings, words: _Dictionary, vectors: NDArray[np.float32]
) -> tuple[Buckets, NDArray[np.float32]]:
    """Which buckets have rows; and all rows, those of n-grams in the order of their buckets."""
    many = settings.buckets if settings.longest > 0 else 0
    if many <= 0 < settings.longest:
        raise ValueError(f"n-grams of characters in {many} buckets")
    if many > _MOST_BUCKETS or settings.longest > _MOST_CHARACTERS:
        raise OtherModelError(f"n-grams of up to {settings.longest:,} characters in {many:,} buckets")
    there = np.zeros((many // 64 + 1) * 64, np.bool_)
    if words.kept is None:
        there[:many] = True
        most = many - 1
    else:
        bucket, row = (
            words.kept[np.argsort(words.kept[:, 0])].astype(np.int64).T if many else np.empty((2, 0), np.int64)
        )
        if len(bucket) and (bucket[0] < 0 or bucket[-1] >= many or (np.diff(bucket) == 0).any() or row.min() < 0):
            raise ValueError(f"n-grams in buckets {bucket[0]:,} to {bucket[-1]:,} of {many:,}, or one of them twice")
        there[bucket] = True
        most = int(row.max(initial=-1))
    if words.words + most >= len(vectors):
        raise ValueError(f"{len(vectors):,} rows for {words.words:,} words and n-grams up to row {most:,} after them")
    if words.kept is not None:
        vectors = np.concatenate([vectors[: words.words], vectors[words.words + row]])
    blocks = there.reshape(-1, 64)
    first = words.words + np.cumsum(blocks.sum(axis=1)) - blocks.sum(axis=1)
    kept = np.packbits(there, bitorder="little").view(np.uint64)
    return Buckets(settings.shortest, settings.longest if many else 0, many, kept, first.astype(np.int32)), vectors


def _tree(counts: list[int]) -> NDArray[np.int32]:
    """The children of each inner node of the Huffman tree of labels; node n is row n - labels, and the last the root.

    Labels come with the most frequent first. In the order of fastText, on which the file depends: the rarer of the two
    nodes goes left, and of equal ones the one that was made earlier.
    """
    labels = len(counts)
    weights = [*counts]
    tree = np.empty((labels - 1, 2), np.int32)
    leaf, node = labels - 1, labels
    for row in range(labels - 1):
        for side in range(2):
            if leaf >= 0 and (node >= len(weights) or weights[leaf] < weights[node]):
                tree[row, side], leaf = leaf, leaf - 1
            else:
                tree[row, side], node = node, node + 1
        weights.append(weights[tree[row, 0]] + weights[tree[row, 1]])
    return tree
