import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.allocation import optimum
from mixtures.isoflop import agreement, budgets, isoflops
from mixtures.scaling_law import Points, ScalingLaw

LAW = ScalingLaw(E=1.8, A=480.0, alpha=0.35, B=2100.0, beta=0.35)


def at(flops: float, sizes: list[float], shift: float = 0.0) -> Points:
    """Runs of `sizes` times the best size at `flops`, whose losses are the law's for sizes that are `shift` less."""
    size = optimum(LAW, flops).parameters * np.array(sizes)
    shown = size * np.exp(-shift)
    return Points(size, flops / 6 / size, LAW.predict(shown, flops / 6 / shown))


def joined(*parts: Points) -> Points:
    columns = [[getattr(part, name) for part in parts] for name in ("parameters", "tokens", "losses")]
    return Points(*(np.concatenate(column) for column in columns))


def test_the_minimum_is_where_the_law_has_it() -> None:
    """With equal exponents the loss is even in the logarithm of the size around the best one."""
    sizes = [0.25, 0.5, 1.0, 2.0, 4.0]
    (low, high), without = isoflops(joined(at(1e19, sizes), at(1e20, sizes)), LAW)
    assert without == []
    for found, flops in ((low, 1e19), (high, 1e20)):
        assert found.flops == pytest.approx(flops)
        assert found.best == pytest.approx(optimum(LAW, flops).parameters, rel=1e-6)
        assert found.by_law == pytest.approx(found.best, rel=1e-6)
        assert found.ratio == pytest.approx(1)
        np.testing.assert_allclose(found.curve(np.array([found.best])), found.best_loss)
        assert found.best_loss == pytest.approx(optimum(LAW, flops).loss, rel=0.01)
    assert agreement([low, high]) == pytest.approx((0.5, 0.5))


def test_a_law_that_is_wrong_is_contradicted() -> None:
    """Losses that are least at twice the size that the law says."""
    (found,), _ = isoflops(at(1e20, [0.5, 1.0, 2.0, 4.0, 8.0], shift=np.log(2)), LAW)
    assert found.ratio == pytest.approx(0.5, rel=1e-6)


def test_flops_that_differ_a_little_are_made_equal() -> None:
    points = at(1e20, [0.25, 0.5, 1.0, 2.0, 4.0])
    tokens = points.tokens * np.array([0.92, 1.1, 1.0, 0.95, 1.1])
    moved = Points(points.parameters, tokens, LAW.predict(points.parameters, tokens))
    (found,), _ = isoflops(moved, LAW)
    assert found.best == pytest.approx(optimum(LAW, found.flops).parameters, rel=1e-3)


@pytest.mark.parametrize(
    ("sizes", "shift", "says"),
    [
        ([0.5, 1.0, 2.0], 0.0, "^3 sizes, of which a parabola needs 4"),
        ([0.5, 1.0, 2.0, 2.0], 0.0, "^3 sizes"),
        ([1.0], 0.0, "^1 size, of which a parabola needs 4"),
        ([2.0, 3.0, 4.0, 5.0], 0.0, "^the minimum, .* lies below the smallest run of "),
        ([0.2, 0.3, 0.4, 0.5], 0.0, "^the minimum, .* lies above the largest of "),
    ],
)
def test_a_budget_without_a_minimum_says_why(sizes: list[float], shift: float, says: str) -> None:
    found, (without,) = isoflops(at(1e20, sizes, shift), LAW)
    assert found == []
    assert without.runs == len(sizes)
    assert re.search(says, without.reason)


def test_losses_that_are_worst_in_the_middle_have_no_minimum() -> None:
    points = at(1e20, [0.25, 0.5, 1.0, 2.0, 4.0])
    upside_down = Points(points.parameters, points.tokens, 6 - points.losses)
    _, (without,) = isoflops(upside_down, LAW)
    assert "opens downwards" in without.reason


def test_an_exponent_needs_two_budgets() -> None:
    found, _ = isoflops(at(1e20, [0.25, 0.5, 1.0, 2.0, 4.0]), LAW)
    with pytest.raises(ValueError, match=r"^1 budget with a minimum, and an exponent needs two"):
        agreement(found)


@given(st.lists(st.floats(1e15, 1e17), min_size=1, max_size=40))
def test_every_run_is_in_one_budget_and_budgets_are_narrow(flops: list[float]) -> None:
    values = np.array(flops)
    found = budgets(values, width=1.25)
    assert sorted(np.concatenate(found)) == list(range(len(values)))
    assert all(values[members].max() <= values[members].min() * 1.25 * (1 + 1e-8) for members in found)
    assert all(values[a].min() <= values[b].min() for a, b in itertools.pairwise(found))
