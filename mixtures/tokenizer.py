"""Byte-level BPE: trained on the mixture's own text, or any tokenizer.json.

What goes in: texts. What comes out: arrays of ids without an end-of-sequence token, which the shard writer adds.
What stays true: text is only ever text. An "<|endoftext|>" that somebody wrote on a web page is encoded as the
characters it is made of and never as the token that ends a document.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus import storage


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


def load(path: str, eos: str) -> tuple[Tokenizer, int]:
    """The tokenizer.json at `path` and the id of its `eos`. Raises ValueError for another file or no such token.

    A file that has not changed gives the same object: leave it as it is.
    """
    return _parse(storage.read_bytes(path), path, eos)


@lru_cache(maxsize=4)
def _parse(data: bytes, path: str, eos: str) -> tuple[Tokenizer, int]:
    try:
        tokenizer = Tokenizer.from_str(data.decode())
    # The Rust side raises plain Exception for a file it does not understand.
    except Exception as error:
        raise ValueError(f"{path} is no tokenizer.json: {error}") from error
    tokenizer.encode_special_tokens = True
    eos_id = tokenizer.token_to_id(eos)
    if eos_id is None:
        special = [str(token) for token in tokenizer.get_added_tokens_decoder().values()]
        known = f"its special tokens are {', '.join(special)}" if special else "it has no special tokens"
        raise ValueError(f'{path} has no token "{eos}" to end documents with ({known}); name one as tokenizer.eos')
    return tokenizer, eos_id


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[NDArray[np.uint32]]:
    """The ids of each text; nothing is added before or after."""
    encodings: list[Any] = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    return [np.array(encoding.ids, np.uint32) for encoding in encodings]
