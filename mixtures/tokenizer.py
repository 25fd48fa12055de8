"""Tokenizers of every kind behind one face: a tokenizer.json, a tiktoken file or a SentencePiece model.

What goes in: a file, known by its content. What comes out: texts as ids without an end-of-sequence token, which the
shard writer adds. What stays true: text is only ever text. An "<|endoftext|>" that somebody wrote on a web page is
encoded as the characters it is made of and never as the token that ends a document.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from corpus import storage
from kernels.texts import Texts
from mixtures import tiktoken_file
from mixtures.json_tokenizer import JsonTokenizer
from mixtures.sentence_pieces import SentencePieceTokenizer, eos_of
from mixtures.token_shards import Vocabulary

JSON, MODEL = "tokenizer.json", "tokenizer.model"
# What ends a document where nobody says otherwise, but for SentencePiece's models, which have their own.
END_OF_TEXT = "<|endoftext|>"

# Texts of each part that are encoded by the reference too: at most so many, of so many bytes in all.
CHECKED_TEXTS, CHECKED_BYTES = 32, 64_000


class Tokenizer(Protocol):
    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def encoded_by(self) -> str:
        """Which library encodes, and why not the fastest."""

    def encode_batch(self, texts: Texts) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The ids of all texts end to end, and where those of each start: one more than texts."""

    def encode_by_reference(self, texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The same by the library whose ids count, however slow it is."""

    def decode(self, ids: Sequence[int] | NDArray[np.integer]) -> str: ...


@dataclass(frozen=True)
class Given:
    """A tokenizer as a run keeps it: the name of its file in a folder, the bytes in it, what ends documents."""

    file: str
    data: bytes
    eos: str


def load(path: str, eos: str) -> Tokenizer:
    """The tokenizer.json or SentencePiece model at `path`. Raises ValueError for another file, or if `eos` is no token.

    A file that has not changed gives the same object, with the pieces that it has merged.
    """
    return _open(storage.read_bytes(path), path, eos)


def adopt(path: str, pattern: str | None = None, eos: str | None = None, eos_id: int | None = None) -> Given:
    """What to keep of the file at `path`; for `pattern` and `eos_id`, of a tiktoken file, see `tiktoken_file.to_json`.

    `eos` is END_OF_TEXT or, of a SentencePiece model, its own unless given. Raises ValueError for a file that cannot be
    used, and for a key that does not fit its kind.
    """
    data = storage.read_bytes(path)
    if tiktoken_file.is_tiktoken(data):
        eos = eos or END_OF_TEXT
        given = Given(JSON, tiktoken_file.to_json(data, path, pattern, eos, eos_id), eos)
    else:
        for key, value in (("pattern", pattern), ("eos_id", eos_id)):
            if value is not None:
                raise ValueError(
                    f"{path} is no tiktoken file, and says itself what tokenizer.{key} would: leave it out"
                )
        given = (
            Given(JSON, data, eos or END_OF_TEXT) if _is_json(data) else Given(MODEL, data, eos or eos_of(data, path))
        )
    _open(given.data, path, given.eos)
    return given


def check(tokenizer: Tokenizer, texts: Texts) -> None:
    """Encode the first of the texts, leaving out very long ones, by the reference too; other ids are a bug of ours."""
    sizes = np.diff(texts.offsets)
    rows = np.flatnonzero(sizes <= CHECKED_BYTES)[:CHECKED_TEXTS]
    first = texts.to_arrow().take(rows[np.cumsum(sizes[rows]) <= CHECKED_BYTES]).to_pylist()
    ids, offsets = tokenizer.encode_batch(Texts.of(first))
    wanted, wanted_offsets = tokenizer.encode_by_reference(first)
    same = np.array_equal(ids, wanted) and np.array_equal(offsets, wanted_offsets)
    assert same, (
        f"{tokenizer.encoded_by}: other ids than the tokenizer's own library gives; the texts begin {first[:1]}"
    )


def file_in(folder: str) -> str:
    """The name of the tokenizer's file in a folder of ours."""
    return MODEL if storage.exists(storage.join(folder, MODEL)) else JSON


def _is_json(data: bytes) -> bool:
    return data.lstrip()[:1] == b"{"


# A worker has part after part with the same tokenizer.
@lru_cache(maxsize=4)
def _open(data: bytes, path: str, eos: str) -> Tokenizer:
    opened = JsonTokenizer(data, path, eos) if _is_json(data) else SentencePieceTokenizer(data, path, eos)
    ids, _ = opened.encode_by_reference([eos, f"a{eos} {eos}b"])
    if opened.vocabulary.eos_id in ids:
        raise ValueError(f'{path} takes "{eos}" in a text for the token itself; name a special token as tokenizer.eos')
    return opened
