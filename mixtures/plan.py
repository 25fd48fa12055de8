"""How much of each source goes into the mixture, and which documents, in which order.

What goes in: unique tokens per source, a total, weights and a cap on epochs. What comes out: tokens and epochs per
source, then documents in the order of the shards. What stays true: shares are shares of tokens (not of documents);
a document is used as often as its source has whole epochs, or once more; the same seed gives the same draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpus.hashing import keyed


@dataclass(frozen=True)
class SourcePlan:
    """Tokens of one source: what the weights ask for, what there is once, what the cap on epochs allows.

    `missing` is what was wanted and cannot be had without repeating the source more often than allowed.
    """

    weight: float
    unique: int
    wanted: int
    planned: int

    @property
    def missing(self) -> int:
        return self.wanted - self.planned

    @property
    def epochs(self) -> float:
        return self.planned / self.unique if self.unique else 0.0


def plan(
    unique: Mapping[str, int], tokens: int, weights: Mapping[str, float], max_epochs: float
) -> dict[str, SourcePlan]:
    """Share `tokens` by `weights`; a source that would exceed `max_epochs` gives what it has, and the rest is missing.

    What is missing is not made up from other sources: that would change the mixture behind the user's back.
    """
    total = sum(weights.values())
    plans = {}
    for source, weight in weights.items():
        wanted = round(tokens * weight / total)
        plans[source] = SourcePlan(
            weight / total, unique[source], wanted, min(wanted, int(max_epochs * unique[source]))
        )
    return plans


def sampled(hashes: NDArray[np.uint64], share: float) -> NDArray[np.bool_]:
    """Which of uniform 64-bit `hashes` are in a sample of `share` of them; a document is in it or not for good."""
    return hashes < np.uint64(int(share * 2.0**64)) if share < 1 else np.ones(len(hashes), bool)


def held_out(ids: NDArray[np.uint64], seed: int, share: float) -> NDArray[np.bool_]:
    """Which documents are kept out of training, by id, so that they are out of it whatever the mixture."""
    return sampled(keyed(ids, "held out", seed), share)


def draw(ids: NDArray[np.uint64], lengths: NDArray[np.int64], tokens: int, source: str, seed: int) -> NDArray[np.int64]:
    """Indices of documents, in order, whose lengths sum to `tokens` as nearly as whole documents can.

    Every epoch is all documents in another order; the last one stops where adding the next document would overshoot
    by more than stopping falls short.
    """
    unique = int(lengths.sum())
    orders: list[NDArray[np.int64]] = []
    left, epoch = tokens, 0
    while left > 0 and unique > 0:
        order = np.argsort(keyed(ids, "epoch", seed, source, epoch), kind="stable")
        if left < unique:
            ends = np.cumsum(lengths[order])
            short = int(np.searchsorted(ends, left))
            before = int(ends[short - 1]) if short else 0
            order = order[: short + (int(ends[short]) - left < left - before)]
        orders.append(order)
        left -= min(left, unique)
        epoch += 1
    return np.concatenate(orders) if orders else np.empty(0, np.int64)


def shard_numbers(lengths: NDArray[np.int64], shard_tokens: int) -> NDArray[np.int64]:
    """The shard of each document in order: by where it starts, so that none is split and shards are near equal."""
    starts = np.cumsum(lengths) - lengths
    return np.asarray(starts // shard_tokens, np.int64)
