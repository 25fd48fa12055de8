"""The first text that a web page shows, without parsing it: enough to tell its language by, at a fraction of the cost.

What goes in: any bytes at all, by themselves the UTF-8 of a page. What comes out: its text with white space collapsed
and entities as they were written. Tags count as a space; comments, scripts, styles and <noscript> are left out, and
so are links and choices, because menus are often in another language than the page. What stays true: the time is
linear in the bytes that are looked at, which end where the output is full.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner, kernel

SKIPPED = ("script", "style", "noscript", "a", "select")

# One row for each name, ended by a 0; numba takes both as constants.
_NAMES = np.zeros((len(SKIPPED), 1 + max(map(len, SKIPPED))), np.uint8)
for _row, _name in enumerate(SKIPPED):
    _NAMES[_row, : len(_name)] = np.frombuffer(_name.encode(), np.uint8)

_A, _Z = b"az"
_SPACE, _BANG, _DOUBLE, _SINGLE, _DASH, _SLASH, _LESS, _EQUALS, _MORE, _QUESTION = b" !\"'-/<=>?"
# Upper and lower case of an ASCII letter differ in this bit.
_CASE = 32


@kernel
def visible_text(page: NDArray[np.uint8], out: NDArray[np.uint8]) -> int:
    """Fill `out` (n bytes, at least 1) from the start of `page`; returns how many of them are text.

    The last character is cut where `out` ends. As in a browser, a comment, a tag or a skipped element that is never
    closed goes on to the end of the page, and a "<" before anything but a letter, "/", "!" and "?" is text.
    """
    at, size = 0, 0
    after_space = True
    while at < len(page) and size < len(out):
        byte = page[at]
        follows = page[at + 1] if at + 1 < len(page) else _SPACE
        if byte == _LESS and follows in (_BANG, _QUESTION):
            at = _after_comment(page, at)
        elif byte == _LESS and (follows == _SLASH or _A <= follows | _CASE <= _Z):
            name = _skipped(page, at + 1)
            at = _after_tag(page, at)
            if name >= 0:
                at = _closing(page, at, name)
        elif byte <= _SPACE:
            at += 1
        else:
            out[size] = byte
            after_space = False
            at += 1
            size += 1
            continue
        if not after_space:
            out[size] = _SPACE
            after_space = True
            size += 1
    return size


@inner
def _after_comment(page: NDArray[np.uint8], at: int) -> int:
    """Where the comment or declaration at `at` is over."""
    if at + 3 < len(page) and page[at + 2] == _DASH and page[at + 3] == _DASH:
        at += 4
        while at < len(page) and not (page[at] == _MORE and page[at - 1] == _DASH and page[at - 2] == _DASH):
            at += 1
    else:
        while at < len(page) and page[at] != _MORE:
            at += 1
    return at + 1


@inner
def _after_tag(page: NDArray[np.uint8], at: int) -> int:
    """Where the tag at `at` is over; a ">" in a quoted value does not end it."""
    quote = 0
    while at < len(page):
        byte = page[at]
        if quote:
            if byte == quote:
                quote = 0
        elif byte == _MORE:
            break
        elif byte in (_DOUBLE, _SINGLE) and page[at - 1] == _EQUALS:
            quote = byte
        at += 1
    return at + 1


@inner
def _skipped(page: NDArray[np.uint8], at: int) -> int:
    """Which of the skipped elements is named at `at`, or -1."""
    for name in range(len(_NAMES)):
        if _is_named(page, at, name):
            return name
    return -1


@inner
def _is_named(page: NDArray[np.uint8], at: int, name: int) -> bool:
    length = 0
    while _NAMES[name, length]:
        if at + length >= len(page) or page[at + length] | _CASE != _NAMES[name, length]:
            return False
        length += 1
    at += length
    return at >= len(page) or page[at] <= _SPACE or page[at] == _MORE or page[at] == _SLASH


@inner
def _closing(page: NDArray[np.uint8], at: int, name: int) -> int:
    """Where the next closing tag of this name starts, from `at` on."""
    while at < len(page):
        if page[at] == _LESS and at + 1 < len(page) and page[at + 1] == _SLASH and _is_named(page, at + 2, name):
            break
        at += 1
    return at
