"""How well a model predicts held-out text, beside what counting tokens alone would give.

What goes in: a trained model and a folder of token shards. What comes out: nats per token and bits per byte, for each
source that has validation shards and over all of them. What stays true: every validation token is predicted exactly
once, its document's EOS too. Bits per byte divide by the UTF-8 length of the text, so that runs with different
tokenizers compare; nats per token do not.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from mixtures.token_shards import TokenShards
from trainer.gpt import GPT

IGNORED = -100  # torch's own default for a target that counts for nothing
COUNT_CHUNK = 1 << 22  # np.bincount widens what it counts to int64


@dataclass(frozen=True, slots=True)
class Heldout:
    """Losses over the validation shards of one source, or of all.

    `unigram_*` is what the frequencies of the training tokens, each counted once more than seen, predict.
    """

    tokens: int
    text_bytes: int
    nats_per_token: float
    bits_per_byte: float
    unigram_nats_per_token: float
    unigram_bits_per_byte: float


@dataclass(frozen=True, slots=True)
class Validation:
    """Losses of the sources that have validation shards; `unmeasured` are those trained on that have none."""

    overall: Heldout
    sources: dict[str, Heldout]
    unmeasured: list[str]


def validate(model: GPT, shards: TokenShards, train_counts: NDArray[np.int64], rows: int) -> Validation | None:
    """Losses of `model` on the validation shards, `rows` windows at a time; None where there are none.

    `train_counts`, int64[vocabulary], are the counts of the training tokens (see `count_tokens`). Raises `ValueError`
    for validation documents that are all empty.
    """
    nats_of = -np.log((train_counts + 1) / (train_counts.sum() + len(train_counts)))
    totals: dict[str, tuple[int, int, float, float]] = {}
    entries = sorted(shards.entries("validation"), key=lambda entry: entry.source)
    for source, group in itertools.groupby(entries, key=lambda entry: entry.source):
        own = list(group)
        tokens = np.concatenate([shards.tokens(entry) for entry in own])
        nats = total_nats(model, tokens, shards.manifest.eos_id, rows)
        if not (text_bytes := sum(entry.text_bytes for entry in own)):
            raise ValueError(f"{shards.folder}: the validation text of {source} is empty; leave its shards out")
        totals[source] = (len(tokens), text_bytes, nats, float(nats_of[tokens].sum()))
    if not totals:
        return None
    overall = _heldout(*(sum(column) for column in zip(*totals.values(), strict=True)))
    sources = {source: _heldout(*total) for source, total in totals.items()}
    return Validation(overall, sources, sorted({entry.source for entry in shards.entries("train")} - sources.keys()))


def total_nats(model: GPT, tokens: NDArray[np.integer], eos_id: int, rows: int) -> float:
    """Minus the log-likelihood of all `tokens`, in windows of the model's context, `rows` of them at a time.

    A window sees nothing before it, as in training; the first token of all follows an EOS, as every document does.
    """
    context = model.config.context
    device = model.embedding.weight.device
    windows = -(-len(tokens) // context)
    inputs = np.full(windows * context, eos_id, np.int64)
    inputs[1 : len(tokens)] = tokens[:-1]
    targets = np.full(windows * context, IGNORED, np.int64)
    targets[: len(tokens)] = tokens
    nats = 0.0
    with torch.inference_mode():
        for first in range(0, windows, rows):
            part = slice(first * context, (first + rows) * context)
            ids = torch.from_numpy(inputs[part]).to(device).view(-1, context)
            wanted = torch.from_numpy(targets[part]).to(device)
            logits = model(ids).flatten(0, 1)
            nats += F.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum").item()
    return nats


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


def _heldout(tokens: int, text_bytes: int, nats: float, unigram_nats: float) -> Heldout:
    bits = math.log(2) * text_bytes
    return Heldout(tokens, text_bytes, nats / tokens, nats / bits, unigram_nats / tokens, unigram_nats / bits)
