"""The ids of pieces of text that have been cut already: a kernel merges short ones, and tiktoken the others.

What goes in: the merges of a tokenizer that `mixtures/byte_level.py` found alike, then pieces. What stays true: where
an entry is only found as a whole piece, as tiktoken has it, that library merges all of them.
"""

from collections.abc import Sequence

import numpy as np
import tiktoken
from numpy.typing import NDArray

from kernels import merges
from mixtures.byte_level import Alike

# Never a character (Unicode 23.7), and so in no piece of a text that is encoded by its pieces.
_BETWEEN = "\U0010ffff"


class Merger:
    def __init__(self, alike: Alike) -> None:
        self._between = max(alike.ranks.values()) + 1
        self._whole = tiktoken.Encoding(
            "pieces",
            pat_str=f"{_BETWEEN}|[^{_BETWEEN}]+",
            mergeable_ranks={**alike.ranks, _BETWEEN.encode(): self._between},
            special_tokens={},
        )
        byte_ids = np.array([alike.ranks[bytes([byte])] for byte in range(256)], np.uint32)
        self._merges = merges.merges(byte_ids, alike.pairs)
        self._longest = 0 if alike.whole_pieces else merges.LONGEST

    def __call__(
        self, data: NDArray[np.uint8], bounds: NDArray[np.int64], chosen: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The ids of pieces end to end, and how many each has; piece k is `data[bounds[k]:bounds[k + 1]]`."""
        starts = bounds[chosen]
        sizes = bounds[chosen + 1] - starts
        counts = np.zeros(len(chosen), np.int64)
        long = np.flatnonzero(sizes > self._longest)
        view = data.data
        places = zip(starts[long].tolist(), (starts + sizes)[long].tolist(), strict=True)
        long_ids, counts[long] = self._merge_whole([str(view[start:end], "utf-8") for start, end in places])
        if len(long) == len(chosen):
            return long_ids, counts
        out = np.empty(int(sizes.sum()), np.uint32)
        total = merges.merge(data, starts, sizes, self._merges, long_ids, counts, out)
        return out[:total], counts

    def _merge_whole(self, pieces: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """By one call for many, with what is in no text between them."""
        if not pieces:
            return np.empty(0, np.uint32), np.empty(0, np.int64)
        # Texts with this character are not encoded here in the end, but their pieces are.
        ids = self._whole.encode_to_numpy(_BETWEEN.join(piece.replace(_BETWEEN, " ") for piece in pieces))
        ends = np.append(np.flatnonzero(ids == self._between), len(ids))
        return ids[ids != self._between], np.diff(ends, prepend=-1) - 1
