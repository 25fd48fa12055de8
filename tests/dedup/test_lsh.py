import numpy as np
import pytest
from datasketch.lsh import _optimal_param

from dedup.lsh import best_bands, chance


@pytest.mark.parametrize("permutations", [64, 112, 128])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.75, 0.8, 0.95])
def test_the_best_bands_are_datasketchs(threshold: float, permutations: int) -> None:
    assert best_bands(threshold, permutations) == tuple(_optimal_param(threshold, permutations, 0.5, 0.5))


def test_the_chance_of_fineweb_bands_is_what_its_paper_says() -> None:
    """FineWeb (2024), appendix: 56, 77, 92 and 98.8 % at similarities of .7, .75, .8 and .85."""
    assert np.allclose(chance(np.array([0.7, 0.75, 0.8, 0.85]), 14, 8), [0.565, 0.772, 0.924, 0.988], atol=0.002)
