"""What is planted is as like as it says, by a count of words; and every way to err by it makes the command fail."""

import re
from itertools import combinations, pairwise

import click
import numpy as np
import pytest

from benchmarks import planted
from benchmarks.dedup_truth import Removal, all_table, expected_recall, pairs_table
from benchmarks.inputs import MINHASH, THRESHOLD
from benchmarks.planted import BINS, Pair, Planted, plant, similarity
from kernels.signatures import band_hashes
from kernels.texts import Texts
from tests.conftest import prose


@pytest.fixture(scope="module")
def truth() -> Planted:
    return plant(prose(12, sentences=50), 500, 0)


def plain_similarity(a: str, b: str) -> float:
    """The Jaccard similarity of ASCII texts by Python's sets of tuples of words."""

    def ngrams(text: str) -> set[tuple[str, ...]]:
        words = [word for part in text.lower().split() if (word := re.sub(r"[\W_]", "", part))]
        return set(zip(*(words[n:] for n in range(MINHASH["ngram"])), strict=False))

    first, second = ngrams(a), ngrams(b)
    return len(first & second) / len(first | second)


def test_every_pair_has_the_similarity_it_says_and_is_in_its_bin(truth: Planted) -> None:
    for low, pairs in truth.pairs.items():
        assert pairs, low
        for pair in pairs:
            assert low <= pair.jaccard < low + planted.WIDTH
            counted = plain_similarity(truth.texts[pair.first], truth.texts[pair.second])
            assert pair.jaccard == pytest.approx(counted, abs=1e-12)


def test_documents_of_different_pairs_are_unlike(truth: Planted) -> None:
    pairs = [pair for of_bin in truth.pairs.values() for pair in of_bin]
    for one, other in combinations(pairs, 2):
        assert similarity(truth.texts[one.first], truth.texts[other.second]) < 0.1


def test_chains_are_near_step_by_step_and_far_from_end_to_end(truth: Planted) -> None:
    assert len(truth.chains) == 1
    for chain in truth.chains:
        low, high = planted.CHAIN
        assert low > THRESHOLD
        assert all(low <= plain_similarity(truth.texts[a], truth.texts[b]) < high for a, b in pairwise(chain))
        assert plain_similarity(truth.texts[chain[0]], truth.texts[chain[-1]]) < THRESHOLD


def test_no_two_pages_of_the_template_reach_the_threshold(truth: Planted) -> None:
    assert len(truth.template) == 50
    found = [similarity(truth.texts[a], truth.texts[b]) for a, b in combinations(truth.template[:20], 2)]
    assert min(found) > 0.3
    assert max(found) < THRESHOLD


def test_the_same_seed_plants_the_same() -> None:
    pages = prose(6, sentences=50)
    assert plant(pages, 500, 3) == plant(pages, 500, 3) != plant(pages, 500, 4)


def test_pages_too_short_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(click.UsageError, match="--pages"):
        plant(["Too short to say much."] * 10, 500, 0)


def test_the_curve_is_the_one_of_finewebs_bands() -> None:
    # datatrove's own comment, and the FineWeb paper's figures for 14 bands of 8.
    assert expected_recall(np.array([0.75, 0.8])) == pytest.approx([0.77, 0.924], abs=0.005)


def two_pairs() -> Planted:
    """One pair below the threshold and one above it, of texts that do not matter."""
    made = Planted(texts=["a", "b", "c", "d"])
    made.pairs[BINS[0]].append(Pair(0, 1, 0.52))
    made.pairs[BINS[-2]].append(Pair(2, 3, 0.93))
    return made


ALL_CANDIDATES = np.ones((4, 14), np.uint64)
NO_CANDIDATES = np.arange(4 * 14, dtype=np.uint64).reshape(4, 14)


def test_the_right_removals_are_no_failure() -> None:
    table = pairs_table(two_pairs(), ALL_CANDIDATES, {3: Removal(2, 0.93, 0.93)})
    assert not table.failures
    assert [row["removed"] for row in table.rows.values()] == [0, 1]
    assert all(row["wrongly removed"] == row["wrongly kept"] == 0 for row in table.rows.values())
    assert all(row["candidates"] == 1 for row in table.rows.values())


def test_a_candidate_above_the_threshold_that_stays_is_a_failure_and_no_candidate_is_none() -> None:
    (failure,) = pairs_table(two_pairs(), ALL_CANDIDATES, {}).failures
    assert "documents 2 and 3 at 0.9300" in failure
    table = pairs_table(two_pairs(), NO_CANDIDATES, {})
    assert not table.failures
    assert all(row["candidates"] == 0 for row in table.rows.values())


def test_a_pair_that_is_lost_altogether_is_a_failure() -> None:
    both = {2: Removal(3, 0.93, 0.93), 3: Removal(2, 0.93, 0.93)}
    (failure,) = pairs_table(two_pairs(), ALL_CANDIDATES, both).failures
    assert "both are removed: documents 2 and 3" in failure


def test_a_removal_below_the_threshold_is_a_failure_whatever_its_verdict_says() -> None:
    made = two_pairs()
    table = all_table(made, {1: Removal(0, 0.8, 0.52), 3: Removal(2, 0.93, 0.93)})
    (failure,) = table.failures
    assert failure == f"1 documents are removed below {THRESHOLD}: document 1 of 0 at 0.5200"
    assert table.rows["all"] == {
        "documents": 4,
        "removed": 2,
        "wrongly removed": 1,
        "precision": 0.5,
        "similarity off by": pytest.approx(0.28),
        "of one that stays": 2,
    }
    assert pairs_table(made, ALL_CANDIDATES, {1: Removal(0, 0.8, 0.52)}).rows["0.50 to 0.55"]["wrongly removed"] == 1


def test_real_band_hashes_find_what_the_curve_says(truth: Planted) -> None:
    table = pairs_table(truth, band_hashes(Texts.of(truth.texts), **MINHASH), {})
    assert sum(row["pairs"] for row in table.rows.values()) == sum(map(len, truth.pairs.values()))
    assert all(abs(row["s.d. off"]) < 4 for row in table.rows.values())
