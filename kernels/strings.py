"""What Python's strings do, on ranges of UTF-8 bytes: strip, splitlines, startswith.

Indices in loops over all bytes are unsigned here: a signed one is asked every time whether it counts from the end.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import LINE_BREAK, SPACE, Characters, decode, flags_of
from kernels.compiled import inner
from kernels.hashing import Hash

_CARRIAGE_RETURN, _NEW_LINE = 13, 10


@inner
def stripped(data: NDArray[np.uint8], start: int, end: int, characters: Characters) -> tuple[int, int]:
    """What `str.strip` leaves of `data[start:end]`."""
    while start < end:
        point, after = decode(data, start)
        if not flags_of(point, characters) & SPACE:
            break
        start = after
    while end > start:
        before = end - 1
        while data[before] & 0xC0 == 0x80:
            before -= 1
        point, _ = decode(data, before)
        if not flags_of(point, characters) & SPACE:
            break
        end = before
    return start, end


@inner
def line_end(data: NDArray[np.uint8], start: int, end: int, characters: Characters) -> tuple[int, int]:
    """Where the line at `start` ends, by any of the line breaks of `str.splitlines`, and where the next one starts."""
    for i in range(Hash(start), Hash(end)):
        byte = data[i]
        # Only these bytes can start a line break; a byte inside a character is none of them.
        if byte < 0x20 or byte == 0xC2 or byte == 0xE2:
            point, after = decode(data, np.int64(i))
            if flags_of(point, characters) & LINE_BREAK:
                if point == _CARRIAGE_RETURN and after < end and data[after] == _NEW_LINE:
                    after += 1
                return np.int64(i), after
    return end, end


@inner
def count_points(data: NDArray[np.uint8], start: int, end: int) -> int:
    """How many code points there are between two bytes where one starts."""
    points = 0
    for byte in data[start:end]:
        points += byte & 0xC0 != 0x80
    return points


@inner
def holds(data: NDArray[np.uint8], start: int, end: int, string: bytes) -> bool:
    """Whether `data[start:end]` starts with `string`."""
    if end - start < len(string):
        return False
    for k in range(len(string)):
        if data[start + k] != string[k]:
            return False
    return True


@inner
def same_bytes(data: NDArray[np.uint8], start: int, other: int, length: int) -> bool:
    for k in range(length):
        if data[start + k] != data[other + k]:
            return False
    return True
