"""Who repeats whom, by pairs and by the index, against a plain search."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import overlap
from kernels.similarity import Documents, Loaded, Rule

THRESHOLDS = [1 / 3, 0.5, 2 / 3, 0.7, 0.8, 0.9, 1.0]


@dataclass
class Page:
    shingles: set[int]
    keys: set[int]
    earlier: bool = False
    sketch: list[int] = field(default_factory=lambda: [0] * 4)


def twin_similarity(one: Page, other: Page, rule: Rule) -> float:
    """0 for no candidates."""
    shared, fewest = len(one.keys & other.keys), min(len(one.keys), len(other.keys))
    if shared == 0 or (not rule.jaccard and 2 * shared < fewest):
        return 0
    if one.earlier:
        equal = sum(a == b for a, b in zip(one.sketch, other.sketch, strict=True)) / len(one.sketch)
        return max(0, (equal - 1 / 256) / (1 - 1 / 256)) if rule.jaccard else shared / len(other.keys)
    both = len(one.shingles & other.shingles)
    whole = len(one.shingles | other.shingles) if rule.jaccard else len(other.shingles)
    return both / whole if whole else 0


def twin_search(page: Page, stayers: Sequence[tuple[int, Page]], rule: Rule) -> tuple[int, float]:
    for place, stayer in stayers if not page.earlier else ():
        similarity = twin_similarity(stayer, page, rule)
        if similarity >= rule.threshold:
            return place, similarity
    return -1, 0


def twin_decide(pages: Sequence[Page], rule: Rule) -> list[tuple[int, float]]:
    stayers: list[tuple[int, Page]] = []
    found = []
    for place, page in enumerate(pages):
        found.append(twin_search(page, stayers, rule))
        if found[-1][0] < 0:
            stayers.append((place, page))
    return found


def frozen(values: Sequence[int], kind: type = np.int64) -> np.ndarray:
    array = np.array(values, kind)
    array.setflags(write=False)
    return array


def flat(sets: Sequence[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    first = np.append(0, np.cumsum([len(s) for s in sets]))
    return frozen(first), frozen([value for s in sets for value in sorted(s)], np.uint64)


def documents(pages: Sequence[Page]) -> Documents:
    key_first, keys = flat([page.keys for page in pages])
    sketch = np.array([page.sketch for page in pages], np.uint8).reshape(len(pages), 4)
    sketch.setflags(write=False)
    return Documents(frozen([page.earlier for page in pages], np.bool_), key_first, keys, sketch)


def loaded(pages: Sequence[Page], rows: range) -> Loaded:
    return Loaded(frozen(rows), *flat([pages[row].shingles for row in rows]))


def pairs(found: tuple[np.ndarray, np.ndarray]) -> list[tuple[int, float]]:
    return list(zip(found[0].tolist(), found[1].tolist(), strict=True))


def check_clusters(clusters: Sequence[Sequence[Page]], rule: Rule) -> None:
    pages = [page for cluster in clusters for page in cluster]
    starts = np.append(0, np.cumsum([len(cluster) for cluster in clusters])).astype(np.int64)
    found = pairs(overlap.decide(documents(pages), rule, loaded(pages, range(len(pages))), starts))
    expected = []
    for start, cluster in zip(starts.tolist(), clusters, strict=False):
        expected += [(place + start if place >= 0 else -1, value) for place, value in twin_decide(cluster, rule)]
    assert found == expected


def check_against(held: Sequence[Page], stay: Sequence[bool], asked: Sequence[Page], rule: Rule) -> None:
    pages = [*held, *asked]
    stayers = [place for place, stays in zip(range(len(held)), stay, strict=False) if stays]
    both = loaded(pages, range(len(held))), loaded(pages, range(len(held), len(pages)))
    index = overlap.index_of(documents(pages), rule, both[0], np.array(stayers, np.int64), 1000)
    found = overlap.decide_against(documents(pages), rule, both[0], index, both[1])
    assert pairs(found) == [twin_search(page, [(k, held[k]) for k in stayers], rule) for page in asked]


few = st.frozensets(st.integers(0, 12), max_size=10).map(set)
new_pages = st.builds(Page, few, st.frozensets(st.integers(0, 4), max_size=4).map(set), st.just(False))
sketches = st.lists(st.integers(0, 1), min_size=4, max_size=4)
pages = st.builds(Page, few, st.frozensets(st.integers(0, 4), max_size=4).map(set), st.booleans(), sketches).map(
    lambda page: Page(set(), page.keys, True, page.sketch) if page.earlier else page
)
rules = st.builds(Rule, st.booleans(), st.sampled_from(THRESHOLDS))


def in_order(cluster: Sequence[Page]) -> list[Page]:
    return sorted(cluster, key=lambda page: not page.earlier)


@given(st.lists(st.lists(pages, max_size=8).map(in_order), max_size=4), rules)
def test_small_clusters_are_decided_as_by_a_plain_search(clusters: list[list[Page]], rule: Rule) -> None:
    check_clusters(clusters, rule)


@given(
    st.lists(pages, min_size=1, max_size=8).map(in_order), st.lists(st.booleans(), max_size=8), st.lists(pages), rules
)
def test_the_index_finds_what_a_plain_search_does(
    held: list[Page], stay: list[bool], asked: list[Page], rule: Rule
) -> None:
    check_against(held, stay, asked, rule)


def random_page(rng: np.random.Generator, earlier: bool) -> Page:
    """Half a template, of which some is missing, and one of a few bodies, of which some is changed."""
    template = set(rng.choice(40, int(rng.integers(20, 41)), replace=False).tolist())
    body = 1000 * int(rng.integers(1, 30))
    own = set(range(body, body + int(rng.integers(0, 60))))
    noise = set(rng.integers(10**6, 10**7, int(rng.integers(0, 12))).tolist())
    keys = set(rng.integers(0, 12, int(rng.integers(1, 9))).tolist())
    sketch = rng.integers(0, 2, 4).tolist()
    return Page(set() if earlier else hashes(template | own | noise), hashes(keys), earlier, sketch)


def hashes(numbers: set[int]) -> set[int]:
    """Other numbers, of 64 bits."""
    return {number * 0x9E3779B97F4A7C15 % 2**64 for number in numbers}


@pytest.mark.parametrize("jaccard", [True, False])
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_large_clusters_are_decided_as_by_a_plain_search(jaccard: bool, threshold: float) -> None:
    rng = np.random.default_rng(round(1000 * threshold) + jaccard)
    clusters = []
    for size, earlier in ((overlap.DIRECT, 5), (overlap.DIRECT + 1, 0), (200, 20), (3, 0)):
        clusters.append([random_page(rng, place < earlier) for place in range(size)])
    check_clusters(clusters, Rule(jaccard, threshold))


@pytest.mark.parametrize("size", [*range(1, 40), 100, 1000])
def test_pairs_at_exactly_the_threshold_are_verified(size: int) -> None:
    """For quotients that a set of this size and a subset of it can have, and the next numbers below and above."""
    for other in range(1, size + 1, max(1, size // 40)):
        one, part = Page(set(range(size)), {1}), Page(set(range(size - other, size)), {1})
        for threshold in (other / size, float(np.nextafter(other / size, 0)), float(np.nextafter(other / size, 2))):
            if threshold <= 1:
                check_against([one], [True], [part], Rule(True, threshold))
                check_against([part], [True], [one], Rule(True, threshold))
                check_clusters([[one, part]], Rule(True, threshold))


def test_equal_sizes_at_exactly_the_threshold_are_verified_by_the_index() -> None:
    for size in range(2, 60):
        for both in range(1, size):
            one, other = Page(set(range(size)), {1}), Page(set(range(size - both, 2 * size - both)), {1})
            check_against([one], [True], [other], Rule(True, both / (2 * size - both)))
            check_against([one], [True], [other], Rule(False, both / size))
