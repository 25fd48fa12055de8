"""Hashed word uni- and bigrams, and a linear model over them.

In come a batch of texts and its words; out come sparse counts to learn from, or the scores of what was learnt. What
stays true: both see the same features, so a score is what scikit-learn would give.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.compiled import inner, kernel
from kernels.hashing import Hash, mixed
from kernels.texts import Texts
from kernels.words import Words


def bags(texts: Texts, features: int) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """The rows of a CSR matrix of `features` columns: indices (not sorted, none twice in a row), values and where rows
    start. A row's values are its counts divided by their Euclidean length.

    A feature is the hash of a word's letters, digits and marks without case, or of two such in a row. `features` is a
    power of 2.
    """
    most = 2 * len(texts.words.normal)
    indices, values = np.empty(most, np.int32), np.empty(most, np.float32)
    starts = np.zeros(len(texts) + 1, np.int64)
    _collect(texts.words, np.zeros(features, np.int32), indices, values, starts)
    return indices[: starts[-1]].copy(), values[: starts[-1]].copy(), starts


@kernel
def _collect(
    words: Words,
    counts: NDArray[np.int32],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    starts: NDArray[np.int64],
) -> None:
    """`counts` come as zeros and leave as zeros."""
    n = 0
    for text in range(len(starts) - 1):
        begin, before = n, Hash(0)
        for word in range(words.first[text], words.first[text + 1]):
            normal = words.normal[word]
            if normal == 0:
                continue
            for feature in range(2 if before else 1):
                place = _place(mixed(before, normal) if feature else normal, len(counts))
                if counts[place] == 0:
                    indices[n] = place
                    n += 1
                counts[place] += 1
            before = normal
        squares = 0
        for k in range(begin, n):
            squares += counts[indices[k]] * counts[indices[k]]
        for k in range(begin, n):
            values[k] = counts[indices[k]] / np.sqrt(squares)
            counts[indices[k]] = 0
        starts[text + 1] = n


@inner
def _place(feature: Hash, size: int) -> int:
    # The golden ratio's multiples spread over the high bits (Knuth, volume 3, section 6.4).
    return np.int64((feature * Hash(0x9E3779B97F4A7C15)) >> Hash(32)) & (size - 1)


def decide(texts: Texts, weights: NDArray[np.float64], models: NDArray[np.int64]) -> NDArray[np.float64]:
    """For text i the decision of model `models[i]`; `weights` are (models, features + 1) with the intercept last."""
    indices, values, starts = bags(texts, weights.shape[1] - 1)
    # Mapped from a file they cannot be written, and a kernel for those that can would be another one.
    weights = weights.view(np.ndarray)
    weights.setflags(write=False)
    out = np.empty(len(texts))
    _decide(indices, values, starts, weights, models, out)
    return out


@kernel
def _decide(
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    starts: NDArray[np.int64],
    weights: NDArray[np.float64],
    models: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    for text in range(len(out)):
        model = weights[models[text]]
        total = model[len(model) - 1]
        for k in range(starts[text], starts[text + 1]):
            total += model[indices[k]] * values[k]
        out[text] = total
