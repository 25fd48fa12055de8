"""What documents are compared by: MinHash bands over word n-grams, hashes of whole texts and of their lines.

In come a batch of texts and its words; out come hashes that depend on the text and on nothing else.
"""

import numpy as np
from numpy.typing import NDArray

from corpus.hashing import keyed
from kernels.characters import DIGIT, SILENT, SPACE, Characters, characters, decode, flags_of, folded
from kernels.compiled import kernel
from kernels.hashing import ONE, Hash, mixed
from kernels.texts import Texts
from kernels.words import Words

_HALF = Hash(32)
_LARGEST = np.uint32(0xFFFFFFFF)
_NEW_LINE, _SPACE, _ZERO = b"\n 0"
# The two halves of a text's hash are the same arithmetic from different starts.
_FIRST, _SECOND = Hash(0x243F6A8885A308D3), Hash(0x13198A2E03707344)


def band_hashes(texts: Texts, bands: int, rows: int, ngram: int) -> NDArray[np.uint64]:
    """(n, bands) hashes of the MinHash signatures of each text's word n-grams, all 0 for a text without words.

    Words are compared by their letters, digits and marks, without case; those without any are passed over. A text of
    fewer words than `ngram` is one n-gram of all of them. A permutation is multiply-add modulo 2**64, of which the high
    half is compared (Dietzfelbinger 1996).
    """
    numbers = keyed(np.arange(2 * bands * rows, dtype=np.uint64), "minhash")
    out = np.zeros((len(texts), bands), np.uint64)
    _sign(texts.words, numbers[: bands * rows] | np.uint64(1), numbers[bands * rows :], rows, ngram, out)
    return out


@kernel
def _sign(
    words: Words,
    multiply: NDArray[np.uint64],
    add: NDArray[np.uint64],
    rows: int,
    ngram: int,
    out: NDArray[np.uint64],
) -> None:
    minima = np.empty(len(multiply), np.uint32)
    for text in range(len(out)):
        hashes = _shingles(words.normal[words.first[text] : words.first[text + 1]], ngram)
        if len(hashes) == 0:
            continue
        for k in range(len(minima)):
            minima[k] = _LARGEST
        for shingle in hashes:
            # 32 bits are plenty to tell one text's n-grams apart, and multiply twice as fast.
            short = shingle >> _HALF
            for k in range(len(minima)):
                minima[k] = min(minima[k], np.uint32((short * multiply[k] + add[k]) >> _HALF))
        for band in range(out.shape[1]):
            state = Hash(band + 1)
            for k in range(band * rows, (band + 1) * rows):
                state = mixed(state, minima[k])
            # 0 stands for a text without words.
            out[text, band] = state | ONE


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


def text_hashes(texts: Texts) -> NDArray[np.uint64]:
    """128 bits a text, as (n, 2) uint64: equal for texts that differ in case and white space only."""
    out = np.zeros((len(texts), 2), np.uint64)
    _hash_texts(texts.data, texts.offsets, characters(), out)
    return out


@kernel
def _hash_texts(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], characters: Characters, out: NDArray[np.uint64]
) -> None:
    for text in range(len(out)):
        i, end = offsets[text], offsets[text + 1]
        first, second, empty, gap = _FIRST, _SECOND, True, False
        while i < end:
            point, i = decode(data, i)
            if flags_of(point, characters) & SPACE:
                gap = not empty
                continue
            if gap:
                first, second = mixed(first, _SPACE), mixed(second, _SPACE)
            value = folded(point, characters)
            first, second = mixed(first, value), mixed(second, value)
            empty, gap = False, False
        out[text, 0], out[text, 1] = first, second


def line_hashes(texts: Texts) -> NDArray[np.uint64]:
    """A hash for each of `texts.lines`, of the line as CCNet compares it; 0 where that leaves nothing.

    Case is folded, digits are 0, punctuation and control characters are gone and then the white space at both ends.
    """
    out = np.zeros(len(texts.lines.start), np.uint64)
    _hash_lines(texts.data, texts.lines.start, texts.lines.size, characters(), out)
    return out


@kernel
def _hash_lines(
    data: NDArray[np.uint8],
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    characters: Characters,
    out: NDArray[np.uint64],
) -> None:
    for line in range(len(out)):
        i, end = start[line], start[line] + size[line]
        state = Hash(0)
        while i < end:
            point, i = decode(data, i)
            flags = flags_of(point, characters)
            if flags & SILENT or (flags & SPACE and state == 0):
                continue
            state = mixed(state, _ZERO if flags & DIGIT else folded(point, characters))
            if not flags & SPACE:
                out[line] = state
