"""Near-duplicates by MinHash-LSH: band hashes from everywhere in (`kernels.signatures.band_hashes`), clusters out.

Two documents become candidates when all rows of one band of their signatures agree, which happens with probability
1 - (1 - J**rows)**bands for Jaccard similarity J of their word n-grams (Broder 1997; FineWeb: 14 bands x 8 rows of
5-grams). What stays true: a band hash depends on the text, bands, rows and n-gram length and on nothing else, and a
cluster's representative is its smallest index.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def clusters(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row of (n, bands) the smallest index of its cluster; sharing one band hash joins two rows."""
    starts, ends = [], []
    for band in hashes.T:
        order = np.argsort(band, kind="stable")
        # Next to each other after sorting: equal hashes form a chain, and a chain is one component.
        same = (band[order][1:] == band[order][:-1]) & (band[order][1:] != 0)
        starts.append(order[:-1][same])
        ends.append(order[1:][same])
    edges = (np.concatenate(starts), np.concatenate(ends))
    n = len(hashes)
    graph = coo_array((np.ones(len(edges[0]), bool), edges), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    return np.asarray(first[component], np.int64)
