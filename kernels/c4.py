"""C4's cleaning of lines: which of them are prose, and the text of those alone (arXiv:1910.10683, section 2.2).

In come a batch of texts; out come a row of counts a text, and the texts rewritten. A line is one of `str.splitlines`,
a word what `str.split` gives.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import DIGIT, SPACE, Characters, characters, decode, flags_of
from kernels.compiled import inner, kernel
from kernels.hashing import ONE, Hash
from kernels.strings import holds, line_end, stripped
from kernels.texts import Texts

COLUMNS = (
    "lines",
    "long_word_lines",
    "unpunctuated_lines",
    "short_lines",
    "lorem_ipsum",
    "javascript_lines",
    "curly_bracket",
    "policy_lines",
    "sentences",
)
_LINES, _LONG, _UNPUNCTUATED, _SHORT, _LOREM, _SCRIPT, _BRACKET, _POLICY, _SENTENCES = range(len(COLUMNS))
_HAS_LOREM, _HAS_SCRIPT, _HAS_BRACKET, _HAS_POLICY = 1, 2, 4, 8
_NEW_LINE, _OPEN, _CLOSE, _BRACE, _LOWER = ord("\n"), ord("["), ord("]"), ord("{"), 0x20
_A, _C, _J, _K, _L, _P, _T, _U, _Z = b"acjklptuz"
_STOPS, _ENDS, _CITED, _EDIT = b"...", b".?!\"'", b"[citation needed]", b"[edit]"
_CLOSERS = np.array([chr(byte) in "\"')]" for byte in range(128)])
_PAIRS = np.zeros((32, 32), np.bool_)
for _first, _second in ("lo", "ja", "te", "pr", "co", "us"):
    _PAIRS[ord(_first) & 31, ord(_second) & 31] = True
_STARTS_BOUNDARY = np.array([chr(byte) in ".!?" for byte in range(256)])
# The one letter outside ASCII that is an ASCII letter in lower case and occurs in what is looked for: the Kelvin sign.
_KELVIN = "\u212a".encode()
_RIGHT_QUOTE, _APOSTROPHE, _GUILLEMET = "”".encode(), "’".encode(), "»".encode()


def clean(
    texts: Texts, terminal_punctuation: bool, min_words_per_line: int, max_word_length: int
) -> tuple[NDArray[np.int64], Texts]:
    """A row of COLUMNS for each text, and the texts of the lines that are kept, without Wikipedia's citation marks.

    long_word_lines, unpunctuated_lines, short_lines, javascript_lines, policy_lines: those dropped for a word of more
    than `max_word_length` code points, for an end other than . ? ! " ' or for "..." (only where
    `terminal_punctuation`), for fewer than `min_words_per_line` words, and for what they speak of; a line counts under
    the first of these. lorem_ipsum, curly_bracket: the number, from 1, of the first line that holds it and was not
    dropped before it came to that, 0 without one. sentences: those in the kept lines.
    """
    counts = np.zeros((len(texts), len(COLUMNS)), np.int64)
    out = np.empty(int(texts.offsets[-1] - texts.offsets[0]), np.uint8)
    ends = np.zeros(len(texts) + 1, np.int64)
    wanted = (terminal_punctuation, min_words_per_line, max_word_length)
    _clean(texts.data, texts.offsets, characters(), *wanted, counts, out, ends)
    return counts, texts.rewritten(out[: ends[-1]], ends)


@kernel
def _clean(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    characters: Characters,
    terminal_punctuation: bool,
    min_words: int,
    max_word_length: int,
    counts: NDArray[np.int64],
    out: NDArray[np.uint8],
    ends: NDArray[np.int64],
) -> None:
    size = 0
    for text in range(len(offsets) - 1):
        row, begin = counts[text], size
        i, end = offsets[text], offsets[text + 1]
        while i < end:
            line, after = line_end(data, i, end, characters)
            row[_LINES] += 1
            start = size if size == begin else size + 1
            stop = _without_citations(data, i, line, characters, out, start)
            if _has_long_word(data, i, line, max_word_length, characters):
                row[_LONG] += 1
            elif terminal_punctuation and not _ends_well(out, start, stop):
                row[_UNPUNCTUATED] += 1
            elif not _has_words(data, i, line, min_words, characters):
                row[_SHORT] += 1
            elif _is_prose(out, start, stop, row):
                row[_SENTENCES] += _sentences(out, start, stop, characters)
                if start > size:
                    out[size] = _NEW_LINE
                size = stop
            i = after
        first, last = stripped(out, begin, size, characters)
        if first > begin:
            for k in range(first, last):
                out[begin + k - first] = out[k]
        size = begin + last - first
        ends[text + 1] = size


@inner
def _without_citations(
    data: NDArray[np.uint8], start: int, end: int, characters: Characters, out: NDArray[np.uint8], to: int
) -> int:
    """Write the stripped line less its citation marks; where it ends.

    Not stripped again: a citation mark after a space leaves the space, and with it a line without an end.
    """
    start, end = stripped(data, start, end, characters)
    i, last, size = Hash(start), Hash(end), Hash(to)
    while i < last:
        if data[i] == _OPEN:
            after = _after_citation(data, np.int64(i), end, characters)
            if after:
                i = Hash(after)
                continue
        out[size] = data[i]
        size, i = size + ONE, i + ONE
    return np.int64(size)


@inner
def _after_citation(data: NDArray[np.uint8], i: int, end: int, characters: Characters) -> int:
    """Where the citation mark at `i` ends, 0 if there is none."""
    if holds(data, i, end, _EDIT):
        return i + len(_EDIT)
    if holds(data, i, end, _CITED):
        return i + len(_CITED)
    i += 1
    while i < end and data[i] != _CLOSE:
        point, after = decode(data, i)
        if not flags_of(point, characters) & DIGIT:
            return 0
        i = after
    return i + 1 if i < end else 0


@inner
def _has_words(data: NDArray[np.uint8], start: int, end: int, wanted: int, characters: Characters) -> bool:
    i, words, inside = start, 0, False
    while i < end and words < wanted:
        point, i = decode(data, i)
        space = flags_of(point, characters) & SPACE != 0
        words += not space and not inside
        inside = not space
    return words >= wanted


@inner
def _has_long_word(data: NDArray[np.uint8], start: int, end: int, most: int, characters: Characters) -> bool:
    if end - start <= most:
        return False
    i, length = start, 0
    while i < end and length <= most:
        point, i = decode(data, i)
        length = 0 if flags_of(point, characters) & SPACE else length + 1
    return length > most


@inner
def _ends_well(data: NDArray[np.uint8], start: int, end: int) -> bool:
    if end == start or holds(data, max(start, end - 3), end, _STOPS):
        return False
    for byte in _ENDS:
        if data[end - 1] == byte:
            return True
    return False


@inner
def _is_prose(data: NDArray[np.uint8], start: int, end: int, row: NDArray[np.int64]) -> bool:
    """Whether the line is kept for what it speaks of; notes in `row` if not, and where the page's own faults are."""
    found = _mentions(data, start, end)
    if found & _HAS_LOREM and not row[_LOREM]:
        row[_LOREM] = row[_LINES]
    if found & _HAS_SCRIPT:
        row[_SCRIPT] += 1
        return False
    if found & _HAS_BRACKET and not row[_BRACKET]:
        row[_BRACKET] = row[_LINES]
    if found & _HAS_POLICY:
        row[_POLICY] += 1
        return False
    return True


