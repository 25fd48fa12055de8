"""An index of documents by what others may share with them: which of thousands to compare one with.

In come documents of a cluster and, one after the other, those that stay; out come the few that may reach the threshold
with another document. What stays true: none that does is missing.

For Jaccard similarity this is prefix filtering (Chaudhuri 2006, Bayardo 2007): if two sets agree on at least k
elements, then in any order that both keep one of the first |x| - k + 1 elements of one is one of the first |y| - k + 1
of the other. Rarest first, these are hardly ever the shingles of a template that thousands of pages share. k follows
from the sizes: at least the threshold's share of the larger set, and more than that of the smaller one (Xiao 2008). So
a document is kept by two prefixes, a short one for larger documents to find it by and a long one for smaller ones.
For containment, and for documents of an earlier run, whose shingles are not known, the keys are what is indexed.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner, kernel
from kernels.hashing import EMPTY, Hash, slot_of
from kernels.similarity import Documents, Loaded, Numbers, Rule, least_overlap, least_share, size_of

# What an index takes: an entry's three numbers of 4 bytes, and a slot of the table.
ENTRY_BYTES = 16
# Frequencies are told apart well enough by a million counters, and these stay in the processor's cache.
_COUNTER_BITS = 20
_FREQUENCIES = 128
# Makes a shingle of a short prefix another key than the same one of a long prefix.
_SHORT = Hash(0x452821E638D01377)


class Index(NamedTuple):
    """Documents that stay, in chains of entries: (document, next, part of the key).

    Documents count from the first that the index is made for. `used` are the numbers of entries and of `candidates`,
    which with their `hits` are of the search going on. `ordered` are the shingles of the document at hand, rarest
    first, and `places` is for ordering them.
    """

    bits: int
    table: NDArray[np.int32]
    entries: NDArray[np.int32]
    used: NDArray[np.int64]
    counter_bits: int
    frequency: NDArray[np.uint8]
    hits: NDArray[np.int32]
    candidates: NDArray[np.int32]
    ordered: Numbers
    places: NDArray[np.int64]


def index_for(documents: Documents, rule: Rule, held: Loaded, begin: int, end: int, longest: int) -> Index:
    """Without entries yet: for documents `begin` to `end` of `held`, and to search for any of `longest` shingles."""
    rows, sizes = held.rows[begin:end], np.diff(held.first[begin : end + 1])
    most = int(entries(documents, rule, rows, sizes).sum())
    shingles = held.shingles[held.first[begin] : held.first[end]] if rule.jaccard else held.shingles[:0]
    bits, counter_bits = _bits_within(most), min(_COUNTER_BITS, _bits_within(len(shingles)))
    frequency = np.empty(1 << counter_bits, np.uint8)
    _measure_frequencies(shingles, counter_bits, np.zeros(1 << counter_bits, np.uint32), frequency)
    return Index(
        bits,
        np.full(1 << bits, EMPTY, np.int32),
        np.empty((most, 3), np.int32),
        np.zeros(2, np.int64),
        counter_bits,
        frequency,
        np.zeros(end - begin, np.int32),
        np.empty(end - begin, np.int32),
        np.empty(longest, np.uint64),
        np.empty(_FREQUENCIES + 1, np.int64),
    )


def no_index(documents: int) -> Index:
    """One that nothing can be added to, with space for so many candidates."""
    none = np.empty(0, np.int32)
    hits, candidates = np.zeros(documents, np.int32), np.empty(documents, np.int32)
    unused = np.empty(0, np.uint8), hits, candidates, np.empty(0, np.uint64), np.empty(0, np.int64)
    return Index(0, none, none.reshape(0, 3), np.zeros(2, np.int64), 0, *unused)


def _bits_within(entries: int) -> int:
    """The size, as a power of 2, of a table of at most as many slots, or of 16."""
    return max(4, entries.bit_length() - 1)


def entries(documents: Documents, rule: Rule, rows: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many entries documents, of so many shingles, take in an index."""
    out = documents.key_first[rows + 1] - documents.key_first[rows]
    if rule.jaccard:
        new = np.flatnonzero(~documents.earlier[rows])
        prefixes = np.zeros(len(new), np.int64)
        _add_prefixes(rule, sizes[new], prefixes)
        out[new] = prefixes
    return out


