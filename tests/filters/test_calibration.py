import numpy as np
import pytest
from scipy.special import expit

from filters.calibration import platt


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_the_curve_that_labels_were_drawn_by_is_found_for_classes_that_weigh_the_same(share: float) -> None:
    random = np.random.default_rng(0)
    decisions = random.normal(size=200_000)
    slope, intercept = 2.5, -0.7
    labels = (random.random(200_000) < expit(slope * decisions + intercept)).astype(np.int8)
    # Another share of positives must not move the curve, save for what equal weights take out of it.
    kept = (labels == 0) | (random.random(200_000) < share)
    found = platt(decisions[kept], labels[kept])
    prior = np.log(labels.sum() / (labels == 0).sum())
    assert found == pytest.approx((slope, intercept - prior), abs=0.05)


def test_classes_that_do_not_overlap_have_a_curve_too() -> None:
    slope, intercept = platt(np.array([-1.0] * 20 + [1.0] * 20), np.repeat(np.array([0, 1], np.int8), 20))
    # One text in 22 is taken to be wrong.
    assert expit(slope + intercept) == pytest.approx(21 / 22, abs=1e-6)
    assert expit(-slope + intercept) == pytest.approx(1 / 22, abs=1e-6)


def test_decisions_that_say_nothing_or_the_opposite_have_a_flat_curve() -> None:
    """A model that knows its own examples by heart can be worse than chance on others; it is not to be turned round."""
    labels = np.repeat(np.array([0, 1], np.int8), 20)
    assert platt(np.linspace(1, -1, 40), labels) == (0, 0)
