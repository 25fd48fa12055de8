"""Encoding by kernels and tiktoken where they give the ids that the tokenizer.json's own library gives, many times as
fast.

What goes in: a tokenizer and texts. What comes out: arrays of ids. What stays true: they are the ids of Hugging Face's
tokenizers. A file is taken over only where `mixtures/byte_level.py` finds that both must agree; hard texts are then
encoded by both all the same; and texts with characters of a newer Unicode than ours go to the other.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from kernels.texts import Texts
from mixtures import byte_level
from mixtures.byte_level import UnlikeError
from mixtures.hard_texts import HARD
from mixtures.merger import Merger
from mixtures.piece_cache import PieceCache


def reference(tokenizer: Tokenizer, texts: Sequence[str]) -> list[NDArray[np.uint32]]:
    """The ids of each text by the tokenizer's own library; nothing is added before or after."""
    encodings: list[Any] = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    return [np.array(encoding.ids, np.uint32) for encoding in encodings]


@dataclass(frozen=True)
class Encoder:
    """Encodes texts by their pieces, of which `cache` has those that it has met, unless `reason` says why not."""

    tokenizer: Tokenizer
    cache: PieceCache | None
    reason: str | None

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Self:
        """The encoder of a tokenizer that has `encode_special_tokens` set. The comparison takes up to a second."""
        assert tokenizer.encode_special_tokens
        try:
            alike = byte_level.read(json.loads(tokenizer.to_str()))
            cache = PieceCache(Merger(alike), alike.pattern)
            _compare(tokenizer, cache)
        except UnlikeError as reason:
            return cls(tokenizer, None, str(reason))
        return cls(tokenizer, cache, None)

    def encode_batch(self, texts: Texts) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The ids of all texts end to end, and where those of each start: one more than texts.

        Nothing is added before or after a text, and none is read as a special token.
        """
        if self.cache is None:
            return joined(reference(self.tokenizer, texts.to_list()))
        ids, offsets, unknown = self.cache.encode(texts)
        if not unknown.any():
            return ids, offsets
        each = np.split(ids, offsets[1:-1])
        strings = texts.to_arrow()
        for row in np.flatnonzero(unknown):
            each[row] = reference(self.tokenizer, [strings[int(row)].as_py()])[0]
        return joined(each)


def joined(each: Sequence[NDArray[np.uint32]]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Arrays of ids end to end, and where each starts: one more than arrays."""
    offsets = np.cumsum([0, *map(len, each)], dtype=np.int64)
    return np.concatenate([np.empty(0, np.uint32), *each]), offsets


def _compare(tokenizer: Tokenizer, cache: PieceCache) -> None:
    ids, offsets, unknown = cache.encode(Texts.of(HARD))
    for row, wanted in enumerate(reference(tokenizer, HARD)):
        if not unknown[row] and not np.array_equal(ids[offsets[row] : offsets[row + 1]], wanted):
            raise UnlikeError(f"ids differ for {HARD[row][:40]!r}")
