r"""The pieces of texts that byte-level BPE merges inside, each looked up among those seen before.

In come the UTF-8 bytes of a batch and a table of pieces with their numbers; out comes the number of every piece, and
which of them the table did not have. What stays true: a piece is found by its bytes and never by a hash alone, and time
grows with the bytes, whatever they are.

Pieces are cut as by GPT-2's pattern (Radford et al. 2019), of which an alternative that comes first wins:

    '(?:[sdmt]|ll|ve|re) | ?\p{L}+ | ?\p{N}+ | ?[^\s\p{L}\p{N}]+ |\s+(?!\S) |\s+

or, with single digits, `\p{N}` in place of ` ?\p{N}+` and `\s+(?![^\s\p{N}])` in place of `\s+(?!\S)`. So a space goes
with what follows, save a digit that stands alone; of more white space all but the last character is a piece; and
before what a space does not go with, or the end of the text, the last one stays with the others.

Functions that kernels call for every piece have no loop: numba would count references to their arrays each time, which
takes longer than all else.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.characters import LETTER, NUMBER, SPACE, UNASSIGNED, Characters, characters, decode, flags_of
from kernels.compiled import inner, kernel
from kernels.hashing import BASE, ONE, Hash, hash_bytes

# Longer pieces are rare and not looked up: each time, they are new.
LONGEST = 1024
# Words of a slot of the table: two of the key, and the number. See `_key`. None has a second word of 0.
WIDTH = 3

_NOTHING, _2, _8, _16, _32, _56 = Hash(0), Hash(2), Hash(8), Hash(16), Hash(32), Hash(56)
_3, _4, _5, _6, _7 = Hash(3), Hash(4), Hash(5), Hash(6), Hash(7)
_24, _40, _48 = Hash(24), Hash(40), Hash(48)
_WIDTH = Hash(WIDTH)
_LONG, _LONGEST = _16 << _56, Hash(LONGEST)
_LOWER = (ONE << _32) - ONE
_NOT_ASCII = np.uint16(0xFFFF)
_BLANK, _APOSTROPHE = 0x20, 0x27


class Kinds(NamedTuple):
    """Of what kind a character is: LETTER, NUMBER, SPACE, UNASSIGNED or else 0; `byte` has it for ASCII."""

    byte: NDArray[np.uint16]
    characters: Characters


@cache
def kinds() -> Kinds:
    """The tables, made once a process."""
    known = characters()
    flags = known.flags & np.uint16(LETTER | NUMBER | SPACE | UNASSIGNED)
    # Python alone takes these four for white space; they are ASCII, and so at their own places.
    flags[0x1C:0x20] = 0
    byte = np.full(256, _NOT_ASCII, np.uint16)
    byte[:128] = flags[:128]
    return Kinds(byte, known._replace(flags=flags))


@kernel
def cut(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    single_digits: bool,
    kinds: Kinds,
    place: tuple[int, int],
    bounds: NDArray[np.int64],
    ends: NDArray[np.int64],
    unknown: NDArray[np.bool_],
) -> tuple[int, int, int]:
    """Cut on from `place`, a text and a byte of it, until `bounds` is full; returns the place and the number of pieces.

    Piece k is `data[bounds[k]:bounds[k + 1]]`. `ends[text]` becomes how many there were when a text ended,
    `unknown[text]` true where it has a character of a newer Unicode than ours, whose kind is not known.
    """
    text, at = place
    i, n, most = Hash(at), _NOTHING, Hash(len(bounds) - 1)
    bounds[0] = at
    while text < len(offsets) - 1:
        end = Hash(offsets[text + 1])
        while i < end:
            if n == most:
                return text, np.int64(i), np.int64(n)
            start = i
            kind, i = _look(data, i, kinds)
            joined = _NOTHING
            if data[start] == _BLANK and i < end:
                following, after = _look(data, i, kinds)
                if following != SPACE and not (single_digits and following == NUMBER):
                    kind, i = following, after
            elif data[start] == _APOSTROPHE:
                joined = _contraction(data, i, end)
            if kind == UNASSIGNED:
                unknown[text] = True
            if joined > _NOTHING:
                i += joined
            elif not (single_digits and kind == NUMBER):
                before, following, after = start, kind, i
                while i < end:
                    following, after = _look(data, i, kinds)
                    if following != kind:
                        break
                    before, i = i, after
                if kind == SPACE and i < end and before > start and not (single_digits and following == NUMBER):
                    i = before
            n += ONE
            bounds[n] = i
        ends[text] = n
        text += 1
    return text, np.int64(i), np.int64(n)


@inner
def _look(data: NDArray[np.uint8], i: Hash, kinds: Kinds) -> tuple[int, Hash]:
    """The kind of the character at byte `i`, and where the next one starts."""
    if data[i] < 0x80:
        return np.int64(kinds.byte[data[i]]), i + ONE
    point, after = decode(data, np.int64(i))
    return flags_of(point, kinds.characters), Hash(after)


@inner
def _contraction(data: NDArray[np.uint8], i: Hash, end: Hash) -> Hash:
    """How many bytes after an apostrophe go with it: s, d, m, t, ll, ve or re."""
    if i >= end:
        return _NOTHING
    first = data[i]
    if first == 0x73 or first == 0x64 or first == 0x6D or first == 0x74:
        return ONE
    if i + ONE >= end:
        return _NOTHING
    second = data[i + ONE]
    if (first == 0x6C and second == 0x6C) or ((first == 0x76 or first == 0x72) and second == 0x65):
        return _2
    return _NOTHING


@kernel
def look_up(
    data: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    table: NDArray[np.uint64],
    stored: NDArray[np.uint8],
    entries: int,
    used: int,
    found: NDArray[np.uint32],
    new: NDArray[np.int64],
) -> tuple[int, int]:
    """The number of each piece, into `found`; returns how many are numbered and how many bytes of them are stored now.

    The piece that gets number `entries + j` is piece `new[j]`. There must be room for all.
    """
    slots = Hash(len(table)) // _WIDTH
    mask, last = slots - ONE, Hash(len(data))
    known, shelf = Hash(entries), Hash(used)
    for piece in range(Hash(len(bounds) - 1)):
        start = Hash(bounds[piece])
        size = Hash(bounds[piece + ONE]) - start
        if size < _16 and start + _16 <= last:
            first, second = _short_key(data, start, size)
        else:
            first, second = _rare_key(data, start, size)
        slot = _slot(first, second) & mask
        entry = known
        while size <= _LONGEST:
            at = slot * _WIDTH
            there = table[at + ONE]
            if there == _NOTHING:
                table[at], table[at + ONE], table[at + _2] = first, second, known
                if second >= _LONG:
                    table[at + ONE] = second | shelf
                    for k in range(size):
                        stored[shelf + k] = data[start + k]
                    shelf += size
                break
            if table[at] == first and (there == second or _is_stored(stored, there, second, data, start, size)):
                entry = table[at + _2]
                break
            slot = (slot + ONE) & mask
        if entry == known:
            new[known - Hash(entries)] = piece
            known += ONE
        found[piece] = entry
    return np.int64(known), np.int64(shelf)


@inner
def _short_key(data: NDArray[np.uint8], start: Hash, size: Hash) -> tuple[Hash, Hash]:
    """Up to 15 bytes are their own key, with their number in the top byte."""
    first, second = _word(data, start), _NOTHING
    if size < _8:
        first &= (ONE << (size << _3)) - ONE
    else:
        second = _word(data, start + _8) & ((ONE << ((size - _8) << _3)) - ONE)
    return first, second | size << _56


@inner
def _rare_key(data: NDArray[np.uint8], start: Hash, size: Hash) -> tuple[Hash, Hash]:
    """The same at the end of the batch, byte by byte. Of more bytes the key is a hash and their number.

    Once a longer piece is stored, the second word has its place in the lower half.
    """
    if size > _LONGEST:
        return _NOTHING, _LONG
    if size >= _16:
        return hash_bytes(data[start : start + size]), _LONG | size << _32
    first, second = _NOTHING, size << _56
    for k in range(size):
        if k < _8:
            first |= Hash(data[start + k]) << (k << _3)
        else:
            second |= Hash(data[start + k]) << ((k - _8) << _3)
    return first, second


@inner
def _word(data: NDArray[np.uint8], i: Hash) -> Hash:
    """Eight bytes; written out, they are a single load."""
    return (
        Hash(data[i])
        | Hash(data[i + ONE]) << _8
        | Hash(data[i + _2]) << _16
        | Hash(data[i + _3]) << _24
        | Hash(data[i + _4]) << _32
        | Hash(data[i + _5]) << _40
        | Hash(data[i + _6]) << _48
        | Hash(data[i + _7]) << _56
    )


@inner
def _slot(first: Hash, second: Hash) -> Hash:
    """A hash of a key, of which the lower bits count; where a longer piece is stored has no part in it."""
    if second >= _LONG:
        second >>= _32
    state = (first ^ (second * BASE)) * BASE
    return (state ^ (state >> _32)) * BASE >> _32


@inner
def _is_stored(
    stored: NDArray[np.uint8], there: Hash, second: Hash, data: NDArray[np.uint8], start: Hash, size: Hash
) -> bool:
    """Whether a longer piece with the same hash as that in the table is the same."""
    if second < _LONG or there >> _32 != second >> _32:
        return False
    for k in range(size):
        if stored[(there & _LOWER) + k] != data[start + k]:
            return False
    return True


@kernel
def rehash(table: NDArray[np.uint64], larger: NDArray[np.uint64]) -> None:
    """Put all pieces of `table` into an empty one."""
    mask = Hash(len(larger)) // _WIDTH - ONE
    for old in range(_NOTHING, Hash(len(table)), _WIDTH):
        if table[old + ONE] != _NOTHING:
            slot = _slot(table[old], table[old + ONE]) & mask
            while larger[slot * _WIDTH + ONE] != _NOTHING:
                slot = (slot + ONE) & mask
            for k in range(_WIDTH):
                larger[slot * _WIDTH + k] = table[old + k]


@kernel
def copy_ids(
    found: NDArray[np.uint32],
    bounds: NDArray[np.int64],
    ids: NDArray[np.uint32],
    ends: NDArray[np.int64],
    out: NDArray[np.uint32],
    at: int,
) -> int:
    """Write the ids of pieces, `ids[bounds[p]:bounds[p + 1]]` of piece p, from `out[at]` on; returns where they end.

    `ends` are turned from a number of pieces into a place in `out`.
    """
    n, k = Hash(at), _NOTHING
    for text in range(len(ends) + 1):
        end = Hash(ends[text]) if text < len(ends) else Hash(len(found))
        while k < end:
            piece = Hash(found[k])
            for place in range(Hash(bounds[piece]), Hash(bounds[piece + ONE])):
                out[n] = ids[place]
                n += ONE
            k += ONE
        if text < len(ends):
            ends[text] = n
    return np.int64(n)
