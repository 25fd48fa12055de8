"""Public internet addresses in UTF-8 text, as Python's `ipaddress` reads them: whether one starts at a digit.

Private, loopback, shared, documentation, benchmarking, reserved and multicast ranges are nobody's; nor are IPv4
addresses of four numbers below 20, which are sections and versions ("3.2.1.4") or public resolvers ("8.8.8.8").
"""

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner

_DIGITS = np.array([chr(byte) in "0123456789" for byte in range(256)])
_LETTERS = np.array([byte < 128 and chr(byte).isalpha() for byte in range(256)])
_HEX = np.array([chr(byte) in "0123456789abcdefABCDEF" for byte in range(256)])
_DOT, _COLON, _SLASH, _HYPHEN, _UNDERSCORE, _ZERO, _OPEN = b".:/-_0["
_SECTION = 20
_LONGEST_V6, _GROUPS = 39, 8
# First address and the bits that are fixed (IANA's registries of special-purpose addresses).
_SPECIAL = np.array(
    [
        (int.from_bytes(bytes(map(int, address.split("."))), "big"), 32 - int(fixed))
        for address, fixed in (
            entry.split("/")
            for entry in (
                "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
                "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
            ).split()
        )
    ],
    np.int64,
)


@inner
def address_size(data: NDArray[np.uint8], floor: int, i: int, end: int) -> int:
    """The bytes of the public address that starts with the digit at `i`, 0 where there is none.

    `data[floor:i]` is what it may not continue: a name, a path or a longer run of numbers. What comes after is for the
    caller to look at, but for more of the same.
    """
    if i > floor:
        before = data[i - 1]
        if before in (_DOT, _UNDERSCORE) or before >= 0x80 or _LETTERS[before] or _DIGITS[before]:
            return 0
        if before == _HYPHEN and i - 1 > floor and _LETTERS[data[i - 2]]:
            return 0
        if before == _SLASH and not (i - 1 > floor and data[i - 2] == _SLASH):
            return 0
    size = _v4_size(data, i, end)
    return size if size else _v6_size(data, floor, i, end)


@inner
def _v4_size(data: NDArray[np.uint8], i: int, end: int) -> int:
    start, address, largest = i, 0, 0
    for octet in range(4):
        if octet:
            if i >= end or data[i] != _DOT:
                return 0
            i += 1
        first, value = i, 0
        while i < end and _DIGITS[data[i]] and i - first < 4:
            value = value * 10 + data[i] - _ZERO
            i += 1
        # A leading zero is octal to some and refused by `ipaddress`.
        if i == first or value > 255 or (data[first] == _ZERO and i - first > 1):
            return 0
        address, largest = address << 8 | value, max(largest, value)
    if i < end and _DIGITS[data[i]]:
        return 0
    if largest < _SECTION:
        return 0
    for k in range(len(_SPECIAL)):
        if address >> _SPECIAL[k, 1] == _SPECIAL[k, 0] >> _SPECIAL[k, 1]:
            return 0
    return i - start


@inner
def _v6_size(data: NDArray[np.uint8], floor: int, i: int, end: int) -> int:
    """Of an address in 2000::/3, where all that are given out lie; `i` starts a group of four digits then."""
    if data[i] != ord("2") and data[i] != ord("3"):
        return 0
    if i + 4 >= end or data[i + 4] != _COLON or (i > floor and data[i - 1] == _COLON):
        return 0
    start, groups, gap, leading, second = i, 0, False, 0, 0
    while groups < _GROUPS and i - start < _LONGEST_V6:
        first, value = i, 0
        while i < end and _HEX[data[i]] and i - first < 5:
            value = value << 4 | _hex_value(data[i])
            i += 1
        if i == first or i - first > 4 or (groups == 0 and i - first < 4):
            return 0
        groups += 1
        if groups == 1:
            leading = value
        elif groups == 2 and not gap:
            second = value
        if i >= end or data[i] != _COLON:
            break
        if i + 1 < end and data[i + 1] == _COLON:
            if gap:
                return 0
            gap = True
            i += 2
            if i >= end or not _HEX[data[i]]:
                break
        elif i + 1 < end and _HEX[data[i + 1]]:
            i += 1
        else:
            break
    if i < end and _HEX[data[i]]:
        return 0
    if i < end and data[i] == _COLON:
        if data[i - 1] == _COLON or (i + 1 < end and (_HEX[data[i + 1]] or data[i + 1] == _COLON)):
            return 0
    if gap == (groups == _GROUPS):
        return 0
    # 2001::/23 is for protocols, 2001:db8::/32 and 3fff::/20 for examples, 2002::/16 made from IPv4's.
    if leading == 0x2001 and (second < 0x200 or second == 0x0DB8):
        return 0
    if leading == 0x2002 or (leading == 0x3FFF and second < 0x1000):
        return 0
    return i - start


@inner
def _hex_value(byte: int) -> int:
    return np.int64(byte) - _ZERO if byte <= ord("9") else (np.int64(byte) | 0x20) - ord("a") + 10
