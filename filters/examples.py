"""What a classifier learns from: positives and pages of the crawl that differ in nothing that is not to be learnt.

In come two tables of documents; out come labelled texts. What stays true: which documents are taken depends on what
they are and never on their order; no page is taken from a host, or with the text, of a positive; and in every language
and at every length there are as many positives to a page, so that neither tells the classes apart. Documents are left
out for that and never cut: a model of cut texts scored whole ones by their length all the same (docs/experiments.md).
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from corpus.hashing import keyed, mix
from kernels.signatures import text_hashes
from kernels.texts import Texts

# A host with more of a class than this is no part of the web but all of it, and its documents are split by their texts.
MOST_OF_A_CLASS = 0.1
# Lengths of a bin differ by less than the square root of 2.
BINS_PER_DOUBLING = 2
# How many positives to a page are tried, the most even ratios first.
_RATIOS = 2.0 ** np.array(sorted(np.arange(-3, 3.25, 0.25), key=lambda power: (abs(power), power)))
_ONE = np.uint64(1)


@dataclass(frozen=True, slots=True)
class Examples:
    """`labels` are 1 for a positive and 0 for a page of the crawl; `sides` are those of `sides_of`, with the hosts in
    `split_hosts` split by text. `left_out` counts the documents that are no examples, by the reason why.
    """

    texts: Texts
    labels: NDArray[np.int8]
    sides: NDArray[np.int64]
    left_out: dict[str, int]
    split_hosts: tuple[str, ...] = ()

    def take(self, rows: NDArray[np.integer]) -> Self:
        """Those examples, in that order."""
        texts = Texts.of(
            self.texts.to_arrow().take(pa.array(rows)),
            [self.texts.languages[row] for row in rows],
            [self.texts.urls[row] for row in rows],
        )
        return type(self)(texts, self.labels[rows], self.sides[rows], self.left_out, self.split_hosts)


def hosts_of(urls: Sequence[str | None]) -> list[str | None]:
    """The host of each URL, in lower case; None where it has none."""
    return [_host(url) if url and "://" in url else None for url in urls]


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # "http://[" starts an address that does not end
        return None


def sites_of(texts: Texts, split_hosts: Collection[str]) -> NDArray[np.uint64]:
    """A number for each text: of its host, so that a site's style learnt from one page does not decide over its others;
    of the text, whatever its case and white space, where it has no host or the host is one of `split_hosts`.
    """
    sites = mix(text_hashes(texts)[:, 0])
    apart = frozenset(split_hosts)
    for row, host in enumerate(hosts_of(texts.urls)):
        if host and host not in apart:
            sites[row] = xxhash.xxh3_64_intdigest(host.encode())
    return sites


def sides_of(texts: Texts, split_hosts: Collection[str]) -> NDArray[np.int64]:
    """0 or 1 for each text, the same for all of a site."""
    return (sites_of(texts, split_hosts) & _ONE).astype(np.int64)


def choose(
    positives: pa.Table, pages: pa.Table, *, seed: int, most: int = 20_000, match_length: bool = True
) -> Examples:
    """Examples of both classes, at most `most` of each, positives first.

    The tables have the columns url and language (null where not known), text, and id (uint64; positives may do
    without). Documents are drawn by hashes of their ids. Of texts that are equal but for case and white space one is
    taken. Lengths are in bytes, in bins of half a doubling. Raises ValueError where a class has no document or none is
    left, with what they were left out for.
    """
    left_out: Counter[str] = Counter()
    known = [_drawn(table, seed, left_out) for table in (positives, pages)]
    for (documents, _), name in zip(known, ("positives", "pages"), strict=True):
        if not len(documents):
            raise ValueError(f"there are no {name} with a text, so there is nothing to learn; give some")
    known[1] = _without(known[0], known[1], left_out)
    documents = pa.concat_tables([known[0][0], known[1][0]]).combine_chunks()
    labels = np.repeat(np.array([1, 0], np.int8), [len(known[0][0]), len(known[1][0])])
    kept = _matched(documents, labels, match_length, left_out)
    chosen = []
    for label in (1, 0):
        rows = kept[labels[kept] == label]
        left_out["over_the_most"] += max(0, len(rows) - most)
        chosen.append(rows[:most])
    rows = np.concatenate(chosen)
    texts = _texts(documents.take(pa.array(rows)))
    split = _large_hosts(texts, labels[rows])
    return Examples(texts, labels[rows], sides_of(texts, split), {k: n for k, n in left_out.items() if n}, split)


_Documents = tuple[pa.Table, NDArray[np.uint64]]


def _texts(documents: pa.Table) -> Texts:
    text = documents["text"].cast(pa.large_string()).combine_chunks()
    return Texts.of(text, documents["language"].to_pylist(), documents["url"].to_pylist())


def _drawn(table: pa.Table, seed: int, left_out: Counter[str]) -> _Documents:
    """The documents that have a text, in the order in which they are drawn, one of each text, with its hash."""
    texts = _texts(table)
    hashes = text_hashes(texts)[:, 0]
    ids = table["id"].to_numpy().astype(np.uint64) if "id" in table.column_names else hashes
    order = np.lexsort((hashes, keyed(ids, "examples", seed)))
    order = order[hashes[order] != text_hashes(Texts.of([""]))[0, 0]]
    left_out["no_text"] += len(texts) - len(order)
    _, first = np.unique(hashes[order], return_index=True)
    left_out["text_twice"] += len(order) - len(first)
    rows = order[np.sort(first)]
    return table.select(["url", "language", "text"]).take(pa.array(rows)), hashes[rows]


def _without(positives: _Documents, pages: _Documents, left_out: Counter[str]) -> _Documents:
    """The pages less those of the positives' hosts and those with their texts. Raises ValueError where none is left."""
    known = set(hosts_of(positives[0]["url"].to_pylist())) - {None}
    by_host = np.array([host in known for host in hosts_of(pages[0]["url"].to_pylist())], bool)
    by_text = np.isin(pages[1], positives[1]) & ~by_host
    left_out["host_of_a_positive"] += int(by_host.sum())
    left_out["text_of_a_positive"] += int(by_text.sum())
    rows = np.flatnonzero(~(by_host | by_text))
    if not len(rows):
        raise ValueError(
            f"no page is left to tell positives from: {by_host.sum():,} are of a positive's host and {by_text.sum():,} "
            "have a positive's text; give pages of the whole crawl, drawn at random"
        )
    return pages[0].take(pa.array(rows)), pages[1][rows]


