"""How well held-out text is predicted: by a model, or by what counting tokens alone would give.

What goes in: a folder of token shards. What comes out: nats per token and bits per byte, for each source that has
validation shards and over all of them. What stays true: every validation token is predicted exactly once, its
document's EOS too. Bits per byte divide by the UTF-8 length of the text, so that runs with different tokenizers
compare; nats per token do not.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mixtures.token_shards import ShardEntry, TokenShards
from trainer.world import World

IGNORED = -100  # torch's own default for a target that counts for nothing
COUNT_CHUNK = 1 << 22  # np.bincount widens what it counts to int64


@dataclass(frozen=True, slots=True)
class Heldout:
    """Losses over the validation tokens of one source, or of all."""

    tokens: int
    text_bytes: int
    nats_per_token: float
    bits_per_byte: float


@dataclass(frozen=True, slots=True)
class Validation:
    """Losses of the sources that have validation shards; `unmeasured` are those trained on that have none."""

    overall: Heldout
    sources: dict[str, Heldout]
    unmeasured: list[str]


# Minus the log-likelihood of an array of tokens, in nats.
Nats = Callable[[NDArray[np.integer]], float]


def validate(shards: TokenShards, nats: Nats, most: int | None = None) -> Validation | None:
    """Losses on the first `most` tokens of each source's validation shards, or on all; None where there are none.

    Of a part the bytes are taken to be as many a token as in all of the source. Raises `ValueError` for validation
    documents that are all empty.
    """
    totals: dict[str, tuple[int, int, float]] = {}
    entries = sorted(shards.entries("validation"), key=lambda entry: entry.source)
    for source, group in itertools.groupby(entries, key=lambda entry: entry.source):
        own = list(group)
        there = sum(entry.tokens for entry in own)
        tokens = _first(shards, own, there if most is None else min(most, there))
        if not (text_bytes := sum(entry.text_bytes for entry in own)):
            raise ValueError(f"{shards.folder}: the validation text of {source} is empty; leave its shards out")
        totals[source] = (len(tokens), max(1, round(text_bytes * len(tokens) / there)), nats(tokens))
    if not totals:
        return None
    overall = _heldout(*(sum(column) for column in zip(*totals.values(), strict=True)))
    sources = {source: _heldout(*total) for source, total in totals.items()}
    return Validation(overall, sources, sorted({entry.source for entry in shards.entries("train")} - sources.keys()))


def _first(shards: TokenShards, entries: list[ShardEntry], count: int) -> NDArray[np.integer]:
    """The first `count` tokens of some shards."""
    found: list[NDArray[np.integer]] = []
    for entry in entries:
        left = count - sum(map(len, found))
        if left > 0:
            found.append(shards.tokens(entry)[:left])
    return np.concatenate(found)


def model_nats(predict: Callable[[Tensor], Tensor], context: int, eos_id: int, rows: int, world: World) -> Nats:
    """What a model predicts, in windows of its context, `rows` of them at a time, shared out to all processes.

    `predict` gives the logits[rows, context, vocabulary] of ids[rows, context].

    A window sees nothing before it, as in training; the first token of all follows an EOS, as every document does.
    """

    def total(tokens: NDArray[np.integer]) -> float:
        windows = -(-len(tokens) // context)
        inputs = np.full(windows * context, eos_id, np.int64)
        inputs[1 : len(tokens)] = tokens[:-1]
        targets = np.full(windows * context, IGNORED, np.int64)
        targets[: len(tokens)] = tokens
        nats = 0.0
        with torch.inference_mode():
            for first in range(world.rank * rows, windows, world.size * rows):
                part = slice(first * context, (first + rows) * context)
                ids = torch.from_numpy(inputs[part]).to(world.device).view(-1, context)
                wanted = torch.from_numpy(targets[part]).to(world.device)
                logits = predict(ids).flatten(0, 1)
                nats += F.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum").item()
        return world.sum(nats)[0]

    return total


def unigram_nats(counts: NDArray[np.int64]) -> Nats:
    """What the frequencies of the training tokens predict, each counted once more than seen."""
    nats_of = -np.log((counts + 1) / (counts.sum() + len(counts)))
    return lambda tokens: float(nats_of[tokens].sum())


def count_tokens(shards: TokenShards) -> NDArray[np.int64]:
    """int64[vocabulary]: how often every id is in the training shards."""
    counts = np.zeros(shards.manifest.vocabulary_size, np.int64)
    for entry in shards.entries("train"):
        tokens = shards.tokens(entry)
        for first in range(0, len(tokens), COUNT_CHUNK):
            counts += np.bincount(tokens[first : first + COUNT_CHUNK], minlength=len(counts))
    return counts


def entropy(counts: NDArray[np.int64]) -> float:
    """Entropy, in nats, of the distribution that `counts` are in proportion to."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _heldout(tokens: int, text_bytes: int, nats: float) -> Heldout:
    return Heldout(tokens, text_bytes, nats / tokens, nats / (math.log(2) * text_bytes))
