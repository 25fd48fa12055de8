"""Interpolated modified Kneser-Ney n-gram models (Chen and Goodman 1998, section 3.2), as KenLM's lmplz estimates them.

What goes in: lines of word ids. What comes out: for each order the n-grams that occur, with their probabilities and
back-off weights, written as an ARPA file, which KenLM and others read. What stays true: the probabilities after any
context sum to 1; nothing is pruned.

Every n-gram is a place in its order, and points at two of the order below: its context (all but the last word) and its
suffix (all but the first). All counts and sums are then sums over places.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# The ids of what is no word; those of words follow. They are SentencePiece's too, unless it is told otherwise.
UNKNOWN, BEGIN, END = 0, 1, 2
_NAMES = ["<unk>", "<s>", "</s>"]

# For an order whose counts of counts give no discounts, as in little text: those that lmplz then takes if asked.
FALLBACK = (0.5, 1.0, 1.5)
# So many rows of an ARPA file are written in one go.
_ROWS = 1 << 20


@dataclass(frozen=True)
class Grams:
    """The n-grams of one order, sorted by context and word; one entry for each in all arrays.

    `context` and `suffix` are places in the order below, int64; of unigrams, where `word` is the id, they are 0.
    `word` is a place among unigrams otherwise. `count` is how often it occurs, `begins` whether it starts with <s>.
    """

    context: NDArray[np.int64]
    suffix: NDArray[np.int64]
    word: NDArray[np.int64]
    count: NDArray[np.int64]
    begins: NDArray[np.bool_]


@dataclass(frozen=True)
class Order:
    """`grams` with log10 of their probabilities and of the weights for backing off from them, float64.

    `discounts` are those of n-grams counted once, twice and more; `by_fallback` where text was too little for them.
    """

    grams: Grams
    probability: NDArray[np.float64]
    backoff: NDArray[np.float64]
    discounts: tuple[float, float, float]
    by_fallback: bool


def estimate(stream: NDArray[np.int32], order: int) -> list[Order]:
    """The model of `stream`, lines end to end, each from BEGIN to END with ids above END between; `order` from 2 on.

    Adjusted counts are occurrences in the highest order and of what starts with <s>, and else the number of different
    words before. An unknown word has what the uniform distribution over the words, </s> and itself gives it.
    Raises ValueError for a stream without words.
    """
    if not (stream > END).any():
        raise ValueError("no text to make an n-gram model of: every line is empty")
    assert order >= 2, order
    counted = _count(stream, order)
    adjusted = [
        np.where(grams.begins, grams.count, np.bincount(above.suffix, minlength=len(grams.count)))
        for grams, above in pairwise(counted)
    ]
    adjusted[0][BEGIN] = 0
    adjusted.append(counted[-1].count)
    return _estimate(counted, adjusted)


def _count(stream: NDArray[np.int32], order: int) -> list[Grams]:
    """The n-grams of each order, lowest first: one sort of all positions for each."""
    positions = np.arange(len(stream))
    in_line = positions - np.maximum.accumulate(np.where(stream == BEGIN, positions, 0))
    types, words = np.unique(np.concatenate([np.array([UNKNOWN, BEGIN, END], np.int32), stream]), return_inverse=True)
    words = words[3:]
    nothing = np.zeros(len(types), np.int64)
    counts = np.bincount(words, minlength=len(types))
    found = [Grams(nothing, nothing, types.astype(np.int64), counts, types == BEGIN)]
    # Of the n-gram of the order below that ends at each position; those that would start in another line are not used.
    places = words
    for size in range(2, order + 1):
        ends = np.flatnonzero(in_line >= size - 1)
        keys, inverse, counts = np.unique(
            places[ends - 1] * len(types) + words[ends], return_inverse=True, return_counts=True
        )
        suffix = np.empty(len(keys), np.int64)
        suffix[inverse] = places[ends]
        context, word = np.divmod(keys, len(types))
        found.append(Grams(context, suffix, word, counts, found[-1].begins[context]))
        places = np.zeros(len(stream), np.int64)
        places[ends] = inverse
    return found


def _estimate(counted: Sequence[Grams], adjusted: Sequence[NDArray[np.int64]]) -> list[Order]:
    uniform = 1 / (len(counted[0].word) - 1)
    lower = np.full(1, uniform)
    orders: list[tuple[NDArray[np.float64], tuple[float, float, float], bool]] = []
    weights = []
    for grams, counts in zip(counted, adjusted, strict=True):
        discounts, by_fallback = _discounts(counts)
        taken = np.array([0, *discounts])[np.minimum(counts, 3)]
        totals = np.bincount(grams.context, counts, len(lower))
        with np.errstate(invalid="ignore"):
            backoff = np.bincount(grams.context, taken, len(lower)) / totals
        # What is no context of anything hands all on.
        weights.append(np.where(totals > 0, backoff, 1.0))
        lower = (counts - taken) / totals[grams.context] + backoff[grams.context] * lower[grams.suffix]
        orders.append((lower, discounts, by_fallback))
    weights.append(np.ones(len(lower)))
    # <s> is given and never predicted.
    orders[0][0][BEGIN] = 1
    return [
        Order(grams, np.minimum(np.log10(p), 0), np.log10(weight), discounts, by_fallback)
        for grams, (p, discounts, by_fallback), weight in zip(counted, orders, weights[1:], strict=True)
    ]


def _discounts(counts: NDArray[np.int64]) -> tuple[tuple[float, float, float], bool]:
    """Equation 26 of Chen and Goodman, from how many n-grams are counted once to four times; and whether it failed."""
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(np.float64)
    if n[1:4].all():
        y = n[1] / (n[1] + 2 * n[2])
        one, two, more = (k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))
        if 0 <= one <= 1 and 0 <= two <= 2 and 0 <= more <= 3:
            return (float(one), float(two), float(more)), False
    return FALLBACK, True


def write_arpa(file: IO[bytes], orders: Sequence[Order], names: Sequence[str]) -> None:
    """The model in ARPA's format; `names` are the words by id, none with white space in it."""
    head = "".join(f"ngram {n}={len(order.grams.word)}\n" for n, order in enumerate(orders, 1))
    file.write(f"\\data\\\n{head}".encode())
    types = pa.array([*_NAMES, *names[len(_NAMES) :]]).take(pa.array(orders[0].grams.word))
    for n, order in enumerate(orders, 1):
        file.write(f"\n\\{n}-grams:\n".encode())
        for start in range(0, len(order.grams.word), _ROWS):
            rows = np.arange(start, min(start + _ROWS, len(order.grams.word)))
            columns = [_shortest(order.probability[rows]), _words(orders[:n], rows, types)]
            if n < len(orders):
                columns.append(_shortest(order.backoff[rows]))
            lines = pc.binary_join_element_wise(*columns, "\t")
            file.write(("\n".join(lines.to_pylist()) + "\n").encode())
    file.write(b"\n\\end\\\n")


def _words(orders: Sequence[Order], rows: NDArray[np.int64], types: pa.Array) -> pa.Array:
    """The words of n-grams of the last of `orders`, with a space between them."""
    columns = []
    for order in reversed(orders[1:]):
        columns.append(types.take(pa.array(order.grams.word[rows])))
        rows = order.grams.context[rows]
    columns.append(types.take(pa.array(rows)))
    return pc.binary_join_element_wise(*reversed(columns), " ")


def _shortest(numbers: NDArray[np.float64]) -> pa.Array:
    # KenLM keeps no more; and without the zero, some would be -0.
    return pc.cast(pa.array(numbers.astype(np.float32) + np.float32(0)), pa.string())
