"""Pages that are cited: lists of their URLs, and whether one of these holds a page of the crawl.

Llama-1's positives are the pages that Wikipedia uses as references (Touvron et al. 2023, arXiv:2302.13971).
In come lists, a URL a line, plain or compressed, and URLs; out comes which URLs are listed. What stays true: the
spelling of a URL plays no part on either side (`corpus.urls.cited_key`), and a line that is no URL is an error.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import xxhash
from numpy.typing import NDArray

from corpus.urls import archived, cited_key
from sources.mediawiki import opened

_BATCH = 1 << 16


def keys(url: str) -> list[str]:
    """What a citation of `url` cites: its page, and, if it is an archive's copy, the page that this is a copy of."""
    original = archived(url)
    found = [cited_key(url)] + ([cited_key(original)] if original else [])
    return [key for key in found if key]


def listed(path: str) -> Iterator[str]:
    """The key of each URL on a list; an empty line and one that starts with "#" say nothing.

    Raises ValueError, which names the line, for one that is no URL of a web page, and for a damaged file.
    """
    with opened(path) as file:
        for number, line in enumerate(file.lines(), start=1):
            text = line.decode("utf-8", "replace").removeprefix("\ufeff").strip()
            if not text or text.startswith("#"):
                continue
            key = cited_key(text)
            if not key:
                raise ValueError(
                    f'{path}, line {number:,}: {text[:100]!r} is no URL of a web page; write "https://example.org/a", '
                    'with or without the scheme, or start the line with "#"'
                )
            yield key


@dataclass(frozen=True)
class Cited:
    """The URLs of one or more lists. `hashes` are uint64, of their keys, sorted and each once.

    A URL that no list holds is taken for a listed one with a probability of 3e-12 for a list of 60 million.
    """

    hashes: NDArray[np.uint64]

    @classmethod
    def load(cls, paths: Sequence[str]) -> "Cited":
        """Reads lists: 8 bytes of memory a line, twice that while loading. Raises ValueError as `listed` does."""
        found = chain.from_iterable(map(listed, paths))
        batches = [np.empty(0, np.uint64)]
        while batch := list(islice(found, _BATCH)):
            batches.append(_hashes(batch))
        hashes = np.concatenate(batches)
        # numpy.unique of millions of uint64 hashes them, which takes fifty times as long.
        hashes.sort()
        return cls(hashes[np.diff(hashes, prepend=~hashes[:1]) != 0])

    def holds(self, urls: Sequence[str]) -> NDArray[np.bool_]:
        """For each URL, in any spelling, whether a list has its page; False for "" and what else is no URL of one."""
        hashes = _hashes([cited_key(url) for url in urls])
        if not len(self.hashes):
            return np.zeros(len(urls), np.bool_)
        places = np.searchsorted(self.hashes, hashes)
        # The key of what is no URL is on no list.
        return np.asarray(self.hashes[np.minimum(places, len(self.hashes) - 1)] == hashes)


def _hashes(pages: Sequence[str]) -> NDArray[np.uint64]:
    return np.fromiter((xxhash.xxh3_64_intdigest(page.encode()) for page in pages), np.uint64, len(pages))
