"""RefinedWeb's line rules, in DCLM's form: lines that are no prose go (arXiv:2306.01116, G.2; arXiv:2406.11794).

In come a batch of texts, its words and its lines; out come a row of counts a text, and the texts rewritten.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import DIGIT, SPACE, UPPER, WORD, Characters, characters, decode, flags_of
from kernels.compiled import inner, kernel
from kernels.lines import Lines
from kernels.strings import holds, stripped
from kernels.texts import Texts
from kernels.words import Words

COLUMNS = (
    "uppercase_lines",
    "digit_lines",
    "counter_lines",
    "one_word_lines",
    "boilerplate_lines",
    "removed_word_ratio",
)
_UPPER, _DIGITS, _COUNTER, _ONE_WORD, _BOILERPLATE, _REMOVED = range(len(COLUMNS))
# Longer lines with such words in them are sentences.
_BOILERPLATE_WORDS = 10
_NEW_LINE, _COMMA, _STOP, _UNDERSCORE, _SPACE = b"\n,._ "
_THOUSANDS = np.array([chr(byte) in "KkMmBb" for byte in range(256)])


def clean(texts: Texts, max_uppercase_ratio: float) -> tuple[NDArray[np.float64], Texts]:
    """A row of COLUMNS for each text, and the texts of the lines that are kept. Blank lines are kept.

    uppercase_lines: more than `max_uppercase_ratio` of their code points that are no white space are upper-case.
    digit_lines: nothing but digits beside white space. counter_lines: a number and what is counted on social media
    ("3 likes", "1.2K views"), with no letter or digit besides. one_word_lines. boilerplate_lines: of at most ten words,
    that start with "Sign-in", end with "Read more..." or hold "items in cart". A line counts under the first of these.
    removed_word_ratio: the words in these lines to all words, 0 without words.
    """
    counts = np.zeros((len(texts), len(COLUMNS)))
    out = np.empty(int(texts.offsets[-1] - texts.offsets[0]), np.uint8)
    ends = np.zeros(len(texts) + 1, np.int64)
    _clean(texts.data, characters(), texts.words, texts.lines, max_uppercase_ratio, counts, out, ends)
    return counts, texts.rewritten(out[: ends[-1]], ends)


@kernel
def _clean(
    data: NDArray[np.uint8],
    characters: Characters,
    words: Words,
    lines: Lines,
    max_uppercase_ratio: float,
    counts: NDArray[np.float64],
    out: NDArray[np.uint8],
    ends: NDArray[np.int64],
) -> None:
    size = 0
    for text in range(len(counts)):
        row, kept = counts[text], False
        word, all_words = words.first[text], words.first[text + 1] - words.first[text]
        for line in range(lines.first[text], lines.first[text + 1]):
            start, end = lines.start[line], lines.start[line] + lines.size[line]
            first = word
            while word < words.first[text + 1] and words.start[word] < end:
                word += 1
            fault = _fault(data, start, end, word - first, max_uppercase_ratio, characters)
            if fault >= 0:
                row[fault] += 1
                row[_REMOVED] += word - first
                continue
            if kept:
                out[size] = _NEW_LINE
                size += 1
            kept = True
            for i in range(start, end):
                out[size] = data[i]
                size += 1
        row[_REMOVED] /= max(all_words, 1)
        ends[text + 1] = size


@inner
def _fault(
    data: NDArray[np.uint8],
    start: int,
    end: int,
    words: int,
    max_uppercase_ratio: float,
    characters: Characters,
) -> int:
    """The column of what is wrong with the line, -1 if nothing is."""
    points, upper, digits, i = 0, 0, 0, start
    while i < end:
        point, i = decode(data, i)
        flags = flags_of(point, characters)
        points += flags & SPACE == 0
        upper += flags & UPPER != 0
        digits += flags & DIGIT != 0
    if points == 0:
        return -1
    if upper > max_uppercase_ratio * points:
        return _UPPER
    if digits == points:
        return _DIGITS
    if digits and _is_counter(data, start, end, characters):
        return _COUNTER
    if words == 1:
        return _ONE_WORD
    return _BOILERPLATE if words <= _BOILERPLATE_WORDS and _is_boilerplate(data, start, end, characters) else -1


@inner
def _is_counter(data: NDArray[np.uint8], start: int, end: int, characters: Characters) -> bool:
    i = _next_word(data, start, end, characters)
    if i == end or not flags_of(decode(data, i)[0], characters) & DIGIT:
        return False
    while i < end and (data[i] == _COMMA or data[i] == _STOP or flags_of(decode(data, i)[0], characters) & DIGIT):
        i = decode(data, i)[1]
    if i < end and _THOUSANDS[data[i]]:
        i += 1
    gap = i
    while i < end and flags_of(decode(data, i)[0], characters) & SPACE:
        i = decode(data, i)[1]
    if i == gap:
        return False
    after = i + _counted(data, i, end)
    return after > i and _next_word(data, after, end, characters) == end


@inner
def _next_word(data: NDArray[np.uint8], i: int, end: int, characters: Characters) -> int:
    """Where the next letter, digit or underscore is."""
    while i < end:
        point, after = decode(data, i)
        if point == _UNDERSCORE or flags_of(point, characters) & WORD:
            return i
        i = after
    return end


@inner
def _counted(data: NDArray[np.uint8], i: int, end: int) -> int:
    """The length of the thing that is counted here, 0 if it is none of those."""
    for thing in (
        b"likes     ",
        b"shares    ",
        b"comments  ",
        b"retweets  ",
        b"reposts   ",
        b"quotes    ",
        b"bookmarks ",
        b"upvotes   ",
        b"downvotes ",
        b"downloads ",
        b"views     ",
        b"followers ",
    ):
        size = 0
        while thing[size] != _SPACE and i + size < end and data[i + size] == thing[size]:
            size += 1
        if thing[size] == _SPACE:
            return size
    return 0


@inner
def _is_boilerplate(data: NDArray[np.uint8], start: int, end: int, characters: Characters) -> bool:
    start, end = stripped(data, start, end, characters)
    if holds(data, start, end, b"Sign-in") or holds(data, max(start, end - 12), end, b"Read more..."):
        return True
    for i in range(start, end - 12):
        if holds(data, i, end, b"items in cart"):
            return True
    return False
