"""Runs of words that texts share with known ones: all n-grams of the known texts in a table, and texts looked up in it.

In come texts known by the items that they belong to; out come, for each run of words in another text that is one of
their n-grams, where it lies and which it is. What stays true: a hash says where to look, and what is found was compared
letter by letter. Words are compared without case and by their letters, digits and marks; those without any are passed
over.

The length of a run is counted in halves of words: a character of a script without spaces is half a word, since 26
characters of Chinese say about what 13 English words do.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.characters import UNSPACED, WORD, Characters, characters, decode, flags_of, folded
from kernels.compiled import inner, kernel
from kernels.hashing import BASE, EMPTY, ONE, Hash, slot_of, table_bits
from kernels.texts import Texts
from kernels.words import HAS_LETTER, Words, power

HALVES = 2
_UNSPACED_HALVES = 1
# One word of bits for so many places of the table, which is at most half full.
WORDS_LOG2 = -3
_6, _12, _63 = Hash(6), Hash(12), Hash(63)
_NONE = -1


class Counted(NamedTuple):
    """The words of texts that have letters, digits or marks: those of text i are `first[i]` to `first[i + 1]`.

    `start` and `size` say where in the bytes they are. Those up to word w have `halves[w]` halves and `letters[w]` of
    them hold a letter; `sums[w]` is the polynomial of their hashes.
    """

    first: NDArray[np.int64]
    start: NDArray[np.int64]
    size: NDArray[np.int32]
    halves: NDArray[np.int64]
    letters: NDArray[np.int64]
    sums: NDArray[np.uint64]


class Index(NamedTuple):
    """Different n-grams: of `data`'s words from `first` on `head`, and then from `second` on until it has `length`.

    `item` is the first that has it. `table` says by `hashes` where it is, `bits` which beginnings of `near` halves of
    words there are. An n-gram has `far` halves or just more, or is a whole text of less, of one of `lengths` words.
    """

    data: NDArray[np.uint8]
    words: Counted
    first: NDArray[np.int32]
    head: NDArray[np.int32]
    second: NDArray[np.int32]
    length: NDArray[np.int32]
    item: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    table: NDArray[np.int32]
    bits: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    near: int
    far: int


class Matches(NamedTuple):
    """N-grams in texts, by place: words `start` to `end` of `Counted` are those of n-gram `gram` of the index."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    gram: NDArray[np.int32]


def count(texts: Texts) -> Counted:
    most = len(texts.words.normal)
    counted = Counted(
        np.empty(len(texts) + 1, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int32),
        np.empty(most + 1, np.int64),
        np.empty(most + 1, np.int64),
        np.empty(most + 1, np.uint64),
    )
    _count(texts.data, texts.words, characters(), counted)
    return counted


@kernel
def _count(data: NDArray[np.uint8], words: Words, characters: Characters, counted: Counted) -> None:
    n, halves, letters, total = 0, 0, 0, Hash(0)
    counted.halves[0], counted.letters[0], counted.sums[0] = halves, letters, total
    for text in range(len(words.first) - 1):
        counted.first[text] = n
        for word in range(words.first[text], words.first[text + 1]):
            normal, start = words.normal[word], words.start[word]
            if normal == 0:
                continue
            counted.start[n], counted.size[n] = start, words.size[word]
            # Nothing in ASCII does without spaces.
            unspaced = data[start] >= 0x80 and flags_of(decode(data, start)[0], characters) & UNSPACED
            halves += _UNSPACED_HALVES if unspaced else HALVES
            letters += words.flags[word] & HAS_LETTER != 0
            total = total * BASE + normal
            n += 1
            counted.halves[n], counted.letters[n], counted.sums[n] = halves, letters, total
    counted.first[len(words.first) - 1] = n


@inner
def hash_of(words: Counted, start: int, end: int) -> Hash:
    return words.sums[end] - words.sums[start] * power(end - start)


@inner
def word_of(index: Index, gram: int, k: int) -> int:
    head = index.head[gram]
    return np.int64(index.first[gram]) + k if k < head else np.int64(index.second[gram]) + k - head


@inner
def same_word(
    data: NDArray[np.uint8],
    words: Counted,
    word: int,
    other_data: NDArray[np.uint8],
    other_words: Counted,
    other: int,
    characters: Characters,
) -> bool:
    i, end = words.start[word], words.start[word] + words.size[word]
    j, other_end = other_words.start[other], other_words.start[other] + other_words.size[other]
    while True:
        point, i = _next_letter(data, i, end, characters)
        other_point, j = _next_letter(other_data, j, other_end, characters)
        if point != other_point:
            return False
        if point == _NONE:
            return True


@inner
def _next_letter(data: NDArray[np.uint8], i: int, end: int, characters: Characters) -> tuple[int, int]:
    """The next letter, digit or mark without case, -1 at the end, and what is after it."""
    while i < end:
        point, i = decode(data, i)
        if flags_of(point, characters) & WORD:
            return folded(point, characters), i
    return _NONE, i


@inner
def bits_of(key: Hash) -> Hash:
    """Three bits of a word of 64: one that has them has met this key, or one in a hundred others (Putze 2007)."""
    return ONE << (key & _63) | ONE << (key >> _6 & _63) | ONE << (key >> _12 & _63)


def find(texts: Texts, counted: Counted, index: Index) -> Matches:
    """All places where an n-gram of the index starts, with the longest one there."""
    most = len(counted.start)
    matches = Matches(np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int32))
    found = _find(texts.data, counted, index, characters(), matches)
    return Matches(*(column[:found].copy() for column in matches))


@kernel
def _find(data: NDArray[np.uint8], counted: Counted, index: Index, characters: Characters, matches: Matches) -> int:
    n = 0
    halves = counted.halves
    size = table_bits(len(index.hashes)) + WORDS_LOG2
    for text in range(len(counted.first) - 1):
        end = counted.first[text + 1]
        near = far = counted.first[text]
        for k in range(counted.first[text], end):
            while near < end and halves[near] - halves[k] < index.near:
                near += 1
            if halves[near] - halves[k] < index.near:
                break
            key = hash_of(counted, k, near)
            bits = bits_of(key)
            if index.bits[slot_of(key, size)] & bits != bits:
                continue
            while far < end and halves[far] - halves[k] < index.far:
                far += 1
            gram = _NONE
            if halves[far] - halves[k] >= index.far:
                gram = _look_up(data, counted, index, characters, k, far)
            for length in index.lengths:
                if gram == _NONE and k + length <= end:
                    gram = _look_up(data, counted, index, characters, k, k + length)
            if gram != _NONE:
                matches.start[n], matches.end[n], matches.gram[n] = k, k + index.length[gram], gram
                n += 1
    return n


@inner
def _look_up(
    data: NDArray[np.uint8], counted: Counted, index: Index, characters: Characters, start: int, end: int
) -> int:
    """The n-gram that the words from `start` to `end` are, -1 if they are none."""
    bits = table_bits(len(index.hashes))
    key = hash_of(counted, start, end)
    slot = slot_of(key, bits)
    while index.table[slot] != EMPTY:
        gram = np.int64(index.table[slot])
        if index.hashes[gram] == key and index.length[gram] == end - start:
            k = 0
            while k < end - start and same_word(
                data, counted, start + k, index.data, index.words, word_of(index, gram, k), characters
            ):
                k += 1
            if k == end - start:
                return gram
        slot = (slot + 1) & ((1 << bits) - 1)
    return _NONE
