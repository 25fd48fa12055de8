from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from mixtures.choice import TOLERANCE, _project_logits, choose, decide, divergence
from mixtures.law import Law, Laws
from mixtures.proposals import project

Array = NDArray[np.float64]


def laws_of(slopes: Array, floors: Sequence[float] | None = None) -> Laws:
    targets, sources = slopes.shape
    return Laws(
        tuple(f"source {n}" for n in range(sources)),
        tuple(f"target {n}" for n in range(targets)),
        tuple(Law(floor, row) for floor, row in zip(floors or [1.0] * targets, slopes, strict=True)),
    )


def by_slsqp(slopes: Array, weights: Array, natural: Array, caps: Array, floor: float, kl: float) -> Array:
    weights = weights / weights.sum()
    least = max(floor, 1e-12)

    def objective(w: Array) -> float:
        return float(weights @ np.exp(slopes @ w) + kl * (w @ np.log(w / natural)))

    def gradient(w: Array) -> Array:
        return (weights * np.exp(slopes @ w)) @ slopes + kl * (np.log(w / natural) + 1)

    solved = minimize(
        objective, np.clip(natural, least, caps), jac=gradient, method="SLSQP",
        bounds=[(least, cap) for cap in caps], options={"ftol": 1e-14, "maxiter": 1000},
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
    )  # fmt: skip
    assert solved.success, solved.message
    return np.asarray(solved.x)


@pytest.mark.parametrize("case", range(16))
def test_the_choice_is_that_of_slsqp(case: int) -> None:
    """Flat and steep laws, fewer and more targets than sources, with and without bounds that bind."""
    random = np.random.default_rng(case)
    sources, targets = int(random.integers(2, 18)), int(random.integers(1, 20))
    slopes = random.normal(0, [0.1, 0.5, 2.0][case % 3], (targets, sources))
    weights = random.uniform(0.01, 1, targets)
    natural = random.dirichlet(np.full(sources, 0.7)) + 1e-4
    natural /= natural.sum()
    floor, kl = [0.0, 0.01][case % 2], [0.0, 0.001, 0.01, 0.1][case % 4]
    caps = np.clip(4 * natural + 0.05, 0, 1)
    found = choose(laws_of(slopes), weights, natural, caps, floor, kl)
    expected = by_slsqp(slopes, weights, natural, caps, floor, kl)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert ((found >= floor) & (found <= caps)).all()

    def objective(w: Array) -> float:
        return float(weights / weights.sum() @ np.exp(slopes @ w)) + kl * divergence(w, natural)

    assert objective(found) <= objective(expected) + TOLERANCE
    if kl:  # else there may be more than one best
        assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kl", [0.0, 1e-6, 1e-3])
def test_a_source_far_ahead_at_its_cap_does_not_make_the_others_equal(kl: float) -> None:
    """One target that wants one source: of the rest, the thousandths in their slopes decide."""
    slopes, natural = np.array([[0.0, 0.01, -0.01, -3.0]]), np.array([0.6, 0.25, 0.1, 0.05])
    caps = np.array([1.0, 1.0, 0.4, 0.2])
    found = choose(laws_of(slopes), np.ones(1), natural, caps, 0.0, kl)
    assert found == pytest.approx(by_slsqp(slopes, np.ones(1), natural, caps, 0.0, kl), abs=1e-5)
    assert found[2:] == pytest.approx([0.4, 0.2])


@pytest.mark.parametrize("targets", [1, 4])
@pytest.mark.parametrize("kl", [0.0, 1e-6, 1e-3])
def test_without_a_price_steps_end_at_the_caps(targets: int, kl: float) -> None:
    random = np.random.default_rng(targets)
    natural = np.array([0.6, 0.25, 0.1, 0.05])
    for _ in range(10):
        slopes = random.normal(0, 0.3, (targets, 4)) - 2 * np.eye(4)[:targets]
        weights, caps = random.dirichlet(np.full(targets, 0.3)), np.minimum(1, 4 * natural)
        found = choose(laws_of(slopes), weights, natural, caps, 0.0, kl)
        expected = by_slsqp(slopes, weights, natural, caps, 0.0, kl)

        def objective(w: Array, slopes: Array = slopes, weights: Array = weights) -> float:
            return float(weights @ np.exp(slopes @ w)) + kl * divergence(w, natural)

        assert objective(found) <= objective(expected) + TOLERANCE


@given(
    values=st.lists(st.floats(-5, 5), min_size=2, max_size=9),
    floor=st.floats(1e-6, 0.1),
    room=st.floats(1.1, 9),
    seed=st.integers(0, 9),
)
def test_logits_are_projected_as_their_exponentials(values: list[float], floor: float, room: float, seed: int) -> None:
    logits = np.array(values)
    caps = np.minimum(1, room * np.random.default_rng(seed).dirichlet(np.ones(len(values))) + floor)
    assume(caps.sum() > 1.001)
    assert _project_logits(logits, floor, caps) == pytest.approx(project(np.exp(logits), floor, caps), abs=1e-12)
    # However far they lie: the whole goes to the first, and what it leaves to the second.
    far = _project_logits(-1e6 * np.arange(len(values)), 1e-12, np.full(len(values), 0.75))
    assert far[:2] == pytest.approx([0.75, 0.25], abs=1e-10)


