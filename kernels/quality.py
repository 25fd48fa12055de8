"""Gopher's measures of quality: words, symbols, bullets, ellipses, stop words (arXiv:2112.11446, section A1).

In come a batch of texts and its words; out comes a row of numbers a text.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.characters import Characters, characters
from kernels.compiled import inner, kernel
from kernels.hashing import EMPTY, ONE, Hash, slot_of
from kernels.strings import holds, line_end, stripped
from kernels.texts import Texts
from kernels.words import HAS_LETTER, ONLY_SYMBOLS, Words

COLUMNS = (
    "words",
    "mean_word_length",
    "hash_ratio",
    "ellipsis_ratio",
    "bullet_line_ratio",
    "ellipsis_line_ratio",
    "alpha_word_ratio",
    "stop_words",
)
# How many stop words a language can have: the bits in which a text's are noted.
MOST_STOP_WORDS = 64
_TABLE_BITS = 8
_HASH, _FULL_STOP = ord("#"), ord(".")
_FIRST, _SECOND, _THIRD = "…".encode()
_STOPS, _ELLIPSIS, _HYPHEN, _BULLET = b"...", "…".encode(), b"-", "•".encode()


class StopWords(NamedTuple):
    """For each list of stop words a hash table of 256 places: `word` is -1 or the place in the list, `raw` its hash."""

    word: NDArray[np.int32]
    raw: NDArray[np.uint64]


def stop_words(lists: Sequence[Sequence[str]]) -> StopWords:
    """The tables that `measure` looks words up in."""
    tables = StopWords(
        np.full((len(lists), 1 << _TABLE_BITS), EMPTY), np.zeros((len(lists), 1 << _TABLE_BITS), np.uint64)
    )
    for row, words in enumerate(lists):
        assert len(words) <= MOST_STOP_WORDS, words
        found = Texts.of([" ".join(words)]).words
        assert len(found.raw) == len(words), words
        for place, raw in enumerate(found.raw):
            slot = slot_of(raw, _TABLE_BITS)
            while tables.word[row, slot] != EMPTY:
                slot = (slot + 1) % (1 << _TABLE_BITS)
            tables.word[row, slot], tables.raw[row, slot] = place, raw
    return tables


def measure(texts: Texts, stop: StopWords, lists: NDArray[np.int32]) -> NDArray[np.float64]:
    """A row of COLUMNS for each text, whose stop words are those of list `lists[i]`.

    words, mean_word_length (code points): of words that are more than symbols; 0 where there are none.
    hash_ratio, ellipsis_ratio: "#", and "..." or "…", to all words.
    bullet_line_ratio, ellipsis_line_ratio: lines (of `str.splitlines`) that start with "-" or "•", that end with
    "..." or "…", to all lines. alpha_word_ratio: words with a letter to all words. stop_words: those of the list that
    occur.
    """
    out = np.zeros((len(texts), len(COLUMNS)))
    _measure(texts.data, texts.offsets, characters(), texts.words, stop, lists, out)
    return out


@kernel
def _measure(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    characters: Characters,
    words: Words,
    stop: StopWords,
    lists: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    for text in range(len(offsets) - 1):
        row = out[text]
        first, last = words.first[text], words.first[text + 1]
        spoken, points, with_letter, seen = 0, 0, 0, Hash(0)
        for word in range(first, last):
            if not words.flags[word] & ONLY_SYMBOLS:
                spoken += 1
                points += words.points[word]
            if words.flags[word] & HAS_LETTER:
                with_letter += 1
            seen |= _stop_word(words.raw[word], stop, lists[text])
        hashes, ellipses, lines, bullets, ended = _signs(data, offsets[text], offsets[text + 1], characters)
        n_words, n_lines = max(last - first, 1), max(lines, 1)
        row[0] = spoken
        row[1] = points / max(spoken, 1)
        row[2] = hashes / n_words
        row[3] = ellipses / n_words
        row[4] = bullets / n_lines
        row[5] = ended / n_lines
        row[6] = with_letter / n_words
        while seen:
            seen &= seen - ONE
            row[7] += 1


@inner
def _stop_word(raw: Hash, stop: StopWords, table: int) -> Hash:
    """The bit of the word whose hash this is, 0 if it is no stop word."""
    slot = slot_of(raw, _TABLE_BITS)
    while stop.word[table, slot] != EMPTY:
        if stop.raw[table, slot] == raw:
            return ONE << Hash(stop.word[table, slot])
        slot = (slot + 1) & ((1 << _TABLE_BITS) - 1)
    return Hash(0)


@inner
def _signs(data: NDArray[np.uint8], start: int, end: int, characters: Characters) -> tuple[int, int, int, int, int]:
    """How many "#", ellipses, lines, lines with a bullet before them and lines with an ellipsis after them."""
    hashes, ellipses, stops, before, last_but_one = 0, 0, 0, 0, 0
    for byte in data[start:end]:
        hashes += byte == _HASH
        stops = stops + 1 if byte == _FULL_STOP else 0
        if stops == 3 or (byte == _THIRD and before == _SECOND and last_but_one == _FIRST):
            ellipses += 1
            stops = 0
        last_but_one, before = before, byte
    lines, bullets, ended, i = 0, 0, 0, start
    while i < end:
        line, after = line_end(data, i, end, characters)
        lines += 1
        first, last = stripped(data, i, line, characters)
        bullets += holds(data, first, last, _HYPHEN) or holds(data, first, last, _BULLET)
        tail = max(first, last - 3)
        ended += holds(data, tail, last, _ELLIPSIS) or holds(data, tail, last, _STOPS)
        i = after
    return hashes, ellipses, lines, bullets, ended
