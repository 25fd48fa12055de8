from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.buckets import MemoryBudgetError
from dedup.verify import EARLIER, Members, removals

Measure = Literal["jaccard", "containment"]
# Survivor by survivor: what is removed, what it repeats, and how similar they are.
Result = dict[int, tuple[int, float]]


@dataclass(frozen=True)
class Page:
    label: int
    id: int
    rank: int
    shingles: frozenset[int]
    keys: frozenset[int] = frozenset({1})
    sketch: tuple[int, ...] = (0,) * 4

    @property
    def earlier(self) -> bool:
        return self.id >= int(EARLIER)


def brute(pages: Sequence[Page], measure: Measure, threshold: float) -> Result:
    removed: Result = {}
    for page in sorted(pages, key=lambda page: (page.label, page.rank, page.id)):
        for other in sorted(pages, key=lambda page: (page.rank, page.id)):
            before = (other.rank, other.id) < (page.rank, page.id)
            if other.label == page.label and before and not page.earlier and other.id not in removed:
                value = similarity(other, page, measure)
                if value >= threshold:
                    removed[page.id] = other.id, value
                    break
    return removed


def similarity(one: Page, other: Page, measure: Measure) -> float:
    shared, fewest = len(one.keys & other.keys), min(len(one.keys), len(other.keys))
    if shared == 0 or (measure == "containment" and shared < fewest / 2):
        return 0
    if one.earlier and measure == "containment":
        return shared / len(other.keys)
    if one.earlier:
        equal = sum(a == b for a, b in zip(one.sketch, other.sketch, strict=True)) / len(one.sketch)
        return max(0, (equal - 1 / 256) / (1 - 1 / 256))
    both, a, b = len(one.shingles & other.shingles), len(one.shingles), len(other.shingles)
    return both / max(1, a + b - both if measure == "jaccard" else b)


def flat(sets: Iterable[frozenset[int]]) -> tuple[np.ndarray, np.ndarray]:
    lists = [sorted(values) for values in sets]
    first = np.append(0, np.cumsum([len(values) for values in lists])).astype(np.int64)
    return first, np.array([value for values in lists for value in values], np.uint64)


def members(pages: Sequence[Page]) -> Members:
    numbers = np.array([(page.label, page.id, page.rank) for page in pages], np.uint64).reshape(-1, 3)
    sketch = np.array([page.sketch for page in pages], np.uint8).reshape(len(pages), 4)
    sizes = np.array([len(page.shingles) for page in pages], np.int64)
    return Members(*numbers.T, *flat(page.keys for page in pages), sketch, sizes)


