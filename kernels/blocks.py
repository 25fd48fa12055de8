"""Texts cut into blocks of whole lines, for what is judged piece by piece.

In come a batch of texts and its lines, out come the blocks as a batch of their own over the same bytes; all blocks of a
text, end to end, are the text.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import LETTER, Characters, characters, decode, flags_of
from kernels.compiled import kernel
from kernels.lines import Lines
from kernels.texts import Texts


def cut(texts: Texts, size: int) -> tuple[Texts, NDArray[np.int64], NDArray[np.int64]]:
    """The blocks, where those of each text start among them (int64, one more than texts), and the letters in each.

    A block is as few lines as have `size` code points together; what is left at the end of a text is a block of its own
    if it has half as many, or else belongs to the one before. A text without a byte has no block.
    """
    offsets = np.empty(len(texts.lines.start) + 1, np.int64)
    first = np.empty(len(texts) + 1, np.int64)
    offsets[0] = texts.offsets[0]
    _cut(texts.offsets, texts.lines, size, offsets, first)
    found = offsets[: first[-1] + 1].copy()
    letters = np.empty(len(found) - 1, np.int64)
    _count_letters(texts.data, found, characters(), letters)
    nothing = (None,) * (len(found) - 1)
    return Texts(texts.data, found, nothing, nothing), first, letters


@kernel
def _cut(
    texts: NDArray[np.int64], lines: Lines, size: int, offsets: NDArray[np.int64], first: NDArray[np.int64]
) -> None:
    n = 0
    for text in range(len(first) - 1):
        first[text] = n
        points = 0
        for line in range(lines.first[text], lines.first[text + 1]):
            points += lines.points[line]
            if points >= size:
                n += 1
                offsets[n] = lines.start[line] + lines.size[line]
                points = 0
        end = texts[text + 1]
        if n > first[text] and points < size / 2:
            offsets[n] = end
        elif end > texts[text]:
            n += 1
            offsets[n] = end
    first[len(first) - 1] = n


@kernel
def _count_letters(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], characters: Characters, letters: NDArray[np.int64]
) -> None:
    for block in range(len(letters)):
        i, count = offsets[block], 0
        while i < offsets[block + 1]:
            point, i = decode(data, i)
            count += flags_of(point, characters) & LETTER != 0
        letters[block] = count
