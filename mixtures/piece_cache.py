"""The ids of pieces of text, each merged once and then looked up: a word costs a look instead of its merges.

What goes in: batches of texts. What comes out: all their ids in one array. What stays true: the ids depend on the text
alone and not on what came before it, and the cache keeps to about 150 MB: when it is full it starts anew.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kernels import pieces, split_pieces
from kernels.split_pieces import Form
from kernels.texts import Texts
from mixtures.byte_level import CL100K, GPT2, GPT2_WITH_SINGLE_DIGITS, LLAMA3, O200K, QWEN

# A table is at most half full: about a million pieces, 48 MB. It grows with them, so that it stays in a processor's own
# memory while it can.
FEWEST_SLOTS = 1 << 4
MOST_SLOTS = 1 << 21
# Bytes of pieces of 16 and more, and ids: a few for each piece. Memory that is not used yet costs nothing.
STORED_BYTES = 1 << 25
STORED_IDS = 1 << 23
# Pieces between one look at what is new and the next.
CHUNK = 1 << 14

# What kernels ask for the pieces of each pattern.
_SINGLE_DIGITS = {GPT2: False, GPT2_WITH_SINGLE_DIGITS: True}
_FORMS = {
    LLAMA3: Form(numbers=3, cased=False, space_at_end=False),
    QWEN: Form(numbers=1, cased=False, space_at_end=False),
    CL100K: Form(numbers=3, cased=False, space_at_end=True),
    O200K: Form(numbers=3, cased=True, space_at_end=False),
}

# The ids of some pieces of data with these bounds, end to end, and how many each has.
Merge = Callable[
    [NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]], tuple[NDArray[np.uint32], NDArray[np.int64]]
]


class PieceCache:
    """Ids by pieces of one of `byte_level`'s patterns; `merge` gives those of new ones."""

    def __init__(self, merge: Merge, pattern: str) -> None:
        self._merge = merge
        self._pattern = pattern
        self._clear()

    def _clear(self, size: int = 0) -> None:
        self._table = np.zeros(FEWEST_SLOTS * pieces.WIDTH, np.uint64)
        self._bytes = np.empty(max(STORED_BYTES, size), np.uint8)
        self._ids = np.empty(max(STORED_IDS, size), np.uint32)
        # The ids of piece p are those from `_bounds[p]` to `_bounds[p + 1]`.
        self._bounds = np.zeros(MOST_SLOTS // 2 + CHUNK + 1, np.int64)
        self._pieces = self._stored = 0

    def encode(self, texts: Texts) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.bool_]]:
        """All ids end to end, where those of each text start (one more than texts), and which texts not to rely on:
        those with characters that are newer than Python's version of Unicode."""
        offsets, unknown = np.zeros(len(texts) + 1, np.int64), np.zeros(len(texts), np.bool_)
        bounds = np.empty(CHUNK + 1, np.int64)
        # No id stands for less than a byte.
        out = np.empty(int(texts.offsets[-1] - texts.offsets[0]), np.uint32)
        text, at, done = 0, int(texts.offsets[0]), 0
        while text < len(texts):
            ends = offsets[text + 1 :]
            after, at, count = self._cut(texts, (text, at), bounds, offsets[1:], unknown)
            found = self._look_up(texts.data, bounds[: count + 1])
            done = pieces.copy_ids(found, self._bounds, self._ids, ends[: after - text], out, done)
            text = after
        return out[:done], offsets, unknown

    def _cut(
        self,
        texts: Texts,
        place: tuple[int, int],
        bounds: NDArray[np.int64],
        ends: NDArray[np.int64],
        unknown: NDArray[np.bool_],
    ) -> tuple[int, int, int]:
        if form := _FORMS.get(self._pattern):
            kinds = split_pieces.kinds()
            return split_pieces.cut(texts.data, texts.offsets, form, kinds, place, bounds, ends, unknown)
        single_digits = _SINGLE_DIGITS[self._pattern]
        return pieces.cut(texts.data, texts.offsets, single_digits, pieces.kinds(), place, bounds, ends, unknown)

    def _look_up(self, data: NDArray[np.uint8], bounds: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The number of each piece, after merging those that are new."""
        count = len(bounds) - 1
        self._make_room(count, int(bounds[-1] - bounds[0]))
        found, new = np.empty(count, np.uint32), np.empty(count, np.int64)
        before = self._pieces
        self._pieces, self._stored = pieces.look_up(
            data, bounds, self._table, self._bytes, before, self._stored, found, new
        )
        new = new[: self._pieces - before]
        if len(new):
            ids, counts = self._merge(data, bounds, new)
            first = self._bounds[before]
            self._bounds[before + 1 : self._pieces + 1] = first + np.cumsum(counts)
            self._ids[first : first + len(ids)] = ids
        return found

    def _make_room(self, count: int, size: int) -> None:
        """Room for `count` pieces of `size` bytes, each of which may be new and an id of its own."""
        full = 2 * (self._pieces + count) > MOST_SLOTS or self._stored + size > STORED_BYTES
        if full or self._bounds[self._pieces] + size > STORED_IDS:
            self._clear(size)
        slots = before = len(self._table) // pieces.WIDTH
        while slots < 2 * (self._pieces + count):
            slots *= 2
        if slots > before:
            larger = np.zeros(slots * pieces.WIDTH, np.uint64)
            pieces.rehash(self._table, larger)
            self._table = larger
