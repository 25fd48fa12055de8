"""Lists of millions of hosts and of addresses, as sorted hashes: made from a file's bytes, and looked up for a batch.

In come lines, or hosts and addresses as `filters.addresses` normalises them; out come hashes, or what is listed. An
entry is 8 bytes and nothing else is kept, so one address in 10^12 is taken for another that is among 4.6 million.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner, kernel
from kernels.hashing import ONE, Hash, hash_bytes
from kernels.texts import Texts

# The longest host that DNS has.
LONGEST_HOST = 253
_NEW_LINE, _RETURN, _DOT = ord("\n"), ord("\r"), ord(".")
_PLAIN = np.array([chr(byte) in "abcdefghijklmnopqrstuvwxyz0123456789-_." for byte in range(256)])
_DIGIT = np.array([chr(byte) in "0123456789" for byte in range(256)])
# Where a part of a path or query ends: before the first, or after any of these.
_ENDS = np.array([chr(byte) in "/?&;" for byte in range(256)])
_STARTS = np.array([chr(byte) in "/?&;=" for byte in range(256)])


def hash_lines(data: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hashes of those lines that are hosts as they should be, in their order, and of the others (number of the
    line from 1, first byte, end), in an array of three columns.
    """
    data.setflags(write=False)
    lines = int(np.count_nonzero(data == _NEW_LINE)) + 1
    hashes, others = np.empty(lines, np.uint64), np.empty((lines, 3), np.int64)
    plain, odd = _hash_lines(data, hashes, others)
    return hashes[:plain].copy(), others[:odd].copy()


@kernel
def _hash_lines(data: NDArray[np.uint8], hashes: NDArray[np.uint64], others: NDArray[np.int64]) -> tuple[int, int]:
    plain, odd, start, line = 0, 0, 0, 0
    while start < len(data):
        line += 1
        end, is_plain, before, returns = start, True, np.uint8(_DOT), 0
        # Unsigned: a signed index is asked every time whether it counts from the end.
        for place in range(Hash(start), Hash(len(data))):
            byte = data[place]
            if byte == _NEW_LINE:
                break
            if byte == _RETURN and (place + ONE == len(data) or data[place + ONE] == _NEW_LINE):
                returns = 1
                break
            is_plain &= _PLAIN[byte] and (byte != _DOT or before != _DOT)
            before = byte
            end += 1
        # An empty line has seen no other byte than the dot before it.
        if is_plain and before != _DOT and end - start <= LONGEST_HOST:
            hashes[plain] = hash_bytes(data[start:end])
            plain += 1
        elif end > start:
            others[odd] = line, start, end
            odd += 1
        start = end + returns + 1
    return plain, odd


def hash_strings(strings: Sequence[str]) -> NDArray[np.uint64]:
    """The hashes of hosts or addresses, each by itself."""
    texts = Texts.of(strings)
    hashes = np.empty(len(texts), np.uint64)
    _hash_all(texts.data, texts.offsets, hashes)
    return hashes


@kernel
def _hash_all(data: NDArray[np.uint8], offsets: NDArray[np.int64], hashes: NDArray[np.uint64]) -> None:
    for k in range(len(hashes)):
        hashes[k] = hash_bytes(data[offsets[k] : offsets[k + 1]])


def hosts_in(hosts: Sequence[str], listed: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each host, or a domain that it is in, is among `listed`, sorted; an IP address is in no domain."""
    texts = Texts.of(hosts)
    found = np.zeros(len(texts), np.bool_)
    listed.setflags(write=False)
    _find_hosts(texts.data, texts.offsets, listed, found)
    return found


@kernel
def _find_hosts(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], listed: NDArray[np.uint64], found: NDArray[np.bool_]
) -> None:
    for k in range(len(found)):
        begin, end = offsets[k], offsets[k + 1]
        last = end
        while last > begin and _DIGIT[data[last - 1]]:
            last -= 1
        is_address = last < end and (last == begin or data[last - 1] == _DOT)
        for start in range(max(begin, end - LONGEST_HOST), end):
            if start == begin or (data[start - 1] == _DOT and not is_address):
                if _is_listed(hash_bytes(data[start:end]), listed):
                    found[k] = True
                    break


def addresses_in(
    addresses: Sequence[str], hosts: NDArray[np.int64], listed: NDArray[np.uint64], longest: int
) -> NDArray[np.bool_]:
    """Whether each address starts with one of `listed`, sorted, of at most `longest` bytes, up to where a part of it
    ends; `hosts` has how many bytes of each are the host.
    """
    texts = Texts.of(addresses)
    found = np.zeros(len(texts), np.bool_)
    listed.setflags(write=False)
    _find_addresses(texts.data, texts.offsets, hosts, listed, longest, found)
    return found


@kernel
def _find_addresses(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    hosts: NDArray[np.int64],
    listed: NDArray[np.uint64],
    longest: int,
    found: NDArray[np.bool_],
) -> None:
    for k in range(len(found)):
        begin, end = offsets[k], offsets[k + 1]
        for stop in range(begin + max(hosts[k], 1), min(end, begin + longest) + 1):
            if stop == end or _ENDS[data[stop]] or _STARTS[data[stop - 1]]:
                if _is_listed(hash_bytes(data[begin:stop]), listed):
                    found[k] = True
                    break


@inner
def _is_listed(value: Hash, listed: NDArray[np.uint64]) -> bool:
    low, high = 0, len(listed)
    while low < high:
        middle = (low + high) >> 1
        if listed[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < len(listed) and listed[low] == value
