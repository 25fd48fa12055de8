"""The table of all n-grams of known texts in which `kernels.shared_grams` looks up others.

In come texts, the items that they belong to and which runs of their words to take; out comes each different n-gram
once, with the first item that has it. What stays true: two n-grams are one when all their words are compared and equal.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import Characters, characters
from kernels.compiled import inner, kernel
from kernels.hashing import EMPTY, Hash, empty, slot_of, table_bits
from kernels.shared_grams import WORDS_LOG2, Counted, Index, bits_of, hash_of, same_word, word_of
from kernels.texts import Texts
from kernels.words import power


def index_of(
    texts: Texts, words: Counted, sequences: NDArray[np.int64], items: int, near: int, far: int
) -> tuple[Index, NDArray[np.bool_]]:
    """The n-grams of `sequences`, and which of the `items` have any.

    A sequence is a row of where a run of words starts and ends, where another does that follows it (or none: the same
    number twice), its item, and 1 if all of it is one n-gram or 0 for its n-grams of `far` halves of words. Of two runs
    those are taken that have words of both. None is taken with more words without a letter than with one: counting
    from 2 to 16 is in everybody's text. `near` is the least number of halves of words of what is taken whole.
    """
    most = int(np.where(sequences[:, 5] == 1, 1, _most_grams(sequences, far)).sum())
    found = np.zeros(items, np.bool_)
    index = Index(
        data=texts.data,
        words=words,
        first=np.empty(most, np.int32),
        head=np.empty(most, np.int32),
        second=np.empty(most, np.int32),
        length=np.empty(most, np.int32),
        item=np.empty(most, np.int32),
        hashes=np.empty(most, np.uint64),
        table=np.empty(1 << table_bits(most), np.int32),
        bits=np.empty(0, np.uint64),
        lengths=np.empty(0, np.int64),
        near=near,
        far=far,
    )
    n = _collect(index, characters(), sequences, found)
    index = index._replace(
        **{name: getattr(index, name)[:n].copy() for name in ("first", "head", "second", "length", "item", "hashes")},
        table=np.empty(1 << table_bits(n), np.int32),
        bits=np.zeros(1 << (table_bits(n) + WORDS_LOG2), np.uint64),
    )
    _fill(index)
    whole = index.length[_halves_of(index) < far]
    # What is looked up is compared by its bytes, and nothing else of the words is asked for.
    places = words._replace(**dict.fromkeys(("halves", "letters"), np.empty(0, np.int64)), sums=np.empty(0, np.uint64))
    return index._replace(words=places, lengths=np.unique(whole)[::-1].astype(np.int64)), found


def _most_grams(sequences: NDArray[np.int64], far: int) -> NDArray[np.int64]:
    sizes = sequences[:, 1] - sequences[:, 0]
    is_one = sequences[:, 2] == sequences[:, 3]
    grams: NDArray[np.int64] = np.where(is_one, sizes, np.minimum(sizes, far))
    return grams


def _halves_of(index: Index) -> NDArray[np.int64]:
    halves, first, second = index.words.halves, index.first, index.second
    rest = index.length - index.head
    total: NDArray[np.int64] = halves[first + index.head] - halves[first] + halves[second + rest] - halves[second]
    return total


@kernel
def _collect(index: Index, characters: Characters, sequences: NDArray[np.int64], found: NDArray[np.bool_]) -> int:
    """How many different n-grams there are, written to the first places of the index, whose table is then full."""
    words, n = index.words, 0
    bits = table_bits(len(index.hashes))
    empty(index.table, bits)
    for row in range(len(sequences)):
        first, first_end, second, second_end, item, whole = sequences[row]
        head, total = first_end - first, first_end - first + second_end - second
        if whole:
            n = _add(index, characters, bits, n, first, head, second, total, item, found)
            continue
        # A word has at least one half, so that those that start earlier do not reach the second run.
        end = begin = 0 if second == second_end else max(head - index.far, 0)
        for k in range(begin, head):
            while end < total and _between(words, first, head, second, k, end) < index.far:
                end += 1
            if _between(words, first, head, second, k, end) < index.far:
                break
            if end > head or second == second_end:
                n = _add(index, characters, bits, n, first + k, min(end, head) - k, second, end - k, item, found)
    return n


@inner
def _between(words: Counted, first: int, head: int, second: int, k: int, end: int) -> int:
    """The halves of words from `k` to `end` of a sequence of two runs."""
    rest = max(end - head, 0)
    in_first = words.halves[first + min(end, head)] - words.halves[first + k]
    return in_first + words.halves[second + rest] - words.halves[second]


@inner
def _key(words: Counted, first: int, head: int, second: int, end: int) -> Hash:
    """The hash of the first `end` words of a sequence of two runs."""
    in_first = min(end, head)
    rest = end - in_first
    return hash_of(words, first, first + in_first) * power(rest) + hash_of(words, second, second + rest)


@inner
def _add(
    index: Index,
    characters: Characters,
    bits: int,
    n: int,
    first: int,
    head: int,
    second: int,
    length: int,
    item: int,
    found: NDArray[np.bool_],
) -> int:
    """How many n-grams there are with this one."""
    words, rest = index.words, length - head
    letters = words.letters[first + head] - words.letters[first] + words.letters[second + rest] - words.letters[second]
    if 2 * letters < length:
        return n
    found[item] = True
    key = _key(words, first, head, second, length)
    # Where it stays, unless it is there already.
    index.first[n], index.head[n], index.second[n], index.length[n] = first, head, second, length
    index.item[n], index.hashes[n] = item, key
    slot = slot_of(key, bits)
    while index.table[slot] != EMPTY:
        other = index.table[slot]
        if index.hashes[other] == key and index.length[other] == length and _same(index, characters, n, other):
            return n
        slot = (slot + 1) & ((1 << bits) - 1)
    index.table[slot] = n
    return n + 1


@inner
def _same(index: Index, characters: Characters, gram: int, other: int) -> bool:
    for k in range(index.length[gram]):
        word, there = word_of(index, gram, k), word_of(index, other, k)
        if not same_word(index.data, index.words, word, index.data, index.words, there, characters):
            return False
    return True


@kernel
def _fill(index: Index) -> None:
    """Make the table and the bits of different n-grams."""
    size = table_bits(len(index.hashes))
    empty(index.table, size)
    for gram in range(len(index.hashes)):
        slot = slot_of(index.hashes[gram], size)
        while index.table[slot] != EMPTY:
            slot = (slot + 1) & ((1 << size) - 1)
        index.table[slot] = gram
        # The beginning that the search in a text goes by.
        first, head, second = np.int64(index.first[gram]), np.int64(index.head[gram]), np.int64(index.second[gram])
        end = 0
        while _between(index.words, first, head, second, 0, end) < index.near:
            end += 1
        key = _key(index.words, first, head, second, end)
        index.bits[slot_of(key, size + WORDS_LOG2)] |= bits_of(key)
