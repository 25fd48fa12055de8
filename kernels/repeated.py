"""Repeated units: found among the counts of many files, and taken out of the texts they are in.

In come hashes of units, out come marks, and texts rewritten. What stays true: which units go depends on the hashes and
their order and on nothing else.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import Characters, characters
from kernels.compiled import inner, kernel
from kernels.hashing import EMPTY, ONE, Hash, empty, slot_of, table_bits
from kernels.lines import Units
from kernels.strings import stripped
from kernels.texts import Texts

ONCE, REPEATED, FIRST = 0, 1, 2
_NEW_LINE = 10
# The table of so many rows stays in a core's own cache, and so do the rows.
_PART_ROWS = 1 << 14
# Of so many rows a file, going from file to file is the smaller part of the work.
_PART_ROWS_OF_FILE = 4


def mark(rows: NDArray[np.uint64], starts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """What each of the (n, 2) `rows`, a hash and how often a file has it, is among all of them.

    The rows of file f are `starts[f]` to `starts[f + 1]`, at least one in all, sorted by their hashes, which are
    different ones. ONCE: nobody has it again. FIRST: it is repeated, by later files or in this one. REPEATED: an
    earlier file has it.
    """
    verdicts = np.zeros(len(rows), np.uint8)
    _mark(rows, starts, verdicts)
    return verdicts


@kernel
def _mark(rows: NDArray[np.uint64], starts: NDArray[np.int64], verdicts: NDArray[np.uint8]) -> None:
    """One range of hashes after the other, each in all files: whatever the rows, few are looked at together."""
    files = len(starts) - 1
    low, high = _bounds(rows, starts)
    parts = max(len(rows) // max(_PART_ROWS, _PART_ROWS_OF_FILE * files), 1)
    width = (high - low) // Hash(parts)
    begin, end = starts[:files].copy(), np.empty(files, np.int64)
    table = np.empty(1 << table_bits(_PART_ROWS), np.int64)
    while True:
        last = low + min(width, high - low)
        there = 0
        for file in range(files):
            row = begin[file]
            while row < starts[file + 1] and rows[row, 0] <= last:
                row += 1
            end[file] = row
            there += row - begin[file]
        bits = table_bits(there)
        if len(table) < 1 << bits:
            table = np.empty(1 << bits, np.int64)
        empty(table, bits)
        for file in range(files):
            for row in range(begin[file], end[file]):
                _meet(rows, row, table, bits, verdicts)
        if last == high:
            break
        low = last + ONE
        begin, end = end, begin


@inner
def _bounds(rows: NDArray[np.uint64], starts: NDArray[np.int64]) -> tuple[Hash, Hash]:
    """The smallest and the largest hash."""
    low, high = rows[0, 0], rows[0, 0]
    for file in range(len(starts) - 1):
        if starts[file] < starts[file + 1]:
            low = min(low, rows[starts[file], 0])
            high = max(high, rows[starts[file + 1] - 1, 0])
    return low, high


@inner
def _meet(rows: NDArray[np.uint64], row: int, table: NDArray[np.int64], bits: int, verdicts: NDArray[np.uint8]) -> None:
    slot = slot_of(rows[row, 0], bits)
    while table[slot] != EMPTY:
        first = table[slot]
        if rows[first, 0] == rows[row, 0]:
            verdicts[first], verdicts[row] = FIRST, REPEATED
            return
        slot = (slot + 1) & ((1 << bits) - 1)
    table[slot] = row
    if rows[row, 1] > ONE:
        verdicts[row] = FIRST


def table_of(hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Where each of the different `hashes` is, as `find_gone` looks it up: 8 to 16 bytes a hash."""
    assert len(hashes) < 1 << 31, f"{len(hashes)} hashes are too many for a table"
    table = np.empty(1 << table_bits(len(hashes)), np.int32)
    _fill(hashes, table)
    return table


@kernel
def _fill(hashes: NDArray[np.uint64], table: NDArray[np.int32]) -> None:
    bits = table_bits(len(hashes))
    empty(table, bits)
    for place in range(len(hashes)):
        slot = slot_of(hashes[place], bits)
        while table[slot] != EMPTY:
            slot = (slot + 1) & ((1 << bits) - 1)
        table[slot] = place


@kernel
def find_gone(
    of_units: NDArray[np.uint64],
    hashes: NDArray[np.uint64],
    stays: NDArray[np.bool_],
    table: NDArray[np.int32],
    gone: NDArray[np.bool_],
) -> None:
    """Fill `gone` (n,): whether each unit's hash is among the repeated `hashes`, of which `table_of` made `table`.

    The first unit with a hash that `stays` is spared, and its mark in `stays` is taken away.
    """
    bits = table_bits(len(hashes))
    for unit in range(len(of_units)):
        key = of_units[unit]
        gone[unit] = False
        slot = slot_of(key, bits)
        while table[slot] != EMPTY:
            place = table[slot]
            if hashes[place] == key:
                gone[unit] = not stays[place]
                stays[place] = False
                break
            slot = (slot + 1) & ((1 << bits) - 1)


def without(texts: Texts, units: Units, gone: NDArray[np.bool_]) -> tuple[Texts, NDArray[np.bool_]]:
    """The texts less the `units` that are `gone`, stripped as by `str.strip` where any are, and where that is."""
    lost = np.zeros(len(texts), np.bool_)
    out = np.empty(int(texts.offsets[-1] - texts.offsets[0]), np.uint8)
    ends = np.zeros(len(texts) + 1, np.int64)
    _without(texts.data, texts.offsets, characters(), units, gone, lost, out, ends)
    return texts.rewritten(out[: ends[-1]], ends), lost


@kernel
def _without(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    characters: Characters,
    units: Units,
    gone: NDArray[np.bool_],
    lost: NDArray[np.bool_],
    out: NDArray[np.uint8],
    ends: NDArray[np.int64],
) -> None:
    for text in range(len(lost)):
        size = ends[text]
        for unit in range(units.first[text], units.first[text + 1]):
            lost[text] |= gone[unit]
        if lost[text]:
            ends[text + 1] = _join(data, characters, units, gone, text, out, size)
        else:
            ends[text + 1] = _copy(data, offsets[text], offsets[text + 1], out, size)


@inner
def _join(
    data: NDArray[np.uint8],
    characters: Characters,
    units: Units,
    gone: NDArray[np.bool_],
    text: int,
    out: NDArray[np.uint8],
    begin: int,
) -> int:
    """Where the units of a text that stay end in `out`, written there from `begin` on and stripped."""
    # Up to `size` is written; after `end` there is nothing but white space.
    size, end = begin, begin
    for unit in range(units.first[text], units.first[text + 1]):
        if gone[unit]:
            continue
        start, stop = units.start[unit], units.start[unit] + units.size[unit]
        first, last = stripped(data, start, stop, characters)
        if end > begin:
            out[size] = _NEW_LINE
            size = _copy(data, start, stop, out, size + 1)
        elif first < last:
            size = _copy(data, first, stop, out, size)
        if first < last:
            end = size - (stop - last)
    return end


@inner
def _copy(data: NDArray[np.uint8], start: int, stop: int, out: NDArray[np.uint8], size: int) -> int:
    """Where in `out` the copy of some bytes ends that starts at `size`."""
    for i in range(stop - start):
        out[size + i] = data[start + i]
    return size + stop - start
