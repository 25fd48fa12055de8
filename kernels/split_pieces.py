r"""The pieces into which the patterns of Llama 3, Qwen, GPT-4 and GPT-4o cut texts: `mixtures/byte_level.py` has them.

In come the UTF-8 bytes of a batch, out come the bounds of pieces, as from `kernels/pieces.py`. What stays true: the
first alternative that matches wins, as a regular expression has it, and time grows with the bytes, whatever they are.

The alternatives, in order: an apostrophe's suffix (GPT-4o: at the end of words instead); a word, with one character
before it that is no new line, letter or number; up to three numbers (Qwen: one); punctuation, with a space before and
new lines after it (GPT-4o: slashes too); white space to the end of a text (GPT-4 alone); white space to its last new
line; white space but for the last character before what follows; white space.
"""

import sys
import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.characters import decode
from kernels.compiled import inner, kernel
from kernels.hashing import ONE, Hash

LETTER, NUMBER, SPACE, UNASSIGNED = 1, 2, 4, 8
# What the first and the second part of GPT-4o's words are made of: letters without case and marks are in both.
UPPER, LOWER = 16, 32
_CASES = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER} | dict.fromkeys(("Lm", "Lo", "Mn", "Mc", "Me"), UPPER | LOWER)
_CODE_POINTS = sys.maxunicode + 1

_NONE, _TWO, _THREE = Hash(0), Hash(2), Hash(3)
_BLANK, _APOSTROPHE, _SLASH, _NEW_LINE, _RETURN = 0x20, 0x27, 0x2F, 0x0A, 0x0D


class Form(NamedTuple):
    """What patterns differ in: numbers a piece, GPT-4o's words by case, GPT-4's white space at the end of a text."""

    numbers: int
    cased: bool
    space_at_end: bool


@cache
def kinds() -> NDArray[np.uint8]:
    """uint8, flags by code point; made once a process in some tens of milliseconds."""
    category = np.array([unicodedata.category(chr(point)) for point in range(_CODE_POINTS)])
    major = category.astype("U1")
    flags = LETTER * (major == "L") | NUMBER * (major == "N") | UNASSIGNED * (category == "Cn")
    for name, cases in _CASES.items():
        flags |= cases * (category == name)
    # White_Space: Python alone takes the four before U+0020 for it.
    spaces = [point for point in range(0x3001) if chr(point).isspace() and point not in range(0x1C, 0x20)]
    flags[spaces] = SPACE
    return flags.astype(np.uint8)


@kernel
def cut(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    form: Form,
    kinds: NDArray[np.uint8],
    place: tuple[int, int],
    bounds: NDArray[np.int64],
    ends: NDArray[np.int64],
    unknown: NDArray[np.bool_],
) -> tuple[int, int, int]:
    """Cut on from `place`, as `pieces.cut` does; the arguments are the same but for the form and kinds."""
    text, at = place
    i, n, most = Hash(at), _NONE, Hash(len(bounds) - 1)
    bounds[0] = at
    while text < len(offsets) - 1:
        end = Hash(offsets[text + 1])
        while i < end:
            if n == most:
                return text, np.int64(i), np.int64(n)
            kind, after = _look(data, i, kinds)
            following, _ = _look(data, after, kinds) if after < end else (0, after)
            if (kind | following) & UNASSIGNED:
                unknown[text] = True
            suffix = _suffix(data, i, end) if data[i] == _APOSTROPHE and not form.cased else _NONE
            word = LETTER | UPPER | LOWER if form.cased else LETTER
            line = data[i] == _NEW_LINE or data[i] == _RETURN
            if suffix > _NONE:
                i += suffix
            elif kind & NUMBER:
                i = _numbers(data, after, end, form.numbers, kinds)
            elif following & word and not kind & LETTER and not line:
                i = _word(data, i, after, end, form.cased, kinds)
            elif kind & word:
                i = _word(data, i, i, end, form.cased, kinds)
            elif not kind & SPACE or (data[i] == _BLANK and after < end and not following & (SPACE | NUMBER | LETTER)):
                i = _punctuation(data, after, end, form.cased, kinds)
            else:
                i = _space(data, i, end, form.space_at_end, kinds)
            n += ONE
            bounds[n] = i
        ends[text] = n
        text += 1
    return text, np.int64(i), np.int64(n)


