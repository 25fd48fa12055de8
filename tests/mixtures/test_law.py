"""The laws against planted ones, scipy's own least squares and RegMix's published runs; and what they refuse."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares

from benchmarks.mixture_law import CHOSEN_BY, read, scores
from mixtures import law_solver
from mixtures.law import Law, Laws, cross_validated, fit, resampled

Array = NDArray[np.float64]
SOURCES = ["web", "books", "code", "papers"]
TARGETS = ["prose", "programs", "science"]
PLANTED = Laws(
    tuple(SOURCES),
    tuple(TARGETS),
    (
        Law(1.9, np.array([-0.3, -1.2, 0.8, 0.2])),
        Law(0.6, np.array([0.3, 0.5, -1.5, 0.1])),
        Law(1.4, np.array([0.1, -0.2, 0.4, -1.1])),
    ),
)


def runs(count: int, noise: float, seed: int = 0) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    shares = random.dirichlet([2.0, 1.0, 1.0, 1.0], count)
    losses = PLANTED.predict(shares)
    return shares, losses + noise * random.normal(size=losses.shape)


def test_finds_the_planted_laws_where_there_is_no_noise() -> None:
    laws = fit(*runs(24, 0.0), SOURCES, TARGETS)
    for found, planted in zip(laws.laws, PLANTED.laws, strict=True):
        assert found.floor == pytest.approx(planted.floor, abs=1e-3)
        assert found.slopes == pytest.approx(planted.slopes, abs=5e-3)


def test_no_start_of_scipy_finds_a_lower_cost() -> None:
    shares, losses = runs(20, 0.02)
    problem = law_solver.Problem(shares, losses.T.copy(), np.ones(losses.T.shape))
    found = law_solver.solve(problem)
    deviations = np.array([law_solver.FLOOR_DEVIATION, *[law_solver.SLOPE_DEVIATION] * 4])
    for target in range(3):

        def residuals(point: Array, target: int = target) -> Array:
            slopes = point[1:]
            missed = problem.least[target] / (1 + np.exp(-point[0])) + np.exp(shares @ slopes) - losses[:, target]
            prior = np.array([point[0] - law_solver.FLOOR_MEAN, *(slopes - slopes.mean())]) / deviations
            return np.concatenate([missed, np.sqrt(found.noise[target]) * prior])

        ours = float((residuals(found.points[target]) ** 2).sum())
        random = np.random.default_rng(target)
        theirs = [
            2 * least_squares(residuals, random.normal(size=5), xtol=1e-12, ftol=1e-12, gtol=1e-12).cost
            for _ in range(5)
        ]
        assert ours <= min(theirs) * (1 + 1e-6)


def test_a_law_depends_neither_on_the_other_targets_nor_on_the_order_of_runs() -> None:
    shares, losses = runs(24, 0.01)
    together = fit(shares, losses, SOURCES, TARGETS)
    alone = fit(shares[::-1], losses[::-1, 1:2], SOURCES, TARGETS[1:2])
    assert alone.laws[0].floor == pytest.approx(together.laws[1].floor, rel=1e-3)
    assert alone.predict(shares)[:, 0] == pytest.approx(together.predict(shares)[:, 1], abs=1e-5)
    again = fit(shares, losses, SOURCES, TARGETS)
    assert all(np.array_equal(a.slopes, b.slopes) for a, b in zip(again.laws, together.laws, strict=True))


def test_the_objective_is_the_weighted_mean() -> None:
    shares, _ = runs(5, 0.0)
    expected = (PLANTED.predict(shares) * np.array([2, 1, 1])).sum(axis=1) / 4
    assert PLANTED.objective(shares, np.array([2.0, 1.0, 1.0])) == pytest.approx(expected)


def test_cross_validation_is_of_laws_that_did_not_see_the_run() -> None:
    shares, losses = runs(20, 0.01)
    found = cross_validated(shares, losses, SOURCES, TARGETS, np.ones(3))
    kept = np.arange(20) != 7
    law = fit(shares[kept], losses[kept], SOURCES, TARGETS)
    assert found.folds == 20
    assert found.predicted[7] == pytest.approx(law.predict(shares[7:8])[0], abs=1e-5)
    assert found.targets["prose"].rmse == pytest.approx(0.01, rel=0.6)
    assert found.targets["prose"].spread == pytest.approx(losses[:, 0].std())
    assert found.objective.rank > 0.95
    assert cross_validated(*runs(70, 0.01), SOURCES, TARGETS, np.ones(3)).folds == 10


def test_cross_validation_of_noise_says_that_nothing_is_known() -> None:
    random = np.random.default_rng(0)
    found = cross_validated(runs(40, 0.0)[0], 2 + 0.1 * random.normal(size=(40, 3)), SOURCES, TARGETS, np.ones(3))
    for errors in found.targets.values():
        assert errors.rmse > 0.95 * errors.spread
        assert errors.rank < 0.4


def test_intervals_cover_what_was_planted() -> None:
    """95 % intervals of the objective's difference between two mixtures: at least 54 of 60 draws."""
    pair = np.array([[0.4, 0.2, 0.2, 0.2], [0.2, 0.3, 0.3, 0.2]])
    weights = np.ones(3)
    truth = float(np.diff(PLANTED.objective(pair, weights))[0])
    covered, widths = 0, []
    for seed in range(60):
        shares, losses = runs(16, 0.005, seed)
        drawn = resampled(fit(shares, losses, SOURCES, TARGETS), shares, losses, 100, seed)
        low, high = np.quantile([np.diff(laws.objective(pair, weights))[0] for laws in drawn], [0.025, 0.975])
        covered += low <= truth <= high
        widths.append(high - low)
    assert covered >= 54
    # Not by being wide: the difference itself is 0.1.
    assert np.median(widths) < 0.03


