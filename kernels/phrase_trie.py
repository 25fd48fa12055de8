"""Phrases as a trie over code points, in which a kernel follows a text one character at a time.

In come phrases, out comes what `kernels.phrases` looks them up in. What stays true: who has followed a text to a
phrase's end has seen every character of it, without case.
"""

import string
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.characters import MARK, WORD, fold
from kernels.compiled import inner, kernel
from kernels.hashing import Hash, slot_of, table_bits

ROOT = 1
BLANK = ord(" ")
_FORMS = ("NFC", "NFD")
# ASCII characters: the digits, each letter without case, white space, all others.
_CLASSES, _BLANK_CLASS, _OTHER_CLASS = 32, 27, 28
_CLASS = np.full(128, _OTHER_CLASS, np.uint8)
_CLASS[[ord(digit) for digit in string.digits]] = 0
_CLASS[[point for point in range(128) if chr(point).isspace()]] = _BLANK_CLASS
for _place, _letter in enumerate(string.ascii_lowercase, start=1):
    _CLASS[[ord(_letter), ord(_letter.upper())]] = _place
_POINT_BITS, _NONE = Hash(21), Hash(0)


class Phrases(NamedTuple):
    """A trie over code points without case: node `from` goes on with a code point to the node `to[slot]`, where `keys`,
    a table of 2**bits places, has `from << 21 | point` at that slot; 0 is an empty place, and node 1 where all start.

    `ends[node]` is the number of the phrase that ends there, -1 if none does. So as not to look for most: `starts` has
    the ASCII characters that a phrase starts with, `heads` what `_heads` says.
    """

    bits: int
    keys: NDArray[np.uint64]
    to: NDArray[np.int32]
    ends: NDArray[np.int32]
    starts: NDArray[np.bool_]
    heads: NDArray[np.bool_]


def of(phrases: Sequence[str]) -> Phrases:
    """To look for `phrases`; equal ones have the number of the first.

    Each is looked for as it is composed (NFC) and as it is decomposed (NFD), since pages have either. All must be ones
    that `can_be_found`.
    """
    children: dict[tuple[int, str], int] = {}
    ends = {ROOT: -1}
    for number, phrase in enumerate(phrases):
        for form in _FORMS:
            node = ROOT
            for character in _normal(phrase, form):
                node = children.setdefault((node, character), len(children) + ROOT + 1)
                ends.setdefault(node, -1)
            assert node != ROOT, phrase
            if ends[node] == -1:
                ends[node] = number
    bits = int(table_bits(len(children)))
    found = Phrases(
        bits,
        np.zeros(1 << bits, np.uint64),
        np.zeros(1 << bits, np.int32),
        np.array([-1, *(ends[node] for node in range(ROOT, ROOT + len(ends)))], np.int32),
        np.array([(ROOT, fold(chr(point))) in children for point in range(128)]),
        _heads([_normal(phrase, form) for phrase in phrases for form in _FORMS]),
    )
    keys = np.array([node << int(_POINT_BITS) | ord(character) for node, character in children], np.uint64)
    _fill(keys, np.array(list(children.values()), np.int32), found)
    return found


def can_be_found(phrase: str) -> bool:
    """Whether it has a character that counts."""
    return bool(_normal(phrase, "NFC"))


def _normal(phrase: str, form: str) -> str:
    """As the kernel sees a text: one space for white space, no case, without what counts for nothing."""
    kept = (character for character in unicodedata.normalize(form, phrase) if _counts(character))
    return "".join(map(fold, " ".join("".join(kept).split())))


def _counts(character: str) -> bool:
    """Not `is_nothing`. A zero-width space parts words, which is something."""
    selects = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return not selects and (unicodedata.category(character) != "Cf" or character == "\u200b")


def _heads(phrases: Sequence[str]) -> NDArray[np.bool_]:
    """Which three classes of ASCII characters may be the first of a phrase with what follows it."""
    heads = np.zeros((_CLASSES, _CLASSES, _CLASSES), np.bool_)
    for phrase in phrases:
        head = phrase[:3]
        if not head.isascii():
            continue
        classes = [int(_CLASS[ord(character)]) for character in head]
        if " " in head:
            # Any more white space may follow.
            heads[tuple(classes[: head.index(" ") + 1])] = True
        elif len(head) == 3:
            heads[tuple(classes)] = True
        else:
            # What follows is no letter and no digit.
            heads[tuple(classes)][_BLANK_CLASS:] = True
    return heads.reshape(-1)


@kernel
def _fill(keys: NDArray[np.uint64], to: NDArray[np.int32], phrases: Phrases) -> None:
    for k in range(len(keys)):
        slot = slot_of(keys[k], phrases.bits)
        while phrases.keys[slot] != _NONE:
            slot = (slot + 1) & (len(phrases.keys) - 1)
        phrases.keys[slot] = keys[k]
        phrases.to[slot] = to[k]


@inner
def step(node: int, point: int, phrases: Phrases) -> int:
    """The node that follows `node` with a code point, 0 if none does."""
    key = Hash(node) << _POINT_BITS | Hash(point)
    slot = slot_of(key, phrases.bits)
    while phrases.keys[slot] != key:
        if phrases.keys[slot] == _NONE:
            return 0
        slot = (slot + 1) & (len(phrases.keys) - 1)
    return np.int64(phrases.to[slot])


@inner
def may_start(data: NDArray[np.uint8], i: int, end: int, phrases: Phrases) -> bool:
    """Whether a phrase may, for all that a table of the first three characters has; most cannot."""
    if i + 3 > end:
        return True
    first, second, third = data[i], data[i + 1], data[i + 2]
    if (first | second | third) >= 0x80:
        return True
    return phrases.heads[(np.int64(_CLASS[first]) << 10) | (np.int64(_CLASS[second]) << 5) | np.int64(_CLASS[third])]


@inner
def is_nothing(point: int, flags: int) -> bool:
    """Format characters are marks that are in no word."""
    return flags & (MARK | WORD) == MARK or 0xFE00 <= point < 0xFE10 or 0xE0100 <= point < 0xE01F0
