"""The words and pairs of words that texts use most, with their names: what a model's weights are shown by."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.bag_of_words import feature_hashes, places
from kernels.texts import Texts

# So many texts, at equal distances, and so many features of theirs: enough for every word that is not rare.
TEXTS, FEATURES = 2_000, 20_000


class WordFeatures(NamedTuple):
    """`hashes` are those of kernels/bag_of_words.py, `names` the words in lower case with a space between two."""

    hashes: NDArray[np.uint64]
    names: list[str]


def frequent(texts: Texts, columns: int) -> WordFeatures:
    """The features that occur most often, of several that a table of so many `columns` cannot tell apart one."""
    rows = np.arange(0, len(texts), max(1, len(texts) // TEXTS))
    some = Texts.of(texts.to_arrow().take(rows))
    found, first, last = feature_hashes(some)
    hashes, place, counts = np.unique(found, return_index=True, return_counts=True)
    order = np.lexsort((hashes, -counts))
    _, best = np.unique(places(hashes[order], columns), return_index=True)
    chosen = order[np.sort(best)[:FEATURES]]
    data, words = bytes(some.data), some.words
    spelt = [
        " ".join(_spelt(data[words.start[w] : words.start[w] + words.size[w]]) for w in dict.fromkeys((one, other)))
        for one, other in zip(first[place[chosen]].tolist(), last[place[chosen]].tolist(), strict=True)
    ]
    return WordFeatures(hashes[chosen], spelt)


def _spelt(word: bytes) -> str:
    """Without the signs around it, which play no part."""
    text = word.decode().lower()
    spoken = [place for place, character in enumerate(text) if character.isalnum()]
    return text[spoken[0] : spoken[-1] + 1] if spoken else text
