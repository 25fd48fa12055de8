"""A tokenizer.json: read, trained, and encoded with the ids that Hugging Face's tokenizers give.

What goes in: the file's bytes, or texts to train on. What stays true: "<|endoftext|>" in a text is encoded as the
characters it is made of and never as the token that ends a document.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from kernels.texts import Texts
from mixtures.fast_encoder import Encoder, joined, reference
from mixtures.token_shards import Vocabulary


def train(texts: Iterator[str], size: int, eos: str) -> Tokenizer:
    """A byte-level BPE with `size` entries, `eos` at 0 and every digit a token of its own (as Llama-1's)."""
    tokenizer: Tokenizer = Tokenizer(models.BPE())
    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[eos], initial_alphabet=alphabet, show_progress=False, max_token_length=32
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class JsonTokenizer:
    """Raises `ValueError` for what is no tokenizer.json and for one without the token `eos`; `path` is for messages."""

    def __init__(self, data: bytes, path: str, eos: str) -> None:
        try:
            tokenizer = Tokenizer.from_str(data.decode())
        # The Rust side raises plain Exception for a file it does not understand.
        except Exception as error:
            raise ValueError(f"{path} is no tokenizer.json: {error}") from error
        tokenizer.encode_special_tokens = True
        # Some files carry what their model was last called with; documents are whole.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        eos_id = tokenizer.token_to_id(eos)
        if eos_id is None:
            special = [str(token) for token in tokenizer.get_added_tokens_decoder().values()]
            known = f"its special tokens are {', '.join(special)}" if special else "it has no special tokens"
            raise ValueError(f'{path} has no token "{eos}" to end documents with ({known}); name one as tokenizer.eos')
        # Ids can have gaps, so the largest counts and not how many there are.
        size = max(tokenizer.get_vocab(True).values()) + 1
        self.vocabulary = Vocabulary(size=size, eos_id=eos_id)
        self._tokenizer = tokenizer

    @cached_property
    def encoder(self) -> Encoder:
        """Made for the first text: comparing two libraries takes up to a second, and many only ask for the size."""
        return Encoder.of(self._tokenizer)

    @property
    def encoded_by(self) -> str:
        return f"tokenizers: {self.encoder.reason}" if self.encoder.reason else "kernels and tiktoken"

    def encode_batch(self, texts: Texts) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        return self.encoder.encode_batch(texts)

    def encode_by_reference(self, texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        return joined(reference(self._tokenizer, texts))

    def decode(self, ids: Sequence[int] | NDArray[np.integer]) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text
