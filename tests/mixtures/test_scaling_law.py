import csv
import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime, minimize

from mixtures.repetition import effective
from mixtures.scaling_law import Points, ScalingLaw, _huber, bootstrap, fit

TRUE = ScalingLaw(E=1.8, A=480.0, alpha=0.35, B=2100.0, beta=0.37)
NAMES = ("E", "A", "alpha", "B", "beta")


def grid(sizes: int = 6, noise: float = 0.0, shared: float = 0.0, seed: int = 0) -> Points:
    """Runs of `sizes` sizes a factor of 2 apart with horizons of 5 to 80 tokens a parameter."""
    rng = np.random.default_rng(seed)
    size = np.repeat(3e6 * 2.0 ** np.arange(sizes), 5)
    tokens = size * np.tile([5.0, 10.0, 20.0, 40.0, 80.0], sizes)
    error = np.repeat(rng.normal(0, shared, sizes), 5) + rng.normal(0, noise, len(size))
    names = tuple(f"{number:.0f}M" for number in size / 1e6)
    return Points(size, tokens, TRUE.predict(size, tokens) * np.exp(error), runs=names)


def numbers(law: ScalingLaw) -> NDArray[np.float64]:
    return np.array([getattr(law, name) for name in NAMES])


def chinchilla(shared_data: Path) -> Points:
    with (shared_data / "proxies/chinchilla_points.csv").open() as stream:
        rows = [
            [float(row[name]) for name in ("Model Size", "Training FLOP", "loss")] for row in csv.DictReader(stream)
        ]
    size, flops, loss = np.array(rows).T
    points = Points(size, flops / (6 * size), loss)
    kept = points.take(points.tokens / points.parameters > 0.45)
    assert (len(points), len(kept)) == (245, 240)
    return kept


def test_a_law_without_noise_is_found() -> None:
    law = fit(grid())
    np.testing.assert_allclose(numbers(law), numbers(TRUE), rtol=2e-3)
    assert law.misfit < 1e-9


def test_the_published_refit_of_chinchilla(shared_data: Path) -> None:
    """Besiroglu et al. 2024, table 1, which has alpha .3478, beta .3658, E 1.8172."""
    law = fit(chinchilla(shared_data))
    np.testing.assert_allclose([law.E, law.alpha, law.beta], [1.817, 0.347, 0.367], rtol=0, atol=0.005)
    np.testing.assert_allclose([law.A, law.B], [478, 2143], rtol=0.02)


def test_no_other_start_finds_a_better_law() -> None:
    """Nelder-Mead, which knows no gradient and no bound, from random starts around what a law may be."""
    points = grid(noise=0.003)
    law = fit(points)
    size, data, target = np.log(points.parameters), np.log(points.tokens), np.log(points.losses)

    def misfit(theta: NDArray[np.float64]) -> float:
        return float(_huber(theta, size - 16, data - 20, target)[0])

    rng = np.random.default_rng(0)
    for _ in range(4):
        start = rng.uniform([0, -3, -3, 0.1, 0.1], [1, 1, 1, 0.8, 0.8])
        options = {"maxiter": 4_000, "maxfev": 4_000, "xatol": 1e-9, "fatol": 1e-14}
        assert minimize(misfit, start, method="Nelder-Mead", options=options).fun >= law.misfit * (1 - 1e-6)


def test_the_gradient_is_that_of_the_misfit() -> None:
    points = grid(noise=0.003)
    size, data, target = np.log(points.parameters) - 16, np.log(points.tokens) - 20, np.log(points.losses)
    # Residuals far below, around and far above where Huber's loss turns.
    for theta in ([0.58, -1.0, -1.2, 0.35, 0.37], [0.0, 0.0, 0.0, 0.3, 0.5], [-20.0, 0.0, 0.0, 0.1, 0.1]):
        at = np.array(theta)
        value = functools.partial(lambda t: float(_huber(t, size, data, target)[0]))
        np.testing.assert_allclose(_huber(at, size, data, target)[1], approx_fprime(at, value, 1e-7), atol=1e-6)


def test_a_loss_in_other_units_has_the_same_exponents() -> None:
    points = grid(noise=0.002)
    law = fit(points)
    bits = fit(dataclasses.replace(points, losses=points.losses / np.log(2)))
    millions = fit(dataclasses.replace(points, tokens=points.tokens / 1e6))
    assert (bits.alpha, bits.beta) == pytest.approx((law.alpha, law.beta), rel=1e-4)
    np.testing.assert_allclose([bits.E, bits.A], [law.E / np.log(2), law.A / np.log(2)], rtol=1e-3)
    np.testing.assert_allclose([millions.E, millions.A, millions.beta], [law.E, law.A, law.beta], rtol=1e-3)
    np.testing.assert_allclose(millions.B, law.B * 1e6**-law.beta, rtol=1e-3)


def test_one_wrong_run_does_not_move_the_law() -> None:
    points = grid(noise=0.0005)
    losses = points.losses.copy()
    losses[7] *= 1.5
    moved = fit(dataclasses.replace(points, losses=losses))
    np.testing.assert_allclose(moved.predict(1e9, 2e10), TRUE.predict(1e9, 2e10), rtol=0.01)


