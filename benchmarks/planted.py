"""Documents of which it is known which are near-duplicates, and by how much: to hold a deduplication to the truth.

In come pages; out come their texts cut into windows, each in one pair, one chain or the template. What stays true: the
similarities are counted over `kernels.signatures.shingles`, not aimed at; nearly all n-grams of a window are in no
other, so documents of different pairs are unlike each other; the same pages, number and seed give the same texts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.inputs import MINHASH
from benchmarks.mutations import Mutations, text_of
from kernels.signatures import shingles
from kernels.texts import Texts

# The lower ends; the last bin ends at 1.
BINS = tuple(step / 20 for step in range(10, 20))
WIDTH = 0.05
# Of every thousand documents that were asked for; a template's pages are the rest of a corpus's bulk.
PAIRS_A_BIN, CHAINS, TEMPLATE_PAGES = 6, 1, 100
# Each document of a chain of four is so like the one before it, and the last is far from the first.
CHAIN = (0.78, 0.85)
LINKS = 4
# Of a page that is made from the template, how much of it is the template.
SHARED = (0.60, 0.75)
# Words of a window, and its least distinct n-grams: with fewer, one changed word is a large step.
WINDOW = (230, 450)
MIN_SHINGLES = 200
# The share of a window's n-grams that no window before it may have.
OWN = 0.95
TRIES = 20


@dataclass(frozen=True)
class Pair:
    """Places of two documents, and the Jaccard similarity of their n-grams."""

    first: int
    second: int
    jaccard: float


@dataclass(frozen=True)
class Planted:
    """`texts`, and what is where among them: pairs by bin, chains of `LINKS` places, the pages of the template."""

    texts: list[str] = field(default_factory=list)
    pairs: dict[float, list[Pair]] = field(default_factory=lambda: {low: [] for low in BINS})
    chains: list[list[int]] = field(default_factory=list)
    template: list[int] = field(default_factory=list)

    def add(self, words: Sequence[str]) -> int:
        self.texts.append(text_of(words))
        return len(self.texts) - 1


def similarity(a: str, b: str) -> float:
    """The Jaccard similarity of two texts' sets of n-grams."""
    first, second = (np.unique(hashes) for hashes in shingles(Texts.of([a, b]), MINHASH["ngram"]))
    common = len(np.intersect1d(first, second, assume_unique=True))
    return common / (len(first) + len(second) - common)


def plant(pages: Sequence[str], documents: int, seed: int) -> Planted:
    """Pairs, chains and a template's pages as `documents` asks for; fewer pairs where the pages are too few.

    Raises `click.UsageError` where no page does for anything.
    """
    random = Random(seed)
    mutations = Mutations(pages, random)
    planted = Planted()
    windows = _windows(mutations)
    template = next(windows, None)
    if template is None:
        raise click.UsageError(
            f"none of the {len(pages):,} English pages has {WINDOW[0]} words with {MIN_SHINGLES} distinct n-grams; "
            "name more by --pages"
        )
    thousands = documents / 1000
    _template(planted, mutations, template, round(TEMPLATE_PAGES * thousands))
    _chains(planted, mutations, windows, max(1, round(CHAINS * thousands)))
    _pairs(planted, mutations, windows, max(1, round(PAIRS_A_BIN * thousands)))
    return planted


def _windows(mutations: Mutations) -> Iterator[list[str]]:
    """Parts of pages that have little in common with each other, in random order."""
    windows: list[list[str]] = []
    for page in mutations.pages:
        start = 0
        while len(page) - start >= WINDOW[0]:
            size = mutations.random.randint(*WINDOW)
            windows.append(page[start : start + size])
            start += size
    mutations.random.shuffle(windows)
    hashes = [np.unique(each) for each in shingles(Texts.of([text_of(w) for w in windows]), MINHASH["ngram"])]
    for window, distinct, own in zip(windows, hashes, _own(hashes), strict=True):
        if len(distinct) >= MIN_SHINGLES and own >= OWN * len(distinct):
            yield window


def _own(hashes: Sequence[NDArray[np.uint64]]) -> NDArray[np.int64]:
    """How many of each window's n-grams no window before it has."""
    owner = np.repeat(np.arange(len(hashes)), [len(each) for each in hashes])
    _, first = np.unique(np.concatenate([np.empty(0, np.uint64), *hashes]), return_index=True)
    return np.bincount(owner[first], minlength=len(hashes))


def _near(mutations: Mutations, words: Sequence[str], low: float, high: float) -> tuple[list[str], float] | None:
    """The words edited to a similarity of `low` up to `high`, and that; None if no try came out there."""
    for _ in range(TRIES):
        edited = mutations.edited(words, mutations.random.uniform(low, high))
        jaccard = similarity(text_of(words), text_of(edited))
        if low <= jaccard < high:
            return edited, jaccard
    return None


def _pairs(planted: Planted, mutations: Mutations, windows: Iterator[list[str]], wanted: int) -> None:
    """The first of each pair, then the second of each, so that the two are in different files."""
    found: dict[float, list[tuple[list[str], list[str], float]]] = {low: [] for low in BINS}
    for window in windows:
        low = min(BINS, key=lambda each: len(found[each]))
        if len(found[low]) == wanted:
            break
        if near := _near(mutations, window, low, low + WIDTH):
            found[low].append((window, *near))
    firsts = {low: [planted.add(first) for first, _, _ in of_bin] for low, of_bin in found.items()}
    for low, of_bin in found.items():
        for first, (_, second, jaccard) in zip(firsts[low], of_bin, strict=True):
            planted.pairs[low].append(Pair(first, planted.add(second), jaccard))


def _chains(planted: Planted, mutations: Mutations, windows: Iterator[list[str]], wanted: int) -> None:
    for window in windows:
        chain = [window]
        while len(chain) < LINKS and (near := _near(mutations, chain[-1], *CHAIN)):
            chain.append(near[0])
        if len(chain) == LINKS:
            planted.chains.append([planted.add(words) for words in chain])
        if len(planted.chains) == wanted:
            return


def _template(planted: Planted, mutations: Mutations, template: Sequence[str], wanted: int) -> None:
    """Pages of which so much is the same: its first half at the head, the second at the foot, their own between."""
    half = len(template) // 2
    for _ in range(wanted):
        shared = mutations.random.uniform(*SHARED)
        own = mutations.different(round(len(template) * (1 - shared) / shared))
        planted.template.append(planted.add([*template[:half], *own, *template[half:]]))
