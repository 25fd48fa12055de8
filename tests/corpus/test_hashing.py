import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.hashing import mix, permuted, unmix


@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=1))
def test_unmix_undoes_mix(numbers: list[int]) -> None:
    x = np.array(numbers, np.uint64)
    assert np.array_equal(unmix(mix(x)), x)


@given(size=st.integers(1, 600), seed=st.integers(0, 1 << 40))
def test_a_permutation_takes_every_place_to_a_place_of_its_own(size: int, seed: int) -> None:
    places = np.arange(size, dtype=np.uint64)
    assert sorted(permuted(places, size, "x", seed).tolist()) == places.tolist()


def test_a_place_goes_where_it_goes_whatever_is_asked_with_it() -> None:
    size = 10**12
    places = np.array([0, 1, 5 * 10**11, size - 1], np.uint64)
    whole = permuted(places, size, "x", 1)
    assert [int(permuted(places[n : n + 1], size, "x", 1)[0]) for n in range(4)] == whole.tolist()
    assert (whole < size).all()
    assert not np.array_equal(whole, permuted(places, size, "x", 2))
    assert not np.array_equal(whole, permuted(places, size, "y", 1))


@pytest.mark.parametrize("size", [2, 5, 10])
def test_over_many_keys_every_place_goes_everywhere_equally_often(size: int) -> None:
    keys = 4000
    counts = np.zeros((size, size))
    for key in range(keys):
        counts[np.arange(size), permuted(np.arange(size, dtype=np.uint64), size, key).astype(int)] += 1
    chi_squared = ((counts - keys / size) ** 2 / (keys / size)).sum()
    freedom = (size - 1) ** 2
    # Four standard deviations above the mean.
    assert chi_squared < freedom + 4 * np.sqrt(2 * freedom)


def test_neighbours_part() -> None:
    """Of a fair permutation one of `size` neighbours stays a neighbour's neighbour, two counting both sides."""
    size = 100_000
    order = permuted(np.arange(size, dtype=np.uint64), size, "x", 0).astype(np.int64)
    assert (np.abs(np.diff(order)) == 1).sum() < 12
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.02
