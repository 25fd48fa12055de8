"""Hashed word uni- and bigrams, and a linear model over them.

In come a batch of texts and its words; out come sparse counts to learn from, or the scores of what was learnt. What
stays true: both see the same features, so a score is what scikit-learn would give.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.characters import MARK, SCRIPT, SPACE, UNSPACED, WORD, Characters, characters, decode, flags_of, folded
from kernels.compiled import inner, kernel
from kernels.hashing import BASE, ONE, Hash, mixed
from kernels.texts import Texts
from kernels.words import Words

_SIX, _LAST = Hash(6), Hash(63)
_ASCII, _NOTHING = Hash(128), Hash(0)
# So many features a row of length 1 has; any other number would be another scale of the weights.
_TYPICAL = 400.0
# What is no value of a character: a byte of a longer one, and white space.
_LONGER, _WHITE = Hash(1 << 32), Hash((1 << 32) + 1)


@inner
def _place(feature: Hash, size: int) -> int:
    # The golden ratio's multiples spread over the high bits (Knuth, volume 3, section 6.4).
    return np.int64((feature * Hash(0x9E3779B97F4A7C15)) >> Hash(32)) & (size - 1)


def word_sets(texts: Texts, features: int) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """The rows of a CSR matrix of `features` columns: indices (not sorted, none twice in a row), values and where rows
    start. All values of a row of n features are (400 / n)^(1/4) / n^(1/2).

    With n^(-1/2), rows of length 1, a text of few words gets a decision near the intercept and so stands above long
    texts that are surely no positives; with n^(-1) it gets one that is twice too sure. The exponent between the two has
    the best probabilities on unseen hosts (docs/quality.md).

    A feature is the hash of a word's letters, digits and marks without case, or of two such in a row, and how often it
    is there plays no part: on real pages that told references apart better than counts. `features` is a power of 2, at
    least 64.
    """
    most = 2 * len(texts.words.normal)
    indices, values = np.empty(most, np.int32), np.empty(most, np.float32)
    starts = np.zeros(len(texts) + 1, np.int64)
    _collect_sets(texts.words, np.zeros(features // 64, np.uint64), indices, values, starts)
    return indices[: starts[-1]].copy(), values[: starts[-1]].copy(), starts


@kernel
def _collect_sets(
    words: Words,
    seen: NDArray[np.uint64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    starts: NDArray[np.int64],
) -> None:
    n = Hash(0)
    size = 64 * len(seen)
    for text in range(len(starts) - 1):
        begin, before = n, Hash(0)
        seen[:] = 0
        for word in range(words.first[text], words.first[text + 1]):
            normal = words.normal[word]
            if normal == 0:
                continue
            for feature in range(2 if before else 1):
                place = _place(mixed(before, normal) if feature else normal, size)
                if _is_new(seen, place):
                    indices[n] = place
                    n += ONE
            before = normal
        if n > begin:
            values[begin:n] = _row_value(np.int64(n - begin))
        starts[text + 1] = n


@inner
def _row_value(features: int) -> float:
    return np.sqrt(np.sqrt(_TYPICAL / features) / features)


@inner
def _is_new(seen: NDArray[np.uint64], place: int) -> bool:
    """Whether the bit of `place` was not set; now it is."""
    block, bit = Hash(place) >> _SIX, ONE << (Hash(place) & _LAST)
    if seen[block] & bit:
        return False
    seen[block] |= bit
    return True


def decisions(texts: Texts, weights: NDArray[np.float32], models: NDArray[np.int64]) -> NDArray[np.float64]:
    """For text i the decision of linear model `models[i]` on its `word_sets`: what scikit-learn's decision_function is.

    `weights` are (models, features + 1) with the intercept last.
    """
    # Mapped from a file they cannot be written, and a kernel for those that can would be another one.
    weights = weights.view(np.ndarray)
    weights.setflags(write=False)
    out = np.empty(len(texts))
    seen = np.zeros((weights.shape[1] - 1) // 64, np.uint64)
    _decisions(texts.data, texts.offsets, characters(), weights, models, seen, out)
    return out


@kernel
def _decisions(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    characters: Characters,
    weights: NDArray[np.float32],
    models: NDArray[np.int64],
    seen: NDArray[np.uint64],
    out: NDArray[np.float64],
) -> None:
    """Words are those of kernels/words.py, found again without all else that it notes of them, in half of its time.

    No list of features is kept: bits for all of them fit into a core's first cache, and are soon cleared.
    """
    values = np.empty(2 * _ASCII, np.uint64)
    for byte in range(2 * _ASCII):
        values[byte] = _value(byte, flags_of(byte, characters), characters) if byte < _ASCII else _LONGER
    for text in range(len(out)):
        model = weights[models[text]]
        seen[:] = 0
        total, found = 0.0, 0
        i, end = Hash(offsets[text]), Hash(offsets[text + 1])
        before, normal, script = _NOTHING, _NOTHING, 0
        while i < end:
            value = values[data[i]]
            # Most characters are ASCII, and one look tells all about them: no mark, and of no script without spaces.
            if script == 0:
                while value < _LONGER:
                    if value != _NOTHING:
                        normal = normal * BASE + value
                    i += ONE
                    value = values[data[i]] if i < end else _WHITE
            if value != _LONGER:
                starts, script = True, 0
                # A first letter after another script is looked at again.
                i += ONE if value == _WHITE else _NOTHING
                value = _NOTHING
            else:
                point, after = decode(data, np.int64(i))
                flags = flags_of(point, characters)
                value = _value(point, flags, characters)
                starts = value == _WHITE or (not flags & MARK and (script == UNSPACED or flags & SCRIPT != script))
                script = flags & SCRIPT if starts else script
                value = _NOTHING if value == _WHITE else value
                i = Hash(after)
            if starts and normal != _NOTHING:
                normal = mixed(normal, _NOTHING)
                total, found = _add(normal, before, model, seen, total, found)
                before, normal = normal, _NOTHING
            if value != _NOTHING:
                normal = normal * BASE + value
        if normal != _NOTHING:
            total, found = _add(mixed(normal, _NOTHING), before, model, seen, total, found)
        out[text] = model[len(model) - 1] + total * _row_value(max(found, 1))


@inner
def _value(point: int, flags: int, characters: Characters) -> Hash:
    """What a character adds to the hash of its word, 0 if nothing; _WHITE for white space."""
    if flags & SPACE:
        return _WHITE
    return Hash(folded(point, characters)) + ONE if flags & WORD else _NOTHING


@inner
def _add(
    word: Hash, before: Hash, model: NDArray[np.float32], seen: NDArray[np.uint64], total: float, found: int
) -> tuple[float, int]:
    """Total and number of features with those of a word and of its pair with the one before, if they are new."""
    total, found = _add_one(word, model, seen, total, found)
    return _add_one(mixed(before, word), model, seen, total, found) if before else (total, found)


@inner
def _add_one(
    feature: Hash, model: NDArray[np.float32], seen: NDArray[np.uint64], total: float, found: int
) -> tuple[float, int]:
    """Without a branch on what is new, which nobody can foresee."""
    place = Hash(_place(feature, 64 * len(seen)))
    block, bit = place >> _SIX, place & _LAST
    before = seen[block]
    new = (before >> bit & ONE) ^ ONE
    seen[block] = before | ONE << bit
    return total + model[place] * np.float64(new), found + np.int64(new)


def feature_hashes(texts: Texts) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """All features of all texts in order, repeats included: their hashes, and the first and the last word of each."""
    most = 2 * len(texts.words.normal)
    hashes = np.empty(most, np.uint64)
    first, last = np.empty(most, np.int64), np.empty(most, np.int64)
    n = _hash_features(texts.words, hashes, first, last)
    return hashes[:n].copy(), first[:n].copy(), last[:n].copy()


@kernel
def _hash_features(words: Words, hashes: NDArray[np.uint64], first: NDArray[np.int64], last: NDArray[np.int64]) -> int:
    n = 0
    for text in range(len(words.first) - 1):
        before = -1
        for word in range(words.first[text], words.first[text + 1]):
            if words.normal[word] == 0:
                continue
            hashes[n], first[n], last[n] = words.normal[word], word, word
            n += 1
            if before >= 0:
                hashes[n], first[n], last[n] = mixed(words.normal[before], words.normal[word]), before, word
                n += 1
            before = word
    return n


def places(hashes: NDArray[np.uint64], features: int) -> NDArray[np.int64]:
    """The columns of features with these hashes."""
    out = np.empty(len(hashes), np.int64)
    _find_places(hashes, features, out)
    return out


@kernel
def _find_places(hashes: NDArray[np.uint64], features: int, out: NDArray[np.int64]) -> None:
    for k in range(len(hashes)):
        out[k] = _place(hashes[k], features)
