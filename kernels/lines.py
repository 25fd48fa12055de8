"""The lines of a batch of texts, as new lines part them, its paragraphs, and how many of them were there before."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.characters import SPACE, TERMINAL, Characters, characters, decode, flags_of
from kernels.compiled import inner, kernel
from kernels.hashing import EMPTY, empty, hash_bytes, slot_of, table_bits
from kernels.strings import count_points, same_bytes

BLANK, ENDS_SENTENCE = 1, 2
_NEW_LINE = 10

Unit = Literal["line", "paragraph"]


class Lines(NamedTuple):
    """Line k is the `size[k]` bytes from `start[k]` on without its new line, `points[k]` code points, with a hash of
    its bytes; those of text i are `first[i]` to `first[i + 1]`, one more than it has new lines.

    `flags`: BLANK (white space or nothing), ENDS_SENTENCE (its last character does, in some script).
    """

    first: NDArray[np.int64]
    start: NDArray[np.int64]
    size: NDArray[np.int64]
    points: NDArray[np.int64]
    flags: NDArray[np.uint8]
    hash: NDArray[np.uint64]


class Units(NamedTuple):
    """Unit k is the `size[k]` bytes from `start[k]` on, one line or more without the last one's new line; those of
    text i are `first[i]` to `first[i + 1]`, at least one, and joined by new lines they are the text.
    """

    first: NDArray[np.int64]
    start: NDArray[np.int64]
    size: NDArray[np.int64]


def find_units(lines: Lines, unit: Unit) -> Units:
    """The lines, or the paragraphs: runs of lines that are not blank, each with the blank lines after it.

    The blank lines at the start of a text are a unit of their own.
    """
    if unit == "line":
        return Units(lines.first, lines.start, lines.size)
    most = len(lines.start)
    found = Units(np.empty(len(lines.first), np.int64), np.empty(most, np.int64), np.empty(most, np.int64))
    _find_paragraphs(lines, found)
    n = found.first[-1]
    return Units(found.first, found.start[:n], found.size[:n])


@kernel
def _find_paragraphs(lines: Lines, found: Units) -> None:
    n = 0
    for text in range(len(lines.first) - 1):
        found.first[text] = n
        after_blank = False
        for line in range(lines.first[text], lines.first[text + 1]):
            blank = lines.flags[line] & BLANK != 0
            if line == lines.first[text] or (after_blank and not blank):
                found.start[n] = lines.start[line]
                n += 1
            found.size[n - 1] = lines.start[line] + lines.size[line] - found.start[n - 1]
            after_blank = blank
    found.first[len(lines.first) - 1] = n


def find_lines(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Lines:
    here = data[offsets[0] : offsets[-1]]
    most = int(np.count_nonzero(here == _NEW_LINE)) + len(offsets) - 1
    lines = Lines(
        np.empty(len(offsets), np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.uint8),
        np.empty(most, np.uint64),
    )
    _find(data, offsets, characters(), lines)
    return lines


@kernel
def _find(data: NDArray[np.uint8], offsets: NDArray[np.int64], characters: Characters, lines: Lines) -> None:
    n = 0
    for text in range(len(offsets) - 1):
        lines.first[text] = n
        i, end = offsets[text], offsets[text + 1]
        while True:
            start = i
            while i < end and data[i] != _NEW_LINE:
                i += 1
            lines.start[n] = start
            lines.size[n] = i - start
            lines.points[n] = count_points(data, start, i)
            lines.flags[n] = _flags(data, start, i, characters)
            lines.hash[n] = hash_bytes(data[start:i])
            n += 1
            if i >= end:
                break
            i += 1
    lines.first[len(offsets) - 1] = n


@inner
def _flags(data: NDArray[np.uint8], start: int, end: int, characters: Characters) -> int:
    if end == start:
        return BLANK
    last = end - 1
    while data[last] & 0xC0 == 0x80:
        last -= 1
    ends_sentence = ENDS_SENTENCE if flags_of(decode(data, last)[0], characters) & TERMINAL else 0
    while start < end:
        point, start = decode(data, start)
        if not flags_of(point, characters) & SPACE:
            return ends_sentence
    return ends_sentence | BLANK


@inner
def repeats(
    data: NDArray[np.uint8],
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    points: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    chosen: NDArray[np.int64],
) -> tuple[int, int]:
    """How many of the `chosen` parts of a text repeat an earlier one of them, and how many code points these hold."""
    bits = table_bits(len(chosen))
    table = np.empty(1 << bits, np.int32)
    empty(table, bits)
    count, characters = 0, 0
    for part in chosen:
        slot = slot_of(hashes[part], bits)
        while table[slot] != EMPTY:
            other = table[slot]
            if hashes[other] == hashes[part] and size[other] == size[part]:
                # Equal hashes are a strong hint and no proof.
                if same_bytes(data, start[other], start[part], size[part]):
                    count += 1
                    characters += points[part]
                    break
            slot = (slot + 1) & ((1 << bits) - 1)
        else:
            table[slot] = part
    return count, characters
