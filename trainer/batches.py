"""Batches from memory-mapped token shards, in an order that is one integer to remember.

What goes in: the training shards of a folder. What comes out: for the n-th batch its inputs and targets. What stays
true: all tokens in a row, sources and shards joined, are cut into blocks of `context` tokens; every block comes once
per epoch, in a permutation that (seed, epoch) alone fixes, so that batches hold the sources in their shares of tokens,
but for chance; and a batch depends on nothing before it, so whoever resumes at batch n, with however many processes,
asks for batch n.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corpus.hashing import permuted
from mixtures.token_shards import ShardEntry, TokenShards

# A mapped file is an open one, of which a process may have 1,024 on many systems; mapping takes microseconds.
MOST_MAPPED = 256


class BatchSource(Protocol):
    """Whatever the loop trains on: a batch is looked up by its number."""

    def at(self, number: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of this process's part of a batch, each int64[rows, context]."""
        ...


class Blocks:
    """The training tokens of some shards, end to end, in `count` blocks of `context` tokens that lie side by side."""

    def __init__(self, shards: TokenShards, entries: Sequence[ShardEntry], context: int) -> None:
        self.context = context
        self._shard = lru_cache(MOST_MAPPED)(lambda number: shards.tokens(entries[number]))
        self._starts = np.cumsum([0, *(entry.tokens for entry in entries)])
        self.tokens = int(self._starts[-1])
        # The last block's targets need one token more.
        self.count = max(0, self.tokens - 1) // context

    def at(self, block: int) -> NDArray[np.int64]:
        """int64[context + 1]: a block and the token after it."""
        start = block * self.context
        end = start + self.context + 1
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        last = int(np.searchsorted(self._starts, end, side="left"))
        pieces = [self._shard(i)[max(0, start - self._starts[i]) : end - self._starts[i]] for i in range(first, last)]
        return np.concatenate(pieces).astype(np.int64)


class Batches:
    """`batch` blocks at a time; targets are the inputs one token on, so neighbouring blocks share a token.

    Of `ranks` processes each gets its own run of every batch's blocks. Raises `ValueError` when the shards do not fill
    one batch, and when the processes cannot share it evenly.
    """

    def __init__(
        self, shards: TokenShards, context: int, batch: int, seed: int, *, rank: int = 0, ranks: int = 1
    ) -> None:
        if batch % ranks:
            raise ValueError(f"{ranks} processes cannot share a batch of {batch} rows; make it a multiple of {ranks}")
        self.context, self.batch, self.seed = context, batch, seed
        self._rows = range(rank * batch // ranks, (rank + 1) * batch // ranks)
        self._all = Blocks(shards, shards.entries("train"), context)
        self.blocks = self._all.count
        if self.blocks < batch:
            raise ValueError(
                f"{shards.folder} has {self._all.tokens:,} training tokens; a batch of {batch} rows of {context} "
                f"needs {batch * context + 1:,}. Lower the batch or the context, or write more tokens"
            )

    def at(self, number: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of this process's part of a batch, each int64[batch / ranks, context]."""
        numbers = np.arange(self._rows.start, self._rows.stop, dtype=np.uint64) + np.uint64(number * self.batch)
        epochs, places = np.divmod(numbers, np.uint64(self.blocks))
        blocks = np.empty(len(numbers), np.int64)
        for epoch in np.unique(epochs):
            own = epochs == epoch
            blocks[own] = permuted(places[own], self.blocks, "blocks", self.seed, int(epoch))
        return inputs_and_targets([self._all.at(block) for block in blocks.tolist()])


def inputs_and_targets(blocks: Sequence[NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
    """int64[rows, context] each, of blocks of one token more."""
    rows = torch.from_numpy(np.stack(blocks))
    return rows[:, :-1], rows[:, 1:]
