"""MinHash-LSH's parameters: how bands and rows decide which pairs of documents are looked at.

Two documents become candidates when all rows of one band of their signatures agree, which happens with probability
1 - (1 - J**rows)**bands for the Jaccard similarity J of their shingles (Broder 1997; Leskovec et al., Mining of Massive
Datasets, section 3.4).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# 14 bands of 8, as FineWeb has them.
PERMUTATIONS = 112


def chance(similarity: float | NDArray[np.float64], bands: int, rows: int) -> NDArray[np.float64]:
    """The probability that documents of that Jaccard similarity become candidates."""
    return np.asarray(1 - (1 - np.asarray(similarity) ** rows) ** bands)


@lru_cache
def best_bands(threshold: float, permutations: int = PERMUTATIONS) -> tuple[int, int]:
    """(bands, rows) with the least sum of chances to take a pair below the threshold and to miss one above it.

    Both are integrals over the similarity, as datasketch weighs them by default (Zhu et al. 2016, LSH Ensemble).
    """
    edges = np.linspace(0, 1, 2001)
    middle = (edges[1:] + edges[:-1]) / 2
    below = middle < threshold
    options = [(b, r) for b in range(1, permutations + 1) for r in range(1, permutations // b + 1)]

    def error(option: tuple[int, int]) -> float:
        taken = chance(middle, *option)
        return float(taken[below].sum() + (1 - taken[~below]).sum())

    return min(options, key=error)
