"""Which examples there are enough of to learn from, and how they are divided to be learnt from and held out.

In come the labels, sides and sites of examples; out come counts and numbers of parts. What stays true: what counts is
sites and not examples, since a hundred pages of one site teach no more than what that site looks like.
"""

import numpy as np
from numpy.typing import NDArray

from corpus.hashing import keyed
from filters.examples import Examples

# The fewest sites of a class that a model learns from or that one is held back from.
LEAST_SITES = 5
# What a language's own words say takes some hundred examples of a class to learn. And where nearly all examples are of
# one language, the model of all is its own.
LEAST_OF_A_LANGUAGE, MOST_OF_ALL = 500, 0.9
# How many the examples are divided into, to calibrate on what a model has not seen.
PARTS = 3


def too_few(
    labels: NDArray[np.int8], sides: NDArray[np.int64], sites: NDArray[np.uint64], folds: int
) -> tuple[int, str, int] | None:
    """A side, or all of them, with too few sites of a class: the side, the class and how many there are."""
    for fold in range(folds):
        for label, name in ((1, "positives"), (0, "pages")):
            there = (labels == label) & ((sides == fold) | (folds == 1))
            count = len(np.unique(sites[there]))
            if count < LEAST_SITES:
                return fold, name, count
    return None


def own_languages(
    examples: Examples, languages: NDArray[np.object_], sites: NDArray[np.uint64], folds: int
) -> list[str]:
    """Those with enough of both classes for a model of their own."""
    found = []
    for language in sorted(set(languages) - {""}):
        rows = languages == language
        counts = np.bincount(examples.labels[rows], minlength=2)
        enough = counts.min() >= LEAST_OF_A_LANGUAGE and rows.mean() <= MOST_OF_ALL
        if enough and not too_few(examples.labels[rows], examples.sides[rows], sites[rows], folds):
            found.append(language)
    return found


def parts_of(labels: NDArray[np.int8], sites: NDArray[np.uint64], seed: int) -> NDArray[np.int64]:
    """For each example 0, 1 or 2, the same for a class's examples of a site, and as many sites of a class in each."""
    parts = np.empty(len(labels), np.int64)
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        found, places = np.unique(keyed(sites[rows], "calibration", seed), return_inverse=True)
        parts[rows] = (np.arange(len(found)) % PARTS)[places]
    return parts
