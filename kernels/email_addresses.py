"""E-mail addresses in UTF-8 text: where the name before an "@" starts, and where the host after it ends.

Letters are Latin, Greek or Cyrillic ones: in scripts without spaces the text around an address would be a part of it.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import LETTER, Characters, decode, flags_of
from kernels.compiled import inner
from kernels.strings import holds

_DOT, _HYPHEN, _UNDERSCORE = b".-_"
_DIGITS = np.array([chr(byte) in "0123456789" for byte in range(256)])
_LETTERS = np.array([byte < 128 and chr(byte).isalpha() for byte in range(256)])
_IN_NAME = np.array([chr(byte) in "._%+-'" for byte in range(256)])
_LAST_EUROPEAN = 0x52F


@inner
def _european(data: NDArray[np.uint8], i: int, characters: Characters) -> int:
    """The bytes of the Latin, Greek or Cyrillic letter or the ASCII digit at `i`, 0 where there is none."""
    byte = data[i]
    if byte < 0x80:
        return 1 if _DIGITS[byte] or _LETTERS[byte] else 0
    point, after = decode(data, i)
    return after - i if point <= _LAST_EUROPEAN and flags_of(point, characters) & LETTER else 0


@inner
def start_of(data: NDArray[np.uint8], floor: int, i: int) -> int:
    """Where the character that ends before `i` starts, not below `floor`."""
    i -= 1
    while i > floor and data[i] & 0xC0 == 0x80:
        i -= 1
    return i


@inner
def name_start(data: NDArray[np.uint8], floor: int, at: int, characters: Characters) -> int:
    """Where the name before an "@" starts; `at` where there is none. It starts with a letter, a digit or "_"."""
    first, i = at, at
    while i > floor:
        before = start_of(data, floor, i)
        if _european(data, before, characters) or data[before] == _UNDERSCORE:
            first = before
        elif not _IN_NAME[data[before]] or (data[before] == _DOT and (i == at or data[i] == _DOT)):
            break
        i = before
    return first


@inner
def host_end(data: NDArray[np.uint8], i: int, end: int, characters: Characters) -> int:
    """Where the host name at `i` ends, 0 where there is none: at least two labels, the last one of letters.

    A hyphen may follow it, and then what it is joined to.
    """
    found, labels = 0, 0
    while i < end:
        start, stop, letters = i, i, i
        while i < end:
            size = _european(data, i, characters)
            if size == 0 and (data[i] != _HYPHEN or i == start):
                break
            if size and not _DIGITS[data[i]] and letters == i:
                letters = i + size
            i += max(size, 1)
            if size:
                stop = i
        if stop == start:
            break
        labels += 1
        if holds(data, start, stop, b"xn--"):
            letters = stop
        ends = letters == stop or data[letters] == _HYPHEN
        if labels > 1 and letters - start > 1 and ends and not _is_image(data, start, letters):
            found = letters
        # A label ends before the hyphens that nothing follows.
        if i >= end or data[i] != _DOT or stop < i:
            break
        i += 1
    return found


@inner
def _is_image(data: NDArray[np.uint8], start: int, end: int) -> bool:
    """Whether it is the end of a file's name, as in "icon@2x.png"."""
    for name in (b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp"):
        if end - start == len(name) and holds(data, start, end, name):
            return True
    return False
