"""Gopher's measures of repetition: in paragraphs, in lines, and in n words in a row (arXiv:2112.11446, table A1).

In come a batch of texts, its words and its lines; out comes a row of numbers a text. What stays true: the numbers
are exact. Hashes only say where to look; what counts as equal has been compared.

Indices in hot loops are unsigned: a signed one is asked every time whether it counts from the end of its array.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import Characters, characters
from kernels.compiled import inner, kernel
from kernels.hashing import EMPTY, ONE, Hash, empty, hash_bytes, slot_of, table_bits
from kernels.lines import Lines, repeats
from kernels.strings import count_points, same_bytes, stripped
from kernels.texts import Texts
from kernels.words import Words, power

TOP = (2, 3, 4)
DUPLICATE = (5, 6, 7, 8, 9, 10)
COLUMNS = (
    "characters",
    "duplicate_paragraph_ratio",
    "duplicate_paragraph_character_ratio",
    "duplicate_line_ratio",
    "duplicate_line_character_ratio",
    *(f"top_{n}_gram_ratio" for n in TOP),
    *(f"duplicate_{n}_gram_ratio" for n in DUPLICATE),
)
_NEW_LINE = 10
_THIRTY_TWO = Hash(32)


def measure(texts: Texts) -> NDArray[np.float64]:
    """A row of COLUMNS for each text; every character ratio is to the code points of the whole text.

    Paragraphs are split at two or more new lines of the stripped text, lines at one or more. ..._character_ratio: the
    characters of those that repeat an earlier one. top_N_gram_ratio: characters (its spaces too) of the N words in a
    row that occur most often, the first met among equals, times how often. duplicate_N_gram_ratio: characters (without
    spaces) of N words in a row that were there before; after such a repeat its words are passed over, and the words
    are compared run together, as datatrove does: "a bc" repeats "ab c".
    """
    out = np.zeros((len(texts), len(COLUMNS)))
    _measure(texts.data, texts.offsets, characters(), texts.words, texts.lines, out)
    return out


@kernel
def _measure(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    characters: Characters,
    words: Words,
    lines: Lines,
    out: NDArray[np.float64],
) -> None:
    most = 0
    for text in range(len(offsets) - 1):
        most = max(most, words.first[text + 1] - words.first[text])
    ids = np.empty(most, np.int32)
    pairs = np.empty(most, np.int32)
    triples = np.empty(most, np.int32)
    counts = np.empty(most, np.int32)
    powers = np.empty(most, np.uint64)
    hashes = np.empty(most, np.uint64)
    table = np.empty(1 << table_bits(most), np.int32)
    for text in range(len(offsets) - 1):
        row = out[text]
        first, last = lines.first[text], lines.first[text + 1]
        points = last - first - 1
        for line in range(first, last):
            points += lines.points[line]
        row[0] = points
        total = max(points, 1)
        parts, count, repeated = _repeated_paragraphs(data, offsets[text], offsets[text + 1], characters)
        row[1], row[2] = count / parts, repeated / total
        parts, count, repeated = _repeated_lines(data, lines, first, last)
        row[3], row[4] = count / parts, repeated / total
        start, end = words.first[text], words.first[text + 1]
        _number_words(data, words, start, end, table, ids)
        row[5] = _top_ngram(words, start, end, 2, ids, ids, pairs, counts, table) / total
        row[6] = _top_ngram(words, start, end, 3, ids, pairs, triples, counts, table) / total
        # Nobody asks for the numbers of the 4-grams.
        row[7] = _top_ngram(words, start, end, 4, ids, triples, pairs, counts, table) / total
        for i in range(end - start):
            powers[i] = power(words.size[start + i])
            hashes[i] = words.raw[start + i]
        for n in range(2, 11):
            if n < 5:
                _lengthen(words.raw[start:end], n, powers, hashes)
            else:
                row[3 + n] = _duplicate_ngrams(data, words, start, end, n, powers, hashes, table) / total


@inner
def _repeated_lines(data: NDArray[np.uint8], lines: Lines, first: int, last: int) -> tuple[int, int, int]:
    """The lines between new lines, those that repeat an earlier one and their code points."""
    chosen = np.empty(last - first, np.int64)
    n = 0
    for line in range(first, last):
        # What a run of new lines leaves at either end of a text counts as an empty line, and within it as nothing.
        if lines.size[line] or line == first or line == last - 1:
            chosen[n] = line
            n += 1
    count, points = repeats(data, lines.start, lines.size, lines.points, lines.hash, chosen[:n])
    return n, count, points


@inner
def _repeated_paragraphs(data: NDArray[np.uint8], start: int, end: int, characters: Characters) -> tuple[int, int, int]:
    """The paragraphs of the stripped text, those that repeat an earlier one and their code points."""
    start, end = stripped(data, start, end, characters)
    most, before = 1, False
    for byte in data[start:end]:
        most += before and byte == _NEW_LINE
        before = byte == _NEW_LINE
    if most == 1:
        return 1, 0, 0
    starts, sizes, points = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    hashes = np.empty(most, np.uint64)
    n, i = 0, start
    while i < end:
        starts[n] = i
        while i < end and not (data[i] == _NEW_LINE and i + 1 < end and data[i + 1] == _NEW_LINE):
            i += 1
        sizes[n] = i - starts[n]
        points[n] = count_points(data, starts[n], i)
        hashes[n] = hash_bytes(data[starts[n] : i])
        n += 1
        while i < end and data[i] == _NEW_LINE:
            i += 1
    count, repeated = repeats(data, starts, sizes, points, hashes, np.arange(n))
    return n, count, repeated


@inner
def _number_words(
    data: NDArray[np.uint8],
    words: Words,
    start: int,
    end: int,
    table: NDArray[np.int32],
    ids: NDArray[np.int32],
) -> None:
    """Equal words get equal numbers, those of their first place."""
    bits = table_bits(end - start)
    empty(table, bits)
    mask = (ONE << Hash(bits)) - ONE
    places, sizes, raw = words.start[start:end], words.size[start:end], words.raw[start:end]
    for word in range(Hash(end - start)):
        slot = Hash(slot_of(raw[word], bits))
        while table[slot] != EMPTY:
            other = Hash(table[slot])
            if raw[other] == raw[word] and sizes[other] == sizes[word]:
                if same_bytes(data, places[other], places[word], sizes[word]):
                    break
            slot = (slot + ONE) & mask
        else:
            table[slot] = word
        ids[word] = table[slot]


@inner
def _top_ngram(
    words: Words,
    start: int,
    end: int,
    n: int,
    ids: NDArray[np.int32],
    shorter: NDArray[np.int32],
    grams: NDArray[np.int32],
    counts: NDArray[np.int32],
    table: NDArray[np.int32],
) -> int:
    """The code points of the n-gram that occurs most often, times how often.

    `shorter` are the numbers of the (n-1)-grams, each that of its first place, and `grams` become those of the n-grams:
    two n-grams are the same if they start with the same shorter one and end in the same word.
    """
    many = end - start - n + 1
    if many <= 0:
        return 0
    bits = table_bits(many)
    empty(table, bits)
    mask, last, top = (ONE << Hash(bits)) - ONE, Hash(n - 1), 0
    for i in range(Hash(many)):
        ending = ids[i + last]
        slot = Hash(slot_of(Hash(shorter[i]) << _THIRTY_TWO | Hash(ending), bits))
        while table[slot] != EMPTY:
            other = Hash(table[slot])
            if shorter[other] == shorter[i] and ids[other + last] == ending:
                break
            slot = (slot + ONE) & mask
        if table[slot] == EMPTY:
            table[slot] = i
            counts[i] = 0
        gram = Hash(table[slot])
        grams[i] = gram
        counts[gram] += 1
        # Only how often matters here; which of the most frequent came first is settled below.
        top = max(top, counts[gram])
    for i in range(many):
        if grams[i] == i and counts[i] == top:
            points = n - 1
            for k in range(n):
                points += words.points[start + i + k]
            return points * top
    return 0


@inner
def _lengthen(raw: NDArray[np.uint64], n: int, powers: NDArray[np.uint64], hashes: NDArray[np.uint64]) -> None:
    """Hashes of the (n-1)-grams, by their first word, to those of the n-grams: their words run together."""
    last = Hash(n - 1)
    for i in range(Hash(max(len(raw) - n + 1, 0))):
        hashes[i] = hashes[i] * powers[i + last] + raw[i + last]


@inner
def _duplicate_ngrams(
    data: NDArray[np.uint8],
    words: Words,
    start: int,
    end: int,
    n: int,
    powers: NDArray[np.uint64],
    hashes: NDArray[np.uint64],
    table: NDArray[np.int32],
) -> int:
    """The code points in n-grams that were there before.

    `powers` are those of the words' sizes; `hashes` come as those of the (n-1)-grams by their first word, and leave as
    those of the n-grams.
    """
    if end - start < n:
        return 0
    many = Hash(end - start - n + 1)
    _lengthen(words.raw[start:end], n, powers, hashes)
    bits = table_bits(end - start - n + 1)
    empty(table, bits)
    mask = (ONE << Hash(bits)) - ONE
    points, i = 0, Hash(0)
    while i < many:
        slot = Hash(slot_of(hashes[i], bits))
        while table[slot] != EMPTY:
            other = Hash(table[slot])
            if hashes[other] == hashes[i] and _same_ngram(data, words, start + np.int64(other), start + np.int64(i), n):
                break
            slot = (slot + ONE) & mask
        if table[slot] == EMPTY:
            table[slot] = i
            i += ONE
        else:
            for k in range(n):
                points += words.points[start + np.int64(i) + k]
            i += Hash(n)
    return points


@inner
def _same_ngram(data: NDArray[np.uint8], words: Words, first: int, other: int, n: int) -> bool:
    """Whether n words from `first` on and n words from `other` on are the same bytes when run together."""
    size, of_other = 0, 0
    for k in range(n):
        size += words.size[first + k]
        of_other += words.size[other + k]
    if size != of_other:
        return False
    a, b, i, j = first, other, 0, 0
    for _ in range(size):
        if i == words.size[a]:
            a, i = a + 1, 0
        if j == words.size[b]:
            b, j = b + 1, 0
        if data[words.start[a] + i] != data[words.start[b] + j]:
            return False
        i, j = i + 1, j + 1
    return True
