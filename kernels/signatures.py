"""What documents are compared by: MinHash bands over word n-grams, hashes of whole texts, lines and paragraphs.

In come a batch of texts and its words; out come hashes that depend on the text and on nothing else.
"""

import numpy as np
from numpy.typing import NDArray

from corpus.hashing import keyed, mix
from kernels.characters import DIGIT, SILENT, SPACE, Characters, characters, decode, flags_of, folded
from kernels.compiled import inner, kernel
from kernels.hashing import ONE, Hash, mixed
from kernels.lines import Units
from kernels.texts import Texts
from kernels.words import Words

_HALF = Hash(32)
_ASCII, _WHITE, _POINT, _FULL = Hash(128), Hash(0xFFFFFFFF), Hash(21), Hash(63)
_LARGEST = np.uint32(0xFFFFFFFF)
_BYTE = np.uint32(0xFF)
# More bytes would not tell similarities apart any better than a band does.
SKETCH = 256
_NEW_LINE, _SPACE, _ZERO = b"\n 0"
# The two halves of a text's hash are the same arithmetic from different starts.
_FIRST, _SECOND = Hash(0x243F6A8885A308D3), Hash(0x13198A2E03707344)


def sign(texts: Texts, bands: int, rows: int, ngram: int) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """(n, bands) hashes of the MinHash signatures of each text's word n-grams, all 0 for a text without words, and
    (n, permutations) bytes to estimate Jaccard similarities by: the low 8 bits of the first SKETCH minima.

    Words are compared by their letters, digits and marks, without case; those without any are passed over. A text of
    fewer words than `ngram` is one n-gram of all of them. A permutation of 32 bits is multiplying by an odd number and
    adding another (linear permutations, Bohman et al. 2000). Bytes do nearly as well as whole minima (Li and König
    2010).
    """
    numbers = keyed(np.arange(2 * bands * rows, dtype=np.uint64), "minhash").astype(np.uint32)
    out = np.zeros((len(texts), bands), np.uint64)
    sketches = np.zeros((len(texts), min(bands * rows, SKETCH)), np.uint8)
    _sign(texts.words, numbers[: bands * rows] | np.uint32(1), numbers[bands * rows :], rows, ngram, out, sketches)
    return out, sketches


def band_hashes(texts: Texts, bands: int, rows: int, ngram: int) -> NDArray[np.uint64]:
    """The band hashes of `sign` alone."""
    return sign(texts, bands, rows, ngram)[0]


@kernel
def _sign(
    words: Words,
    multiply: NDArray[np.uint32],
    add: NDArray[np.uint32],
    rows: int,
    ngram: int,
    out: NDArray[np.uint64],
    sketches: NDArray[np.uint8],
) -> None:
    minima = np.empty(len(multiply), np.uint32)
    for text in range(len(out)):
        hashes = _shingles(words.normal[words.first[text] : words.first[text + 1]], ngram)
        if len(hashes) == 0:
            continue
        for k in range(len(minima)):
            minima[k] = _LARGEST
        # Four at a time, so that the numbers are read once for four: a set has the same minima with some of it twice.
        last = len(hashes) - 1
        for place in range(0, len(hashes), 4):
            one, two = _short(hashes[place]), _short(hashes[min(place + 1, last)])
            three, four = _short(hashes[min(place + 2, last)]), _short(hashes[min(place + 3, last)])
            for k in range(len(minima)):
                a, b = multiply[k], add[k]
                first = min(np.uint32(one * a + b), np.uint32(two * a + b))
                second = min(np.uint32(three * a + b), np.uint32(four * a + b))
                minima[k] = min(minima[k], min(first, second))
        for band in range(out.shape[1]):
            state = Hash(band + 1)
            for k in range(band * rows, (band + 1) * rows):
                state = mixed(state, minima[k])
            # 0 stands for a text without words.
            out[text, band] = state | ONE
        for k in range(sketches.shape[1]):
            sketches[text, k] = minima[k] & _BYTE


@inner
def _short(shingle: Hash) -> np.uint32:
    """32 bits are plenty to tell one text's n-grams apart, and eight are multiplied at once."""
    return np.uint32(shingle >> _HALF)


@kernel
def _shingles(normal: NDArray[np.uint64], ngram: int) -> NDArray[np.uint64]:
    spoken = np.empty(len(normal), np.uint64)
    n = 0
    for word in normal:
        if word:
            spoken[n] = word
            n += 1
    length = min(ngram, n)
    hashes = np.zeros(n - length + 1 if n else 0, np.uint64)
    for start in range(len(hashes)):
        for place in range(start, start + length):
            hashes[start] = mixed(hashes[start], spoken[place])
    return hashes