def test_a_large_price_of_divergence_leaves_the_natural_mixture() -> None:
    natural = np.array([0.6, 0.3, 0.1])
    slopes = np.array([[-1.0, 0.5, 0.5], [0.2, -0.4, 0.3]])
    distances = [
        divergence(choose(laws_of(slopes), np.ones(2), natural, np.ones(3), 0.0, kl), natural)
        for kl in (0.0, 0.01, 0.1, 1.0, 100.0)
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 1e-4 < distances[0]


def test_floors_of_laws_and_the_scale_of_weights_change_nothing() -> None:
    slopes = np.random.default_rng(0).normal(0, 0.5, (3, 4))
    natural, weights = np.full(4, 0.25), np.array([1.0, 2.0, 3.0])
    found = choose(laws_of(slopes), weights, natural, np.ones(4), 0.0, 0.02)
    again = choose(laws_of(slopes, [0.0, 2.0, 5.0]), 10 * weights, natural, np.ones(4), 0.0, 0.02)
    assert found == pytest.approx(again, abs=1e-12)


def test_a_target_of_weight_zero_has_no_say() -> None:
    slopes = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, -9.0]])
    found = choose(laws_of(slopes), np.array([1.0, 0.0]), np.full(3, 1 / 3), np.array([0.7, 0.7, 0.7]), 0.05, 0.0)
    assert found[0] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("natural", "caps", "weights", "kl", "message"),
    [
        ([0.5, 0.5, 0.0], [1, 1, 1], [1], 0.1, "no natural share of source 2"),
        ([0.4, 0.3, 0.3], [0.3, 0.3, 0.3], [1], 0.1, "the caps sum to 0.9"),
        ([0.4, 0.3, 0.3], [1, 1, 1], [0], 0.1, "the targets' weights"),
        ([0.4, 0.3, 0.3], [1, 1, 1], [1], -0.1, "cannot be negative"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(
    natural: list[float], caps: list[float], weights: list[float], kl: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        choose(laws_of(np.zeros((1, 3))), np.array(weights), np.array(natural), np.array(caps, float), 0.0, kl)


SLOPES = np.array([[0.3, -1.0, 0.2], [0.1, 0.4, -0.8]])


def test_what_is_said_of_the_chosen_is_what_the_laws_say() -> None:
    unique = np.array([600.0, 300.0, 100.0])
    natural, caps = unique / 1000, np.array([1.0, 0.9, 0.4])
    random = np.random.default_rng(0)
    laws, weights = laws_of(SLOPES), np.array([3.0, 1.0])
    resampled = [laws_of(SLOPES + random.normal(0, 0.02, (2, 3))) for _ in range(41)]
    chosen = decide(
        laws, resampled, np.full(3, 1 / 3), weights, unique=unique, tokens=2000, caps=caps, floor=0.01, kl=0.2
    )
    shares = np.array([interval.value for interval in chosen.shares.values()])
    assert shares == pytest.approx(choose(laws, weights, natural, caps, 0.01, 0.2))
    assert list(chosen.epochs.values()) == pytest.approx((shares * 2000 / unique).tolist())
    assert chosen.kl == pytest.approx(divergence(shares, natural))
    for name, point in {"natural": natural, "best observed": np.full(3, 1 / 3)}.items():
        said = laws.objective(point[None], weights)[0]
        errors = [each.objective(point[None], weights)[0] - said for each in resampled]
        assert chosen.objective[name].value == pytest.approx(said - np.median(errors))
        # What each promises at its own choice, beyond what the laws say there.
        own = [choose(each, weights, natural, caps, 0.01, 0.2)[None] for each in resampled]
        promised = [
            float(each.objective(at, weights)[0] - laws.objective(at, weights)[0])
            for each, at in zip(resampled, own, strict=True)
        ]
        gain = laws.objective(shares[None], weights)[0] - said
        assert chosen.gain[name].value == pytest.approx(gain - np.median(np.subtract(promised, errors)))
    for interval in [*chosen.shares.values(), *chosen.objective.values(), *chosen.gain.values()]:
        assert interval.low < interval.value < interval.high
    assert chosen.gain["natural"].high < 0


def test_laws_that_agree_leave_no_doubt() -> None:
    unique = np.array([600.0, 300.0, 100.0])
    chosen = decide(
        laws_of(SLOPES), [laws_of(SLOPES)] * 5, np.full(3, 1 / 3), np.ones(2),
        unique=unique, tokens=1000, caps=np.ones(3), floor=0.0, kl=0.02,
    )  # fmt: skip
    for interval in [*chosen.shares.values(), *chosen.objective.values(), *chosen.gain.values()]:
        assert (interval.low, interval.high) == (pytest.approx(interval.value), pytest.approx(interval.value))


def test_promises_of_laws_that_err_are_taken_back() -> None:
    """With noise around no effect at all, laws promise a gain everywhere; neither value nor interval may believe it."""
    random = np.random.default_rng(0)
    believed, promised, said = 0, [], []
    for _ in range(12):
        fitted = laws_of(random.normal(0, 0.05, (2, 3)))
        resampled = [laws_of(np.array([law.slopes for law in fitted.laws]) + random.normal(0, 0.05, (2, 3)))
                     for _ in range(30)]  # fmt: skip
        unique = np.array([600.0, 300.0, 100.0])
        chosen = decide(
            fitted, resampled, np.full(3, 1 / 3), np.ones(2),
            unique=unique, tokens=1000, caps=np.ones(3), floor=0.0, kl=0.02,
        )  # fmt: skip
        gain = chosen.gain["natural"]
        points = np.array([[interval.value for interval in chosen.shares.values()], unique / 1000])
        promised.append(float(np.subtract(*fitted.objective(points, np.ones(2)))))
        said.append(gain.value)
        believed += gain.high < 0
        assert gain.low <= gain.value <= gain.high
    assert max(promised) < 0
    assert abs(np.mean(said)) < 0.5 * abs(np.mean(promised))
    assert believed <= 2
