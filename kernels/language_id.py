"""fastText's prediction of a text's label, over a batch: hash character n-grams, add up their rows, walk the labels.

In come texts and the tables of a model (filters/fasttext_model.py); out come the most probable label of each and its
probability. What stays true: both are those of the fasttext package for the text with its white space joined, but for
rounding. Words are what either `str.split` or fastText parts; a word "</s>" ends a text, as the end of a line does.
Bag of Tricks for Efficient Text Classification, arXiv:1607.01759; FastText.zip, arXiv:1612.03651.

Indices in hot loops are unsigned: a signed one is asked every time whether it counts from the end of its array.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner, kernel
from kernels.hashing import EMPTY, ONE, Hash
from kernels.strings import holds
from kernels.texts import Texts

# FNV-1a of 32 bits, in 64: what is above does not reach what is below.
_OFFSET, _PRIME = Hash(2166136261), Hash(16777619)
_LOW = Hash(0xFFFFFFFF)
# fastText takes bytes as signed.
_SIGN = Hash(0xFFFFFF00)
_BEFORE, _AFTER = Hash(ord("<")), Hash(ord(">"))
_ZERO, _CONTINUED, _TOP_TWO = Hash(0), Hash(0x80), Hash(0xC0)
_SIX, _LAST = Hash(6), Hash(63)
_PAIRS, _FOURS, _BYTES = Hash(0x5555555555555555), Hash(0x3333333333333333), Hash(0x0F0F0F0F0F0F0F0F)
_EACH = Hash(0x0101010101010101)
_LABEL = b"__label__"
_UNDERSCORE = 95
# What fastText adds to a probability before its logarithm.
_EPSILON = 1e-5


class Dictionary(NamedTuple):
    """Entry e is the bytes `entries[starts[e]:starts[e + 1]]`; `slots` (a power of 2, -1 where free) finds it by
    `hashes[e]`."""

    entries: NDArray[np.uint8]
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    slots: NDArray[np.int32]


class Buckets(NamedTuple):
    """Where the rows of n-grams are: bucket b has one if bit b % 64 of `kept[b // 64]` is set, and it is row
    `first[b // 64]` and as many on as lower bits are set: an eighth of the memory of a table of rows, which would not
    stay in a core's cache. n-grams have `shortest` to `longest` characters, and their bucket is a hash % `buckets`.
    """

    shortest: int
    longest: int
    buckets: int
    kept: NDArray[np.uint64]
    first: NDArray[np.int32]


class Model(NamedTuple):
    """Rows are float32 of one width. Entry e of the dictionary is a word below `words`, else a label; `end` is "</s>".

    After `prepare` row e of `vectors` is the sum of the `parts[e]` rows of that word: its own and its n-grams'; those
    of n-grams come after. `output` has a row for each label or, with a tree, each inner node: node n is a label below
    `labels`, and has the children `left` and `right` at n - `labels` from there on. `spaces`: is a code point white.
    """

    words: int
    labels: int
    end: int
    buckets: Buckets
    vectors: NDArray[np.float32]
    dictionary: Dictionary
    parts: NDArray[np.int64]
    output: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    spaces: NDArray[np.uint8]


def predict(texts: Texts, model: Model) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The number of each text's label and its probability; -1 and 0 where the model knows nothing of the text."""
    labels, probabilities = np.empty(len(texts), np.int32), np.empty(len(texts), np.float32)
    _predict(texts.data, texts.offsets, model, labels, probabilities)
    return labels, probabilities


@kernel
def prepare(model: Model) -> None:
    """Fill `hashes`, `slots` and `parts`, and add to the row of each word those of its n-grams."""
    dictionary = model.dictionary
    most = 0
    for entry in range(len(model.parts)):
        most = max(most, dictionary.starts[entry + 1] - dictionary.starts[entry])
    token = np.empty(most + 2, np.uint64)
    rows = np.empty((most + 2) * min(max(model.buckets.longest, 1), most + 2), np.int32)
    mask = len(dictionary.slots) - 1
    for entry in range(len(model.parts)):
        start, size = dictionary.starts[entry], dictionary.starts[entry + 1] - dictionary.starts[entry]
        state = _OFFSET
        for k in range(size):
            state = _append(state, dictionary.entries[start + k], token, k)
        dictionary.hashes[entry] = state & _LOW
        slot = np.int64(dictionary.hashes[entry]) & mask
        while dictionary.slots[slot] != EMPTY:
            slot = (slot + 1) & mask
        dictionary.slots[slot] = entry
        if entry < model.words:
            model.parts[entry] = 1
            if entry != model.end:
                found = _ngrams(token, size, model.buckets, rows, _ZERO)
                model.parts[entry] += np.int64(found)
                _add(model.vectors, rows, found, model.vectors[entry])


