"""Batches that hold the sources of a folder of token shards in any shares, whatever shares the folder has them in.

What goes in: shards with each source's tokens once, and a share for each source. What comes out: for the n-th batch its
inputs and targets. What stays true: of any number of rows from the first on a source has its share, to a row or so;
its blocks come once per epoch, in a permutation that (seed, source, epoch) alone fixes; and which row is whose depends
on the shares and on nothing else, so that two lengths of one run begin with the same batches.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from corpus.hashing import permuted
from mixtures.token_shards import TokenShards
from trainer.batches import Blocks, inputs_and_targets


class MixedBatches:
    """`rows` rows of `context` tokens, `batch` at a time; a source of share 0 has none of them.

    Of each source only the first `keep` of its tokens are there, so that a short run repeats them as often as the run
    that it stands for will repeat all of them (documents lie in random order, so the first are a sample). Raises
    `ValueError` for a source whose tokens do not fill a block.
    """

    def __init__(
        self,
        shards: TokenShards,
        context: int,
        batch: int,
        rows: int,
        shares: Mapping[str, float],
        keep: float,
        seed: int,
    ) -> None:
        self.context, self.batch, self.seed = context, batch, seed
        self.sources = [source for source, share in shares.items() if share > 0]
        self._all, self._kept = {}, {}
        for source in self.sources:
            own = [entry for entry in shards.entries("train") if entry.source == source]
            self._all[source] = Blocks(shards, own, context)
            if not self._all[source].count:
                raise ValueError(
                    f"{source} has {self._all[source].tokens:,} tokens to train on, and a row takes {context:,} and "
                    "one more: lower model.context, or leave the source out"
                )
            self._kept[source] = max(1, round(keep * self._all[source].count))
        self._source, self._number = order([shares[source] for source in self.sources], rows)

    @property
    def epochs(self) -> dict[str, float]:
        """How often all rows together take each source's kept blocks."""
        rows = np.bincount(self._source, minlength=len(self.sources))
        return {source: float(n / self._kept[source]) for source, n in zip(self.sources, rows, strict=True)}

    def at(self, number: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a batch, each int64[batch, context]."""
        # The loop reads one batch ahead, and so past the end.
        rows = np.arange(number * self.batch, (number + 1) * self.batch) % len(self._source)
        blocks = []
        for source, row in zip(self._source[rows].tolist(), self._number[rows].tolist(), strict=True):
            name = self.sources[source]
            epoch, place = divmod(row, self._kept[name])
            (block,) = permuted(np.array([place], np.uint64), self._kept[name], "blocks", self.seed, name, epoch)
            blocks.append(self._all[name].at(int(block)))
        return inputs_and_targets(blocks)


def order(shares: list[float], rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each row its source, by place in `shares`, and which of that source's rows it is, counted from 0.

    A source's rows are spread evenly over all, in its share; the order of the first rows does not depend on how many
    there are.
    """
    total = sum(shares)
    # The n-th row of a source lies in the middle of the n-th of equal steps.
    # Rounding can put the last row as far as half a row a source behind its place.
    counts = [int(np.ceil((rows + len(shares)) * share / total)) + 1 for share in shares]
    places = np.concatenate([(np.arange(n) + 0.5) * total / share for n, share in zip(counts, shares, strict=True)])
    numbers = np.concatenate([np.arange(n) for n in counts])
    sources = np.repeat(np.arange(len(shares)), counts)
    first = np.argsort(places, kind="stable")[:rows]
    return sources[first], numbers[first]
