"""A page's documents in a finished run, by its URL.

In come the run's parts and a URL as a person has it; out come the ids of its documents. What stays true: the URLs are
gone through once, a batch at a time, and what is held of them is those of the same page and a few of its host.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards
from corpus.urls import cited_key, same_url
from pipeline.finished import Part

ROWS = 1 << 16
# URLs that are offered where there is none of that page, and of how many these are the most similar.
NEAREST, CANDIDATES = 5, 500


@dataclass(frozen=True)
class Pages:
    """Ids of documents at that very URL, and of others of the same page; where there are neither, its `nearest` URLs,
    the most similar ones of the host.
    """

    exact: NDArray[np.uint64]
    same: NDArray[np.uint64]
    nearest: list[str]


def search(parts: Iterable[Part], url: str) -> Pages:
    """The documents of the page at `url`: http and https, with and without "www." or a "/" at the end, are one page."""
    key = _key(url)
    host = key.partition("/")[0]
    # A host in Punycode may stand in the run in Unicode, so that every URL has to be looked at.
    pattern = "" if "xn--" in host else host
    exact, same = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    nearest: list[str] = []
    for part in parts:
        for batch in shards.batches(part.documents, ["id", "url"], ROWS):
            here = batch.filter(pc.match_substring(batch["url"], pattern, ignore_case=True))
            equal = pc.equal(here["url"], url)
            exact.append(here["id"].filter(equal).to_numpy())
            others = here.filter(pc.invert(equal))
            keys = [_key(other) for other in others["url"].to_pylist()]
            same.append(others["id"].filter(pa.array([other == key for other in keys], pa.bool_())).to_numpy())
            of_host = {
                other for other, known in zip(others["url"].to_pylist(), keys, strict=True) if _host(known) == host
            }
            nearest = heapq.nlargest(CANDIDATES, of_host.union(nearest), key=lambda other: (_shared(url, other), other))
    return Pages(np.concatenate(exact), np.concatenate(same), get_close_matches(url, nearest, NEAREST, 0))


def _key(url: str) -> str:
    """What is equal for URLs of the same page; a name that is no web page's stands for itself."""
    return cited_key(url) or same_url(url)


def _host(key: str) -> str:
    return key.partition("/")[0]


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