@inner
def _look(data: NDArray[np.uint8], i: Hash, kinds: NDArray[np.uint8]) -> tuple[int, Hash]:
    """The kind of the character at byte `i`, and where the next one starts."""
    if data[i] < 0x80:
        return np.int64(kinds[data[i]]), i + ONE
    point, after = decode(data, np.int64(i))
    return np.int64(kinds[np.uint64(point)]), Hash(after)


@inner
def _numbers(data: NDArray[np.uint8], i: Hash, end: Hash, most: int, kinds: NDArray[np.uint8]) -> Hash:
    """The end of a run of numbers, of which one ends at `i`."""
    count = 1
    while i < end and count < most:
        kind, after = _look(data, i, kinds)
        if not kind & NUMBER:
            break
        i, count = after, count + 1
    return i


@inner
def _word(data: NDArray[np.uint8], start: Hash, first: Hash, end: Hash, cased: bool, kinds: NDArray[np.uint8]) -> Hash:
    """The end of a word whose first letter is at `first`, with at most one character before it, at `start`."""
    i, kind, after = first, 0, first
    wanted = UPPER if cased else LETTER
    last_lower = _NONE
    while i < end:
        kind, after = _look(data, i, kinds)
        if not kind & wanted:
            break
        i = after
        if kind & LOWER:
            last_lower = i
    if not cased:
        return i
    upper_end = i
    while i < end:
        kind, after = _look(data, i, kinds)
        if not kind & LOWER:
            break
        i = after
    if i == upper_end and last_lower > _NONE:
        # The second part has to have one: the first gives back what is in both.
        i = last_lower
    elif i == upper_end and first > start:
        # Without the character before it, if that is a mark, there is a word of both parts.
        kind, after = _look(data, start, kinds)
        if kind & LOWER:
            i = after
    if i < end and data[i] == _APOSTROPHE:
        i += _suffix(data, i, end)
    return i


@inner
def _suffix(data: NDArray[np.uint8], i: Hash, end: Hash) -> Hash:
    """How many bytes an apostrophe at `i` and s, t, m, d, re, ve or ll after it have, in any case; 0 without these."""
    if i + ONE >= end:
        return _NONE
    first = data[i + ONE] | 0x20
    if first == 0x73 or first == 0x74 or first == 0x6D or first == 0x64:
        return _TWO
    if i + _TWO >= end:
        return _NONE
    second = data[i + _TWO] | 0x20
    if ((first == 0x72 or first == 0x76) and second == 0x65) or (first == 0x6C and second == 0x6C):
        return _THREE
    # The long s, U+017F, is an s without case.
    if data[i + ONE] == 0xC5 and data[i + _TWO] == 0xBF:
        return _THREE
    return _NONE


@inner
def _punctuation(data: NDArray[np.uint8], i: Hash, end: Hash, slashes: bool, kinds: NDArray[np.uint8]) -> Hash:
    while i < end:
        kind, after = _look(data, i, kinds)
        # What is not assigned is noted where a piece starts.
        if kind & (SPACE | NUMBER | LETTER | UNASSIGNED):
            break
        i = after
    while i < end and (data[i] == _NEW_LINE or data[i] == _RETURN or (slashes and data[i] == _SLASH)):
        i += ONE
    return i


@inner
def _space(data: NDArray[np.uint8], start: Hash, end: Hash, at_end: bool, kinds: NDArray[np.uint8]) -> Hash:
    i, last, line_end = start, start, _NONE
    while i < end:
        kind, after = _look(data, i, kinds)
        if not kind & SPACE:
            break
        if data[i] == _NEW_LINE or data[i] == _RETURN:
            line_end = after
        last, i = i, after
    if at_end and i == end:
        return end
    if line_end > _NONE:
        return line_end
    return i if i == end or last == start else last