@kernel
def _add_prefixes(rule: Rule, sizes: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    for k in range(len(out)):
        short, long = _prefixes(sizes[k], rule)
        out[k] = short + long


@kernel
def _measure_frequencies(
    shingles: Numbers, bits: int, counts: NDArray[np.uint32], frequency: NDArray[np.uint8]
) -> None:
    """How often shingles occur, on a scale of four steps to each doubling; some have a counter in common."""
    for shingle in shingles:
        counts[slot_of(shingle, bits)] += np.uint32(1)
    for slot in range(len(counts)):
        count, doublings = np.int64(counts[slot]), 0
        while count >= 8:
            count >>= 1
            doublings += 1
        frequency[slot] = 4 * doublings + count


@inner
def _prefixes(size: int, rule: Rule) -> tuple[int, int]:
    """How many of its rarest shingles a document shares with larger ones, and with smaller ones, at one at least."""
    if size == 0:
        return 0, 0
    return size - least_overlap(rule, size, size) + 1, size - least_share(size, rule.threshold) + 1


@inner
def _arrange(index: Index, loaded: Loaded, x: int) -> None:
    """Order the shingles of a document: by frequency, then by number, as they come."""
    place = index.places
    for step in range(_FREQUENCIES + 1):
        place[step] = 0
    for k in range(loaded.first[x], loaded.first[x + 1]):
        place[index.frequency[slot_of(loaded.shingles[k], index.counter_bits)] + 1] += 1
    for step in range(_FREQUENCIES):
        place[step + 1] += place[step]
    for k in range(loaded.first[x], loaded.first[x + 1]):
        shingle = loaded.shingles[k]
        step = index.frequency[slot_of(shingle, index.counter_bits)]
        index.ordered[place[step]] = shingle
        place[step] += 1


@inner
def add(documents: Documents, rule: Rule, index: Index, held: Loaded, x: int, number: int) -> None:
    """Make a document, `number` of the index, one that can be found."""
    row = held.rows[x]
    if documents.earlier[row] or not rule.jaccard:
        for k in range(documents.key_first[row], documents.key_first[row + 1]):
            _add_entry(index, documents.keys[k], number)
        return
    _arrange(index, held, x)
    short, long = _prefixes(size_of(held, x), rule)
    for k in range(long):
        _add_entry(index, index.ordered[k], number)
        if k < short:
            _add_entry(index, index.ordered[k] ^ _SHORT, number)


@inner
def _add_entry(index: Index, key: Hash, number: int) -> None:
    slot, entry = slot_of(key, index.bits), index.used[0]
    index.entries[entry, 0] = number
    index.entries[entry, 1] = index.table[slot]
    index.entries[entry, 2] = np.int32(key)
    index.table[slot] = entry
    index.used[0] = entry + 1


@inner
def _collect(index: Index, key: Hash) -> None:
    """Count a hit for every document with an entry of `key`, which makes it a candidate."""
    part = np.int32(key)
    entry = index.table[slot_of(key, index.bits)]
    while entry != EMPTY:
        if index.entries[entry, 2] == part:
            suggest(index, index.entries[entry, 0], 1)
        entry = index.entries[entry, 1]


@inner
def suggest(index: Index, number: int, hits: int) -> None:
    """Give a document so many more hits, and make it a candidate if it had none."""
    if index.hits[number] == 0:
        index.candidates[index.used[1]] = number
        index.used[1] += 1
    index.hits[number] += hits


@inner
def collect(documents: Documents, rule: Rule, index: Index, asked: Loaded, x: int) -> None:
    """Make candidates of what document `x` may repeat."""
    row = asked.rows[x]
    for k in range(documents.key_first[row], documents.key_first[row + 1]):
        _collect(index, documents.keys[k])
    if rule.jaccard:
        _arrange(index, asked, x)
        short, long = _prefixes(size_of(asked, x), rule)
        for k in range(long):
            _collect(index, index.ordered[k] ^ _SHORT)
            if k < short:
                _collect(index, index.ordered[k])