def shingles(texts: Texts, ngram: int) -> list[NDArray[np.uint64]]:
    """The hashes of each text's word n-grams, in order: what `band_hashes` are made of."""
    first, normal = texts.words.first, texts.words.normal
    return [_shingles(normal[first[i] : first[i + 1]], ngram) for i in range(len(texts))]


def shingle_sets(texts: Texts, ngram: int) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Each text's distinct shingles, sorted: those of text i are `hashes[first[i]:first[i + 1]]` of (first, hashes)."""
    sets = [np.sort(found) for found in shingles(texts, ngram)]
    sizes = np.array([len(found) for found in sets], np.int64)
    hashes = np.concatenate([*sets, np.empty(0, np.uint64)])
    new = np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)]
    new[(np.cumsum(sizes) - sizes)[sizes > 0]] = True
    return np.append(0, np.cumsum(new))[np.append(0, np.cumsum(sizes))], hashes[new]


def sampled_shingles(texts: Texts, ngram: int, every: int) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """As `shingle_sets`, but hashed again, and only those that `every` divides: the same ones in every text.

    So the share of a document that is in another shows in these few (FracMinHash, Irber et al. 2022). A text that has
    none of them, as a short one may, gets its smallest.
    """
    sets = []
    for found in shingles(texts, ngram):
        hashes = np.unique(mix(found))
        chosen = hashes[hashes % np.uint64(every) == 0]
        sets.append(chosen if len(chosen) else hashes[:1])
    first = np.cumsum([0, *map(len, sets)], dtype=np.int64)
    return first, np.concatenate(sets) if sets else np.empty(0, np.uint64)


def text_hashes(texts: Texts) -> NDArray[np.uint64]:
    """128 bits a text, as (n, 2) uint64: equal for texts that differ in case and white space only."""
    out = np.zeros((len(texts), 2), np.uint64)
    _hash_texts(texts.data, texts.offsets, characters(), out)
    return out


@kernel
def _hash_texts(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], characters: Characters, out: NDArray[np.uint64]
) -> None:
    # Most characters are ASCII, and one look tells all about them.
    ascii_values = np.empty(_ASCII, np.uint64)
    for point in range(_ASCII):
        ascii_values[point] = _value(point, characters)
    for text in range(len(out)):
        i, end = Hash(offsets[text]), Hash(offsets[text + 1])
        first, second, word, gap = _FIRST, _SECOND, ONE, False
        while i < end:
            value = Hash(data[i])
            if value < _ASCII:
                value = ascii_values[value]
                i += ONE
            else:
                point, after = decode(data, np.int64(i))
                value, i = _value(point, characters), Hash(after)
            if value == _WHITE:
                gap = word != ONE or first != _FIRST
                continue
            if gap:
                word = word << _POINT | Hash(_SPACE)
                if word >> _FULL:
                    first, second, word = mixed(first, word), mixed(second, word), ONE
            # Mixing is what takes long, so three characters go at once; the 1 before them says how many they are.
            word = word << _POINT | value
            if word >> _FULL:
                first, second, word = mixed(first, word), mixed(second, word), ONE
            gap = False
        out[text, 0], out[text, 1] = mixed(first, word), mixed(second, word)


@inner
def _value(point: int, characters: Characters) -> Hash:
    """The character without its case, _WHITE for white space."""
    return _WHITE if flags_of(point, characters) & SPACE else Hash(folded(point, characters))


def unit_hashes(texts: Texts, units: Units) -> NDArray[np.uint64]:
    """A hash for each of the texts' `units`, of the unit as CCNet compares lines; 0 where that leaves nothing.

    Case is folded, digits are 0, punctuation and control characters are gone and then the white space at both ends. A
    new line inside a paragraph is a space, so that it does not matter where a paragraph is wrapped.
    """
    out = np.zeros(len(units.start), np.uint64)
    _hash_units(texts.data, units.start, units.size, characters(), out)
    return out


@kernel
def _hash_units(
    data: NDArray[np.uint8],
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    characters: Characters,
    out: NDArray[np.uint64],
) -> None:
    for unit in range(len(out)):
        i, end = start[unit], start[unit] + size[unit]
        state = Hash(0)
        while i < end:
            point, i = decode(data, i)
            flags = flags_of(point, characters)
            if flags & SILENT or (flags & SPACE and state == 0):
                continue
            if flags & SPACE:
                state = mixed(state, _SPACE if point == _NEW_LINE else point)
                continue
            state = mixed(state, _ZERO if flags & DIGIT else folded(point, characters))
            out[unit] = state