@kernel
def _predict(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    model: Model,
    labels: NDArray[np.int32],
    probabilities: NDArray[np.float32],
) -> None:
    most = 0
    for text in range(len(offsets) - 1):
        most = max(most, offsets[text + 1] - offsets[text])
    token = np.empty(most + 2, np.uint64)
    rows = np.empty((most + 2) * 2 * min(max(model.buckets.longest, 1), most + 2), np.int32)
    hidden = np.empty(model.vectors.shape[1], np.float32)
    nodes = np.empty(model.labels + 1, np.int64)
    scores = np.empty(model.labels + 1, np.float64)
    for text in range(len(offsets) - 1):
        parts = _add_words(data, Hash(offsets[text]), Hash(offsets[text + 1]), model, token, rows, hidden)
        labels[text], probabilities[text] = -1, 0.0
        if parts:
            for k in range(len(hidden)):
                hidden[k] /= parts
            if len(model.left):
                labels[text], probabilities[text] = _top_leaf(hidden, model, nodes, scores)
            else:
                labels[text], probabilities[text] = _softmax(hidden, model, scores)


@inner
def _add_words(
    data: NDArray[np.uint8],
    i: Hash,
    end: Hash,
    model: Model,
    token: NDArray[np.uint64],
    rows: NDArray[np.int32],
    hidden: NDArray[np.float32],
) -> int:
    """Make `hidden` the sum of the rows of a text's words; returns how many rows."""
    for k in range(len(hidden)):
        hidden[k] = 0.0
    spaces, buckets, dictionary = model.spaces, model.buckets, model.dictionary
    parts, found = np.int64(0), _ZERO
    while i < end:
        start, size, state, space = i, 0, _OFFSET, _ZERO
        while i < end:
            space = _space(data, i, spaces)
            if space:
                break
            state = _append(state, data[i], token, size)
            size += 1
            i += ONE
        if size:
            entry = _find(data, start, size, state & _LOW, dictionary)
            if entry == model.end:
                break
            if entry < 0:
                if data[start] != _UNDERSCORE or not holds(data, np.int64(start), np.int64(i), _LABEL):
                    before = found
                    found = _ngrams(token, size, buckets, rows, found)
                    parts += np.int64(found - before)
            elif entry < model.words:
                rows[found] = entry
                found += ONE
                parts += model.parts[entry]
        i += space
    if model.end < model.words:
        rows[found] = model.end
        found += ONE
        parts += model.parts[model.end]
    _add(model.vectors, rows, found, hidden)
    return parts


@inner
def _space(data: NDArray[np.uint8], i: Hash, spaces: NDArray[np.uint8]) -> Hash:
    """How many bytes the white space at byte `i` has, 0 where there is none."""
    byte = Hash(data[i])
    if byte <= Hash(32):
        return Hash(spaces[byte])
    # No other byte starts one.
    if byte == Hash(0xC2):
        return Hash(spaces[Hash(data[i + ONE])]) << ONE
    if byte >= Hash(0xE1) and byte <= Hash(0xE3):
        point = (
            (byte & Hash(15)) << Hash(12)
            | (Hash(data[i + ONE]) & Hash(63)) << Hash(6)
            | (Hash(data[i + Hash(2)]) & Hash(63))
        )
        if point < Hash(len(spaces)) and spaces[point]:
            return Hash(3)
    return _ZERO


@inner
def _append(state: Hash, byte: int, token: NDArray[np.uint64], k: int) -> Hash:
    """Write byte k of a token, as fastText takes it, after its "<"; returns the hash with it."""
    value = Hash(byte)
    if value >= _CONTINUED:
        value |= _SIGN
    token[Hash(k + 1)] = value
    return (state ^ value) * _PRIME