def removed(pages: Sequence[Page], measure: Measure, threshold: float, memory: int = 1 << 20) -> Result:
    def load(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert len(rows), "nothing to load is not asked for"
        assert 8 * sum(len(pages[row].shingles) for row in rows) <= memory
        return flat(pages[row].shingles if not pages[row].earlier else frozenset() for row in rows)

    rows, representatives, values = removals(members(pages), load, measure=measure, threshold=threshold, memory=memory)
    assert rows.tolist() == sorted(set(rows.tolist()))
    ids = [page.id for page in pages]
    return {
        ids[row]: (ids[other], value)
        for row, other, value in zip(rows.tolist(), representatives.tolist(), values.tolist(), strict=True)
    }


def least_memory(pages: Sequence[Page], measure: Measure) -> int:
    """What the error names."""
    try:
        removed(pages, measure, 0.5, memory=0)
    except MemoryBudgetError as error:
        return error.needed
    return 0


some_keys = st.frozensets(st.integers(0, 5), max_size=5)
some_pages = st.builds(
    Page,
    label=st.integers(0, 2),
    id=st.integers(0, 10**9),
    rank=st.integers(1, 3),
    shingles=st.frozensets(st.integers(0, 12), max_size=12),
    keys=some_keys,
    sketch=st.tuples(*[st.integers(0, 1)] * 4),
)


def as_earlier(page: Page) -> Page:
    return replace(page, id=page.id | int(EARLIER), rank=0)


collections = st.lists(some_pages | some_pages.map(as_earlier), max_size=14, unique_by=lambda page: page.id)
measures = st.sampled_from(["jaccard", "containment"])
thresholds = st.sampled_from([1 / 3, 0.5, 2 / 3, 0.75, 0.9, 1.0])


@given(collections, measures, thresholds, st.randoms(use_true_random=False), st.sampled_from([0, 100, 1000, 10**6]))
def test_what_is_removed_is_what_a_plain_search_removes(pages, measure, threshold, random, more) -> None:
    expected = brute(pages, measure, threshold)
    assert removed(pages, measure, threshold) == expected
    shuffled = random.sample(pages, len(pages))
    assert removed(shuffled, measure, threshold, least_memory(pages, measure) + more) == expected


def random_pages(seed: int, count: int = 400) -> list[Page]:
    """Clusters of 1 to 150 documents that are templates, bodies in many versions and noise."""
    rng = np.random.default_rng(seed)
    pages: list[Page] = []
    while len(pages) < count:
        label = len(pages)
        for number in range(int(rng.choice([1, 2, 5, 20, 70, 150]))):
            body = 100 * int(rng.integers(1, 12))
            parts = (
                rng.choice(30, int(rng.integers(15, 31)), replace=False),
                np.arange(body, body + rng.integers(0, 50)),
            )
            noise = rng.integers(10**6, 10**9, int(rng.integers(0, 8)))
            shingles = frozenset(int(n) for part in (*parts, noise) for n in part)
            keys = frozenset(rng.integers(0, 9, int(rng.integers(1, 7))).tolist())
            sketch = tuple(rng.integers(0, 2, 4).tolist())
            page = Page(label, 1000 * label + 7919 * number % 1000, int(rng.integers(1, 4)), shingles, keys, sketch)
            pages.append(as_earlier(page) if rng.random() < 0.1 else page)
    return pages


@pytest.mark.parametrize("measure", ["jaccard", "containment"])
@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
def test_neither_the_order_of_rows_nor_the_memory_changes_what_is_removed(measure: Measure, threshold: float) -> None:
    pages = random_pages(round(100 * threshold))
    expected = brute(pages, measure, threshold)
    assert expected, "nothing to find"
    order = np.random.default_rng(0).permutation(len(pages)).tolist()
    least = least_memory(pages, measure)
    for memory in (1 << 30, 50_000, 10_000, least):
        assert removed(pages, measure, threshold, memory) == expected
        assert removed([pages[row] for row in order], measure, threshold, memory) == expected


def run(start: int, size: int = 100) -> frozenset[int]:
    return frozenset(range(start, start + size))


def test_the_end_of_a_chain_is_no_duplicate_of_its_beginning() -> None:
    """Neighbours share 90 of 110, which is 0.82; two steps apart it is 80 of 120."""
    chain = [Page(0, number, 1, run(10 * number)) for number in range(4)]
    assert removed(chain, "jaccard", 0.8) == {1: (0, 90 / 110), 3: (2, 90 / 110)}


def test_a_better_rank_stays_and_the_smaller_id_decides_between_equals() -> None:
    pages = [Page(0, 5, 2, run(0)), Page(0, 6, 1, run(0)), Page(0, 7, 1, run(0)), Page(1, 8, 1, run(0))]
    assert removed(pages, "jaccard", 0.8) == {5: (6, 1.0), 7: (6, 1.0)}


def test_a_template_removes_nobody_but_real_duplicates_within_it_are_found() -> None:
    """3,000 pages of one cluster share 60 of 100 shingles; every 50th is another's copy with two changed."""
    template, pages = run(0, 60), []
    for number in range(3000):
        keys = frozenset({number % 7, 100 + number % 11})
        pages.append(Page(0, number, 1, template | run(1000 * (number + 1), 40), keys))
    for number in range(50, 3000, 50):
        copied = pages[number - 1]
        changed = copied.shingles - {min(copied.shingles - template)} | {10**9 + number}
        pages[number] = replace(copied, id=number, shingles=changed)
    expected = {number: (number - 1, 99 / 101) for number in range(50, 3000, 50)}
    assert removed(pages, "jaccard", 0.7, 1 << 30) == expected
    assert removed(pages, "jaccard", 0.7, 500_000) == expected, "in blocks"


@pytest.mark.parametrize(("measure", "exact"), [("jaccard", 60 / 140), ("containment", 60 / 100)])
def test_a_pair_at_exactly_the_threshold_is_verified(measure: Measure, exact: float) -> None:
    pages = [Page(0, 0, 1, run(0)), Page(0, 1, 1, run(40))]
    assert removed(pages, measure, exact) == {1: (0, exact)}
    assert removed(pages, measure, float(np.nextafter(exact, 1))) == {}


def test_an_excerpt_is_contained_but_not_similar() -> None:
    pages = [Page(0, 0, 1, run(0, 1000)), Page(0, 1, 1, run(50, 100))]
    assert removed(pages, "containment", 0.9) == {1: (0, 1.0)}
    assert removed(pages, "jaccard", 0.9) == {}


def test_a_book_does_not_go_for_an_excerpt_of_it() -> None:
    pages = [Page(0, 0, 1, run(50, 100)), Page(0, 1, 1, run(0, 1000))]
    assert removed(pages, "containment", 0.5) == {}
    keys = frozenset(range(1, 41))
    earlier = as_earlier(Page(0, 0, 0, frozenset(), frozenset({1, 2})))
    assert removed([earlier, Page(0, 1, 1, run(0, 1000), keys)], "containment", 0.5) == {}


def test_earlier_documents_stay_and_are_judged_by_their_sketches() -> None:
    far, near, other = (0, 0, 9, 9), (1, 2, 3, 4), (1, 2, 3, 5)
    first, second = (as_earlier(Page(0, number, 0, frozenset(), sketch=near)) for number in range(2))
    pages = [first, second, Page(0, 7, 1, run(0), sketch=other), Page(0, 8, 1, run(0), sketch=far)]
    estimate = (3 / 4 - 1 / 256) / (1 - 1 / 256)
    assert removed(pages, "jaccard", 0.7) == {7: (first.id, estimate)}
    assert removed(pages, "jaccard", 0.8) == {8: (7, 1.0)}


def test_a_document_among_earlier_ones_only_is_not_loaded() -> None:
    earlier = as_earlier(Page(0, 1, 0, frozenset(), frozenset({1, 2, 3})))
    pages = [replace(earlier, id=earlier.id + number) for number in range(3)]
    pages.append(Page(0, 9, 1, run(0), frozenset({2, 3, 4})))
    assert removed(pages, "containment", 0.6, memory=1000) == {9: (earlier.id, 2 / 3)}


def test_no_documents_no_removals() -> None:
    assert removed([], "jaccard", 0.8) == {}
    assert removed([Page(n, n, 1, run(0)) for n in range(5)], "jaccard", 0.8) == {}, "one document a cluster"
    assert removed([as_earlier(Page(0, n, 0, frozenset())) for n in range(5)], "containment", 0.8) == {}
    assert removed([Page(0, n, 1, frozenset()) for n in range(5)], "jaccard", 0.8) == {}, "no shingles"
    assert removed([Page(0, n, 1, run(0), frozenset()) for n in range(5)], "jaccard", 0.8) == {}, "no keys"


def test_too_little_memory_is_refused_with_what_would_do() -> None:
    pages = [Page(0, 0, 1, run(0, 10)), Page(0, 1, 1, run(0, 1000)), Page(0, 2, 1, run(1, 1000))]
    least = least_memory(pages, "jaccard")
    assert removed(pages, "jaccard", 0.5, least) == {2: (1, 999 / 1001)}
    with pytest.raises(MemoryBudgetError, match=f"{least:,} bytes are needed"):
        removed(pages, "jaccard", 0.5, least - 1)