def test_resampling_depends_on_the_seed_alone() -> None:
    shares, losses = runs(16, 0.01)
    laws = fit(shares, losses, SOURCES, TARGETS)
    one, same, other = (resampled(laws, shares, losses, 3, seed) for seed in (1, 1, 2))
    assert np.array_equal(one[2].laws[0].slopes, same[2].laws[0].slopes)
    assert not np.array_equal(one[2].laws[0].slopes, other[2].laws[0].slopes)


def test_as_many_runs_as_parameters_leave_no_interval() -> None:
    shares, losses = runs(5, 0.01)
    with pytest.raises(ValueError, match=r"5 runs of 4 sources leave nothing to tell the noise by.* at least 6"):
        resampled(fit(shares, losses, SOURCES, TARGETS), shares, losses, 10, 0)


def test_fewer_runs_than_sources() -> None:
    with pytest.raises(ValueError, match=r"4 runs are too few for 4 sources.* 5 are needed"):
        fit(*runs(4, 0.0), SOURCES, TARGETS)


def test_shares_that_always_move_together() -> None:
    shares, losses = runs(20, 0.0)
    shares[:, 2] = shares[:, 1]
    shares /= shares.sum(axis=1, keepdims=True)
    with pytest.raises(ValueError, match="do not tell books, code from the other sources"):
        fit(shares, losses, SOURCES, TARGETS)


def test_identical_mixtures() -> None:
    shares, losses = runs(6, 0.0)
    shares[3:] = shares[0]
    with pytest.raises(ValueError, match=r"the 3 different mixtures of 6 runs .d is a, e is a, f is a. do not tell"):
        fit(shares, losses, SOURCES, TARGETS, list("abcdef"))


def test_a_source_that_is_in_no_run() -> None:
    shares, losses = runs(20, 0.0)
    shares[:, 3] = 0
    shares /= shares.sum(axis=1, keepdims=True)
    with pytest.raises(ValueError, match="do not tell papers from"):
        fit(shares, losses, SOURCES, TARGETS)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 0.0])
def test_a_loss_that_is_none(loss: float) -> None:
    shares, losses = runs(8, 0.0)
    losses[2, 1] = loss
    with pytest.raises(ValueError, match=f"run 2: programs is {loss:g}"):
        fit(shares, losses, SOURCES, TARGETS)


def test_shares_that_do_not_sum_to_1() -> None:
    shares, losses = runs(8, 0.0)
    shares[4] *= 1.01
    with pytest.raises(ValueError, match=r"run 4: its shares sum to 1\.01"):
        fit(shares, losses, SOURCES, TARGETS)


def test_a_target_that_does_not_vary() -> None:
    shares, losses = runs(8, 0.0)
    losses[:, 2] = 1.5
    with pytest.raises(ValueError, match=r"science is 1\.5 in every run"):
        fit(shares, losses, SOURCES, TARGETS)


def test_three_runs_a_source_rank_models_a_thousand_times_larger(shared_data: Path) -> None:
    folder = shared_data / "proxies"
    shares, losses, targets = read(folder, "train_mixture_1m.csv", "train_pile_loss_1m.csv")
    large, truth, _ = read(folder, "test_mixture_1B.csv", "test_pile_loss_1B.csv")
    laws = fit(shares[:51], losses[:51], [f"source {n}" for n in range(17)], targets)
    found = scores(laws.predict(large), truth, targets.index(CHOSEN_BY))
    assert found["Pile-CC, rank"] >= 0.97
    assert found["Pile-CC, regret"] <= 0.005