@inner
def _find(data: NDArray[np.uint8], start: Hash, size: int, state: Hash, words: Dictionary) -> int:
    """The dictionary's entry for a token, or -1."""
    mask = Hash(len(words.slots) - 1)
    slot = state & mask
    while words.slots[slot] != EMPTY:
        entry = Hash(words.slots[slot])
        at = Hash(words.starts[entry])
        if words.hashes[entry] == state and words.starts[entry + ONE] - words.starts[entry] == size:
            k = _ZERO
            while k < Hash(size) and words.entries[at + k] == data[start + k]:
                k += ONE
            if k == Hash(size):
                return np.int64(entry)
        slot = (slot + ONE) & mask
    return -1


@inner
def _ngrams(
    token: NDArray[np.uint64],
    size: int,
    buckets: Buckets,
    rows: NDArray[np.int32],
    found: Hash,
) -> Hash:
    """Put the rows of the n-grams of a token of `size` bytes after the `found` first `rows`; returns how many now."""
    token[_ZERO], token[Hash(size + 1)] = _BEFORE, _AFTER
    end, many = Hash(size + 2), Hash(buckets.buckets)
    kept, first, shortest, longest = buckets.kept, buckets.first, Hash(buckets.shortest), Hash(buckets.longest)
    for start in range(end):
        if token[start] & _TOP_TWO == _CONTINUED:
            continue
        state, i, n = _OFFSET, Hash(start), ONE
        while i < end and n <= longest:
            state = (state ^ token[i]) * _PRIME
            i += ONE
            while i < end and token[i] & _TOP_TWO == _CONTINUED:
                state = (state ^ token[i]) * _PRIME
                i += ONE
            if n >= shortest and not (n == ONE and (start == _ZERO or i == end)):
                bucket = (state & _LOW) % many
                block, bit = kept[bucket >> _SIX], ONE << (bucket & _LAST)
                if block & bit:
                    rows[found] = np.int64(first[bucket >> _SIX]) + _ones(block & (bit - ONE))
                    found += ONE
            n += ONE
    return found


@inner
def _ones(bits: Hash) -> int:
    """How many bits are set: counted in pairs, fours and bytes, which a product adds up (Hacker's Delight, 5-1)."""
    bits -= (bits >> ONE) & _PAIRS
    bits = (bits & _FOURS) + ((bits >> Hash(2)) & _FOURS)
    return np.int64((((bits + (bits >> Hash(4))) & _BYTES) * _EACH) >> Hash(56))


@inner
def _add(vectors: NDArray[np.float32], rows: NDArray[np.int32], found: Hash, hidden: NDArray[np.float32]) -> None:
    """Add to `hidden` the `found` first of `rows`."""
    for f in range(found):
        row = Hash(rows[f])
        for k in range(Hash(len(hidden))):
            hidden[k] += vectors[row, k]


@inner
def _dot(output: NDArray[np.float32], row: int, hidden: NDArray[np.float32]) -> float:
    total = 0.0
    for k in range(len(hidden)):
        total += output[row, k] * hidden[k]
    return total


@inner
def _top_leaf(
    hidden: NDArray[np.float32], model: Model, nodes: NDArray[np.int64], scores: NDArray[np.float64]
) -> tuple[int, float]:
    """The most probable leaf: depth first, the last among equals, and nowhere that is less probable than the best."""
    best, top = math.log(_EPSILON), -1
    nodes[0], scores[0] = 2 * model.labels - 2, 0.0
    waiting = 1
    while waiting:
        waiting -= 1
        node, score = nodes[waiting], scores[waiting]
        if score < best:
            continue
        if node < model.labels:
            best, top = score, node
            continue
        inner_node = node - model.labels
        right = 1.0 / (1.0 + math.exp(-_dot(model.output, inner_node, hidden)))
        nodes[waiting], scores[waiting] = model.right[inner_node], score + math.log(right + _EPSILON)
        nodes[waiting + 1], scores[waiting + 1] = model.left[inner_node], score + math.log(1.0 - right + _EPSILON)
        waiting += 2
    return top, math.exp(best)


@inner
def _softmax(hidden: NDArray[np.float32], model: Model, scores: NDArray[np.float64]) -> tuple[int, float]:
    """The most probable label, the last among equals."""
    top, total = 0, 0.0
    for label in range(model.labels):
        scores[label] = _dot(model.output, label, hidden)
        if scores[label] >= scores[top]:
            top = label
    for label in range(model.labels):
        total += math.exp(scores[label] - scores[top])
    return top, 1.0 / total