def test_repeated_tokens_count_for_what_they_are_worth() -> None:
    """Runs of 200 million unique tokens: told so, the fit finds the law, and else takes repetition for bad data."""
    points = grid()
    unique = np.full(len(points), 2e8)
    losses = TRUE.predict(points.parameters, effective(points.tokens, unique))
    told = fit(dataclasses.replace(points, losses=losses, unique=unique))
    np.testing.assert_allclose(numbers(told), numbers(TRUE), rtol=5e-3)
    assert fit(dataclasses.replace(points, losses=losses)).E > told.E + 0.05


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"losses": {3: np.nan}}, "^3M: loss nan is no positive number; leave the run out if it diverged"),
        ({"losses": {9: np.inf}}, "^6M: loss inf"),
        ({"tokens": {0: 0.0}}, "^3M: tokens 0 is"),
        ({"parameters": {29: -1.0}}, "^96M: parameters -1 is"),
    ],
)
def test_a_value_that_is_none_is_refused_with_its_run(change: dict[str, dict[int, float]], says: str) -> None:
    points = grid()
    for name, values in change.items():
        getattr(points, name)[list(values)] = list(values.values())
    with pytest.raises(ValueError, match=says):
        fit(points)


def test_unique_tokens_that_are_none_are_refused_with_their_run() -> None:
    points = grid()
    with pytest.raises(ValueError, match=r"^3M: unique tokens 0 is"):
        fit(dataclasses.replace(points, unique=np.zeros(len(points))))


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        (
            lambda p: p.parameters < 10e6,
            r"^sizes span 2\.00 times .*a law needs 4; add runs below 1,500,000 or above 12",
        ),
        (lambda p: (p.tokens > 2e8) & (p.tokens < 6e8), r"^tokens span 2\.00 times \(240,000,000 to 480,000,000\)"),
        (lambda p: (p.parameters == 3e6) | (p.parameters == 48e6), "^2 different sizes, of which a law needs 3"),
        (lambda p: np.arange(len(p)) % 6 == 0, "^a law of five numbers needs 6 distinct points and has 5"),
    ],
)
def test_what_spans_too_little_has_no_law(keep, says: str) -> None:  # type: ignore[no-untyped-def]
    points = grid()
    with pytest.raises(ValueError, match=says):
        fit(points.take(keep(points)))


def test_repeating_points_makes_no_more_of_them() -> None:
    points = grid()
    with pytest.raises(ValueError, match=r"^a law of five numbers needs 6 distinct points and has 5; train more"):
        fit(points.take(np.tile([0, 7, 14, 21, 28], 4)))


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 parameters, 3 tokens, 2 losses"):
        Points(np.ones(2), np.ones(3), np.ones(2))


def test_the_same_seed_draws_the_same_laws_and_another_seed_others() -> None:
    points = grid(noise=0.002)
    law = fit(points)
    once, again, other = (bootstrap(points, law, 5, seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other
    assert len(once) == 5


def test_horizons_of_a_run_are_resampled_together() -> None:
    """Where a run's horizons share its luck, drawing them alone makes it seem that there is more to go by."""
    points = grid(noise=0.0002, shared=0.004)
    law = fit(points)
    together = bootstrap(points, law, 16, 0)
    alone = bootstrap(points, law, 16, 0, groups=[str(number) for number in range(len(points))])
    spread = [np.std([drawn.predict(1e10, 2e11) for drawn in laws]) for laws in (together, alone)]
    assert spread[0] > 1.3 * spread[1]


def test_too_few_runs_have_no_interval() -> None:
    points = grid(sizes=3)
    with pytest.raises(ValueError, match=r"^an interval needs 4 training runs and has 3: resampled"):
        bootstrap(points, TRUE, 10, 0)
    with pytest.raises(ValueError, match=r"^2 groups for 15 points"):
        bootstrap(points, TRUE, 10, 0, groups=["a", "b"])


@pytest.mark.parametrize(("gone", "exponent"), [("A", "alpha"), ("B", "beta")])
def test_where_one_of_the_two_does_not_matter_draws_are_numbers_still(gone: str, exponent: str) -> None:
    """And the intervals of the other's exponent hold it."""
    points = grid(noise=0.002)
    noise = points.losses / TRUE.predict(points.parameters, points.tokens)
    truth = dataclasses.replace(TRUE, **{gone: 0.0})
    points = dataclasses.replace(points, losses=truth.predict(points.parameters, points.tokens) * noise)
    laws = [fit(points), *bootstrap(points, fit(points), 20, 0)]
    assert all(np.isfinite(numbers(law)).all() and (numbers(law) > 0).all() for law in laws)
    other = "beta" if exponent == "alpha" else "alpha"
    assert np.median([getattr(law, other) for law in laws]) == pytest.approx(getattr(TRUE, other), abs=0.08)


def test_without_noise_all_draws_are_the_law() -> None:
    points = grid(sizes=8)
    for law in bootstrap(points, fit(points), 8, 0):
        np.testing.assert_allclose(law.predict(1e9, 2e10), TRUE.predict(1e9, 2e10), rtol=1e-3)