def _matched(
    documents: pa.Table, labels: NDArray[np.int8], match_length: bool, left_out: Counter[str]
) -> NDArray[np.int64]:
    """The rows to keep, ascending, so that every language and bin of lengths has as many positives to a page.

    How many that are is chosen so that the harmonic mean of both classes' counts is largest.
    """
    names = [language or "" for language in documents["language"].to_pylist()]
    _, languages = np.unique(np.array(names, object).astype(str), return_inverse=True)
    per_language = np.array(
        [np.bincount(languages[labels == label], minlength=languages.max() + 1) for label in (0, 1)]
    )
    common = np.all(per_language > 0, axis=0)[languages]
    left_out["language_not_matched"] += int((~common).sum())
    if not common.any():
        of_class = [
            {name or "unknown" for name, k in zip(names, labels, strict=True) if k == label} for label in (1, 0)
        ]
        positives, pages = (", ".join(sorted(found)) for found in of_class)
        raise ValueError(
            f"positives ({positives}) and pages ({pages}) have no language in common, so a model would learn the "
            "language; give both classes in the same one"
        )
    sizes = np.diff(_texts(documents).offsets)
    bins = np.floor(np.log2(sizes) * BINS_PER_DOUBLING).astype(np.int64) if match_length else np.zeros_like(sizes)
    _, cells = np.unique(languages * 1000 + bins, return_inverse=True)
    cells[~common] = cells.max() + 1
    counts = np.array([np.bincount(cells[common & (labels == k)], minlength=cells.max() + 1) for k in (0, 1)])
    most = max((_within(counts, ratio) for ratio in _RATIOS), key=_harmonic)
    reason = "length_not_matched" if match_length else "language_not_matched"
    left_out[reason] += int(common.sum() - most.sum())
    if not most.sum(axis=1).all():
        lengths = [f"{np.median(sizes[common & (labels == k)]):,.0f}" for k in (1, 0)]
        raise ValueError(
            f"positives (half of them over {lengths[0]} bytes) and pages ({lengths[1]}) have no length in common, so a "
            "model would learn the length; cut the longer ones into texts as long as the others"
        )
    kept = [
        rows[_place_in_cell(cells[rows]) < most[k][cells[rows]]]
        for k in (0, 1)
        for rows in [np.flatnonzero(labels == k)]
    ]
    return np.sort(np.concatenate(kept))


def _within(counts: NDArray[np.int64], ratio: float) -> NDArray[np.int64]:
    """How many pages and positives, (2, cells), stay of so many, with `ratio` positives to a page in every cell."""
    pages, positives = counts
    return np.minimum(counts, np.array([positives / ratio, pages * ratio]).astype(np.int64))


def _harmonic(counts: NDArray[np.int64]) -> float:
    pages, positives = counts.sum(axis=1).tolist()
    return float(pages * positives / max(1, pages + positives))


def _place_in_cell(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each entry, how many of its cell come before it."""
    order = np.argsort(cells, kind="stable")
    starts = np.searchsorted(cells[order], cells[order])
    places = np.empty_like(order)
    places[order] = np.arange(len(cells)) - starts
    return places


def _large_hosts(texts: Texts, labels: NDArray[np.int8]) -> tuple[str, ...]:
    """The hosts that have more than MOST_OF_A_CLASS of one."""
    found: set[str] = set()
    hosts = hosts_of(texts.urls)
    for label in (0, 1):
        rows = np.flatnonzero(labels == label).tolist()
        counts = Counter(host for row in rows if (host := hosts[row]))
        found |= {host for host, count in counts.items() if count > max(1, MOST_OF_A_CLASS * len(rows))}
    return tuple(sorted(found))
