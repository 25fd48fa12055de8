"""The words of a batch of texts, found once for everything that asks: rules, MinHash, the linear classifier.

A word is what white space parts (as `str.split`), and within that, in scripts that put no spaces between words, what
Unicode's default word segmentation gives (UAX #29): each such character with the marks on it is a word of its own, and
a run of Katakana is one.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.characters import (
    LETTER,
    MARK,
    SCRIPT,
    SPACE,
    SYMBOL,
    UNSPACED,
    WORD,
    Characters,
    characters,
    decode,
    flags_of,
    folded,
)
from kernels.compiled import inner, kernel
from kernels.hashing import BASE, ONE, Hash, mixed

HAS_LETTER = np.uint8(1)
ONLY_SYMBOLS = np.uint8(2)
_NOTHING = Hash(0)


class Words(NamedTuple):
    """Word w is the `size[w]` bytes from `start[w]` on, `points[w]` code points; those of text i are `first[i]` to
    `first[i + 1]`.

    `raw` is the polynomial hash of its bytes: that of words a and b run together is raw[a] * power(size[b]) + raw[b].
    `normal` is a hash of its letters, digits and marks without case, 0
    for a word without any. `flags`: HAS_LETTER, ONLY_SYMBOLS.
    """

    first: NDArray[np.int64]
    start: NDArray[np.int64]
    size: NDArray[np.int32]
    points: NDArray[np.int32]
    flags: NDArray[np.uint8]
    raw: NDArray[np.uint64]
    normal: NDArray[np.uint64]


def find_words(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Words:
    # Untouched memory costs nothing, and two words need at least three bytes.
    most = int(offsets[-1] - offsets[0] + len(offsets)) // 2 + len(offsets)
    words = Words(
        np.empty(len(offsets), np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int32),
        np.empty(most, np.int32),
        np.empty(most, np.uint8),
        np.empty(most, np.uint64),
        np.empty(most, np.uint64),
    )
    _find(data, offsets, characters(), words)
    found = int(words.first[-1])
    return Words._make([words.first, *(column[:found] for column in words[1:])])


# For the number of bytes in all but the longest words.
_POWERS = np.array([pow(int(BASE), size, 1 << 64) for size in range(64)], np.uint64)


@inner
def power(size: int) -> Hash:
    """BASE to the power of `size`."""
    product = ONE
    while size >= len(_POWERS):
        product *= _POWERS[len(_POWERS) - 1]
        size -= len(_POWERS) - 1
    return product * _POWERS[size]


@kernel
def _find(data: NDArray[np.uint8], offsets: NDArray[np.int64], characters: Characters, words: Words) -> None:
    n = 0
    for text in range(len(offsets) - 1):
        words.first[text] = n
        # Unsigned: a signed index is asked every time whether it counts from the end.
        i, end = Hash(offsets[text]), Hash(offsets[text + 1])
        while i < end:
            flags, folded, size = _look(data, i, characters)
            if flags & SPACE:
                i += size
                continue
            start, script, points = i, flags & SCRIPT, 0
            any_flags, all_flags = flags, flags
            raw, normal = _NOTHING, _NOTHING
            while True:
                if flags & WORD:
                    normal = normal * BASE + folded + ONE
                any_flags |= flags
                all_flags &= flags
                points += 1
                for _ in range(size):
                    raw = raw * BASE + Hash(data[i]) + ONE
                    i += ONE
                if i >= end:
                    break
                flags, folded, size = _look(data, i, characters)
                if flags & SPACE:
                    break
                if not flags & MARK and (script == UNSPACED or flags & SCRIPT != script):
                    break
            words.start[n] = start
            words.size[n] = i - start
            words.points[n] = points
            words.flags[n] = (HAS_LETTER if any_flags & LETTER else 0) | (ONLY_SYMBOLS if all_flags & SYMBOL else 0)
            words.raw[n] = raw
            words.normal[n] = mixed(normal, 0) if normal else _NOTHING
            n += 1
    words.first[len(offsets) - 1] = n


@inner
def _look(data: NDArray[np.uint8], i: Hash, characters: Characters) -> tuple[int, Hash, Hash]:
    """The flags of the character at byte `i`, what it folds to, and how many bytes it has."""
    byte = data[i]
    if byte < 0x80:
        return np.int64(characters.flags[byte]), Hash(byte) + Hash(characters.fold[byte]), ONE
    point, after = decode(data, np.int64(i))
    return flags_of(point, characters), Hash(folded(point, characters)), Hash(after) - i
