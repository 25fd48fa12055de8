import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.utils.class_weight import compute_sample_weight

from filters.ranking import CALIBRATION_BINS, CURVE_POINTS, Ranking, rank_correlation

# A few different scores, so that ties come up, and any.
SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1))
EXAMPLES = st.lists(st.tuples(SCORES, st.integers(0, 1)), min_size=2, max_size=60).filter(
    lambda rows: {label for _, label in rows} == {0, 1}
)


def arrays(rows: list[tuple[float, int]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return np.array([score for score, _ in rows]), np.array([label for _, label in rows])


def drawn(n: int = 4000, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Scores that are the probabilities of their labels, with three times as many pages as positives on average."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(0.7, 2.1, n)
    return scores, (rng.random(n) < scores).astype(np.int64)


@given(EXAMPLES)
def test_areas_and_errors_are_scikit_learns_of_balanced_classes(rows: list[tuple[float, int]]) -> None:
    scores, labels = arrays(rows)
    ranking, weights = Ranking.of(scores, labels), compute_sample_weight("balanced", labels)
    assert ranking.auc() == pytest.approx(roc_auc_score(labels, scores))
    average = average_precision_score(labels, scores, sample_weight=weights)
    assert ranking.average_precision() == pytest.approx(average)
    assert ranking.brier() == pytest.approx(brier_score_loss(labels, scores, sample_weight=weights))


@given(EXAMPLES, SCORES)
def test_what_a_threshold_keeps_is_scikit_learns_of_balanced_classes(
    rows: list[tuple[float, int]], threshold: float
) -> None:
    scores, labels = arrays(rows)
    at = Ranking.of(scores, labels).at(threshold)
    kept, weights = scores >= threshold, compute_sample_weight("balanced", labels)
    assert at["threshold"] == threshold
    assert at["recall"] == pytest.approx(recall_score(labels, kept))
    assert at["precision"] == pytest.approx(precision_score(labels, kept, sample_weight=weights, zero_division=1))
    assert at["f1"] == pytest.approx(f1_score(labels, kept, sample_weight=weights, zero_division=0))
    assert at["kept"] == pytest.approx(kept[labels == 0].mean())


@given(EXAMPLES)
def test_no_threshold_has_a_better_f1_than_the_best(rows: list[tuple[float, int]]) -> None:
    ranking = Ranking.of(*arrays(rows))
    assert ranking.best()["f1"] == pytest.approx(max(ranking.at(score)["f1"] for score in ranking.scores.tolist()))


@given(EXAMPLES, st.randoms())
def test_the_order_of_the_examples_moves_no_bit(rows: list[tuple[float, int]], random: object) -> None:
    other = list(rows)
    random.shuffle(other)  # type: ignore[attr-defined]
    one, same = Ranking.of(*arrays(rows)), Ranking.of(*arrays(other))
    assert (one.auc(), one.brier(), one.calibration(), one.curve()) == (
        same.auc(),
        same.brier(),
        same.calibration(),
        same.curve(),
    )


def test_the_curve_has_a_hundred_points_and_nearly_the_area_of_all() -> None:
    ranking = Ranking.of(*drawn())
    curve = ranking.curve()
    assert 0.9 * CURVE_POINTS < len(curve) <= CURVE_POINTS
    assert (curve[-1]["recall"], curve[-1]["kept"]) == (1, 1)
    kept, recall = [0.0, *(p["kept"] for p in curve)], [0.0, *(p["recall"] for p in curve)]
    assert kept == sorted(kept)
    assert recall == sorted(recall)
    assert np.trapezoid(recall, kept) == pytest.approx(ranking.auc(), abs=0.002)
    for point in curve:
        assert ranking.at(point["threshold"])["precision"] == point["precision"]


def test_true_probabilities_are_calibrated_once_the_prior_is_moved_to_equal_classes() -> None:
    """The scores hold for a prior of about 1/4; for one of 1/2 the odds are to be multiplied by three."""
    scores, labels = drawn(40_000)
    prior = labels.mean()
    moved = scores * (1 - prior) / (scores * (1 - prior) + (1 - scores) * prior)
    assert Ranking.of(scores, labels).calibration_error() > 0.15
    assert Ranking.of(moved, labels).calibration_error() < 0.015
    # Made surer than it is, the same order has the same area and worse probabilities.
    odds = (moved / (1 - moved)) ** 3
    sure = Ranking.of(odds / (1 + odds), labels)
    assert sure.calibration_error() > 0.08
    assert sure.auc() == pytest.approx(Ranking.of(moved, labels).auc(), abs=1e-6)


def test_bins_have_equal_mass_and_equal_scores_are_in_one() -> None:
    bins = Ranking.of(*drawn()).calibration()
    assert len(bins) == CALIBRATION_BINS
    assert [row["mass"] for row in bins] == pytest.approx([0.1] * 10, abs=0.002)
    assert sum(row["examples"] for row in bins) == 4000
    one = Ranking.of(np.full(30, 0.5), np.repeat([1, 0], [10, 20])).calibration()
    assert one == [{"mean_score": 0.5, "share_of_positives": 0.5, "mass": 1.0, "examples": 30}]


def test_the_calibration_error_by_hand() -> None:
    """Two pages at .2 and one positive at .2, one positive at .9: the mass at .2 is 3/4, of which 1/3 positive."""
    ranking = Ranking.of(np.array([0.2, 0.2, 0.2, 0.9]), np.array([0, 0, 1, 1]))
    assert ranking.calibration_error() == pytest.approx(0.75 * abs(0.2 - 1 / 3) + 0.25 * abs(0.9 - 1))


@pytest.mark.parametrize(("label", "missing"), [(1, "page"), (0, "positive")])
def test_one_class_alone_is_refused(label: int, missing: str) -> None:
    with pytest.raises(ValueError, match=f"there is no {missing} to evaluate on"):
        Ranking.of(np.array([0.1, 0.2]), np.array([label, label]))


@given(st.lists(st.tuples(st.integers(0, 5), SCORES), min_size=3, max_size=40))
def test_the_rank_correlation_is_scipys(rows: list[tuple[int, float]]) -> None:
    one, other = np.array([a for a, _ in rows]), np.array([b for _, b in rows])
    if min(len(set(one.tolist())), len(set(other.tolist()))) == 1:
        assert rank_correlation(one, other) is None
    else:
        assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