@inner
def _mentions(data: NDArray[np.uint8], start: int, end: int) -> int:
    found, first, i = 0, np.uint8(0), start - 2
    for second in data[start:end]:
        # A pair of letters is looked at when its second one comes: `i` is where the first one is.
        letter, first = first | _LOWER, second
        if second == _BRACE:
            found |= _HAS_BRACKET
        i += 1
        if not _PAIRS[letter & 31, second & 31]:
            continue
        if letter == _L:
            found |= _HAS_LOREM * _says(data, i, end, b"lorem ipsum")
        elif letter == _J:
            found |= _HAS_SCRIPT * _says(data, i, end, b"javascript")
        elif letter == _T:
            found |= _HAS_POLICY * _says(data, i, end, b"terms of use")
        elif letter == _P:
            found |= _HAS_POLICY * _says(data, i, end, b"privacy policy")
        elif letter == _C:
            found |= _HAS_POLICY * _says(data, i, end, b"cookie policy")
        elif letter == _U and _says(data, i, end, b"use"):
            of = _says(data, i, end, b"uses cookies") or _says(data, i, end, b"use of cookies")
            found |= _HAS_POLICY * (of or _says(data, i, end, b"use cookies"))
    return found


@inner
def _says(data: NDArray[np.uint8], i: int, end: int, phrase: bytes) -> bool:
    """Whether `phrase`, in lower case, is what `data` has at `i` in any case."""
    for k in range(len(phrase)):
        if i >= end:
            return False
        wanted = phrase[k]
        if data[i] == wanted or (_A <= wanted <= _Z and data[i] | _LOWER == wanted):
            i += 1
        elif wanted == _K and holds(data, i, end, _KELVIN):
            i += len(_KELVIN)
        else:
            return False
    return True


@inner
def _sentences(data: NDArray[np.uint8], start: int, end: int, characters: Characters) -> int:
    """The sentences in one line: at least one, and one more at every boundary inside it.

    A boundary is one of . ! ? with any closing quotes and brackets after it, and then white space: what an abbreviation
    costs ("e.g. this" counts two) is the price of a rule that needs no model and one pass.
    """
    start, end = stripped(data, start, end, characters)
    count, place = 1, start
    for byte in data[start:end]:
        place += 1
        if _STARTS_BOUNDARY[byte]:
            i = place
            while i < end and _closes(data, i, end):
                i += 1 if data[i] < 0x80 else (2 if data[i] < 0xE0 else 3)
            if i < end:
                point, _ = decode(data, i)
                count += flags_of(point, characters) & SPACE
    return count


@inner
def _closes(data: NDArray[np.uint8], i: int, end: int) -> bool:
    byte = data[i]
    if byte < 0x80:
        return _CLOSERS[byte]
    return holds(data, i, end, _RIGHT_QUOTE) or holds(data, i, end, _APOSTROPHE) or holds(data, i, end, _GUILLEMET)
