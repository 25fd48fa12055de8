"""A SentencePiece model, encoded by the sentencepiece package itself.

What goes in: the bytes of a `.model` file. What stays true: the piece that ends documents is a control symbol, which
SentencePiece finds in no text: a "</s>" that somebody wrote is made of other pieces.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor

from kernels.texts import Texts
from mixtures.fast_encoder import joined
from mixtures.token_shards import Vocabulary


def read_model(data: bytes, path: str) -> SentencePieceProcessor:
    """Raises `ValueError` for bytes that are no model; `path` is for the message."""
    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(data)
    except RuntimeError as error:
        raise ValueError(
            f"{path} is no tokenizer.json, tiktoken file or SentencePiece model that can be read; "
            f"name one of these (SentencePiece: {error})"
        ) from error
    return processor


def eos_of(data: bytes, path: str) -> str:
    """The model's own end piece. Raises `ValueError` where it has none."""
    processor = read_model(data, path)
    if processor.eos_id() < 0:
        raise ValueError(f"{path} has no end piece of its own; name a control symbol of it as tokenizer.eos")
    piece: str = processor.id_to_piece(processor.eos_id())
    return piece


class SentencePieceTokenizer:
    """Raises `ValueError` for what is no model, and for an `eos` that is no control symbol of it."""

    encoded_by = "sentencepiece"

    def __init__(self, data: bytes, path: str, eos: str) -> None:
        self._processor = read_model(data, path)
        controls = [n for n in range(self._processor.get_piece_size()) if self._processor.is_control(n)]
        pieces = [self._processor.id_to_piece(n) for n in controls]
        if eos not in pieces:
            raise ValueError(
                f'{path} has no control symbol "{eos}" to end documents with, which no text can have '
                f"(it has {', '.join(pieces) or 'none'}); name one as tokenizer.eos"
            )
        eos_id = controls[pieces.index(eos)]
        self.vocabulary = Vocabulary(size=self._processor.get_piece_size(), eos_id=eos_id)

    def encode_batch(self, texts: Texts) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        return self.encode_by_reference(texts.to_list())

    def encode_by_reference(self, texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        ids = self._processor.encode(list(texts), out_type="numpy", num_threads=1)
        return joined([each.astype(np.uint32) for each in ids])

    def decode(self, ids: Sequence[int] | NDArray[np.integer]) -> str:
        text: str = self._processor.decode([int(number) for number in ids])
        return text
