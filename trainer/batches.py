"""Batches from memory-mapped token shards, in an order that is one integer to remember.

What goes in: the training shards of a folder. What comes out: for any step its inputs and targets. What stays true:
all tokens in a row, sources and shards joined, are cut into blocks of `context` tokens; every block comes once per
epoch, in a permutation that (seed, epoch) alone fixes, so that batches hold the sources in their shares of tokens, but
for chance; and a step's batch depends on nothing before it, so resuming at step k is `at(k)`.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corpus.hashing import keyed
from mixtures.token_shards import TokenShards


class Batches:
    """`batch` blocks a step; targets are the inputs one token on, so neighbouring blocks share a token.

    Raises `ValueError` when the shards do not fill one batch.
    """

    def __init__(self, shards: TokenShards, context: int, batch: int, seed: int) -> None:
        self.context, self.batch, self.seed = context, batch, seed
        self._shards = [shards.tokens(entry) for entry in shards.entries("train")]
        self._starts = np.cumsum([0, *(len(tokens) for tokens in self._shards)])
        self.blocks = max(0, int(self._starts[-1]) - 1) // context
        if self.blocks < batch:
            raise ValueError(
                f"{shards.folder} has {int(self._starts[-1]):,} training tokens; a batch of {batch} rows of {context} "
                f"needs {batch * context + 1:,}. Lower the batch or the context, or write more tokens"
            )
        self._order = (-1, np.empty(0, np.int64))

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step, each int64[batch, context]."""
        first = step * self.batch
        rows = torch.from_numpy(np.stack([self._block(n) for n in range(first, first + self.batch)]))
        return rows[:, :-1], rows[:, 1:]

    def _block(self, number: int) -> NDArray[np.int64]:
        """The block that comes `number`-th since the first step of the first epoch: int64[context + 1]."""
        epoch, place = divmod(number, self.blocks)
        if self._order[0] != epoch:
            # Different numbers have different hashes, so nothing ties; and no release of NumPy shuffles them anew.
            hashes = keyed(np.arange(self.blocks, dtype=np.uint64), "blocks", self.seed, epoch)
            self._order = (epoch, np.argsort(hashes))
        start = int(self._order[1][place]) * self.context
        end = start + self.context + 1
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        last = int(np.searchsorted(self._starts, end, side="left"))
        pieces = [self._shards[i][max(0, start - self._starts[i]) : end - self._starts[i]] for i in range(first, last)]
        return np.concatenate(pieces).astype(np.int64)
