from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize

from mixtures.proposals import (
    SAME,
    Proposal,
    default_count,
    project,
    proposals,
    propose,
    reference_mixtures,
    share_caps,
    spread,
    within,
)

# Llama 1's token shares (arXiv:2302.13971, table 1), of a billion.
LLAMA = {
    "commoncrawl": 670_000_000, "c4": 150_000_000, "github": 45_000_000, "wikipedia": 45_000_000,
    "books": 45_000_000, "arxiv": 25_000_000, "stackexchange": 20_000_000,
}  # fmt: skip
FLOOR = 0.01
CAPS = share_caps(LLAMA, dict.fromkeys(LLAMA, 4.0), 1_000_000_000, FLOOR)


def shares_of(found: list[Proposal]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([list(proposal.shares.values()) for proposal in found])


def test_references_are_natural_uniform_and_between() -> None:
    natural, uniform, temperature = reference_mixtures({"a": 400, "b": 100}, {"a": 1.0, "b": 1.0}, 0.0)
    assert (natural.name, natural.shares) == ("natural", pytest.approx({"a": 0.8, "b": 0.2}))
    assert (uniform.name, uniform.shares) == ("uniform", pytest.approx({"a": 0.5, "b": 0.5}))
    assert (temperature.name, temperature.shares) == ("temperature", pytest.approx({"a": 2 / 3, "b": 1 / 3}))


def test_a_reference_outside_the_bounds_is_cut_and_the_rest_keeps_its_ratios() -> None:
    uniform = reference_mixtures({"a": 600, "b": 300, "c": 100}, {"a": 1.0, "b": 1.0, "c": 0.2}, 0.0)[1]
    assert uniform.shares == pytest.approx({"a": 0.4, "b": 0.4, "c": 0.2})
    natural = reference_mixtures({"a": 600, "b": 390, "c": 10}, {"a": 0.5, "b": 1.0, "c": 1.0}, 0.05)[0]
    assert natural.shares == pytest.approx({"a": 0.5, "b": 0.45, "c": 0.05})


@given(st.integers(2, 9), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.01, 0.05]))
def test_projection_meets_the_bounds_and_no_mixture_is_nearer(sources: int, seed: int, floor: float) -> None:
    random = np.random.default_rng(seed)
    values = random.dirichlet(np.full(sources, 0.5)) + 1e-9
    caps = random.uniform(floor, 1, sources)
    assume(caps.sum() > 1.01)
    found = project(values, floor, caps)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert ((found >= floor) & (found <= caps)).all()
    inner = (found > floor + 1e-9) & (found < caps - 1e-9)
    ratios = found / values
    # What is between the bounds was scaled by one factor; what was cut would have passed its bound by that factor.
    if inner.any():
        factor = ratios[inner][0]
        assert ratios[inner] == pytest.approx(factor, rel=1e-9)
        assert found == pytest.approx(np.clip(values * factor, floor, caps), abs=1e-9)


def test_projection_is_the_nearest_that_a_solver_finds() -> None:
    values, caps, floor = np.array([0.7, 0.2, 0.06, 0.04]), np.array([0.5, 0.3, 0.3, 0.3]), 0.05
    solved = minimize(
        lambda w: (w * np.log(w / values)).sum(), caps / caps.sum(), method="SLSQP", tol=1e-14,
        bounds=[(floor, cap) for cap in caps], constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )  # fmt: skip
    assert project(values, floor, caps) == pytest.approx(solved.x, abs=1e-6)


def test_bounds_that_leave_one_mixture_give_it() -> None:
    assert within({"a": 5.0, "b": 1.0}, 0.5, {"a": 1.0, "b": 1.0}) == pytest.approx({"a": 0.5, "b": 0.5})
    assert within({"a": 5.0, "b": 1.0}, 0.0, {"a": 0.3, "b": 0.7}) == pytest.approx({"a": 0.3, "b": 0.7})


def test_caps_are_the_epochs_that_the_target_leaves() -> None:
    caps = share_caps({"web": 900, "books": 100}, {"web": 2.0, "books": 4.0}, 1600, 0.1)
    assert caps == {"books": 0.25, "web": 1.0}


@pytest.mark.parametrize(
    ("floor", "message"),
    [
        (0.0, r"all sources are too few. The largest total that works is 2,200"),
        (0.2, r"the floor of 0.2 is above what books \(0.1333\) can have. The largest total that works is 2,000"),
    ],
)
def test_a_total_that_cannot_be_had_is_refused_with_the_largest_that_can(floor: float, message: str) -> None:
    unique, epochs = {"web": 900, "books": 100}, {"web": 2.0, "books": 4.0}
    with pytest.raises(ValueError, match=message):
        share_caps(unique, epochs, 3000, floor)
    largest = 2200 if floor == 0 else 2000
    caps = share_caps(unique, epochs, largest, floor)
    assert sum(within(unique, floor, caps).values()) == pytest.approx(1)
    with pytest.raises(ValueError, match=f"is {largest:,}"):
        share_caps(unique, epochs, largest + 1, floor)


@pytest.mark.parametrize(
    ("shares", "floor", "caps", "message"),
    [
        ({"a": 1.0, "b": 1.0}, 0.6, {"a": 1.0, "b": 1.0}, r"a floor of 0\.6 for each of 2 sources .* at most 0\.5"),
        ({"a": 1.0, "b": 1.0}, 0.1, {"a": 1.0, "b": 0.05}, r"the floor of 0\.1 is above the cap of b \(0\.05\)"),
        ({"a": 1.0, "b": 1.0}, 0.0, {"a": 0.4, "b": 0.5}, r"the caps sum to 0\.9"),
        ({"a": 1.0, "b": 0.0}, 0.0, {"a": 0.4, "b": 0.9}, r"sum to less than 1: give b a share above 0"),
        ({"a": 0.0, "b": 0.0}, 0.0, {"a": 1.0, "b": 1.0}, r"sum to more than 0"),
        ({"a": -1.0, "b": 2.0}, 0.0, {"a": 1.0, "b": 1.0}, r"not negative"),
        ({"a": float("nan"), "b": 2.0}, 0.0, {"a": 1.0, "b": 1.0}, r"have to be finite"),
    ],
)
def test_what_no_mixture_satisfies_is_refused(
    shares: dict[str, float], floor: float, caps: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        within(shares, floor, caps)


def test_random_mixtures_are_within_the_bounds_and_all_different() -> None:
    found = propose(LLAMA, CAPS, count=21, floor=FLOOR, seed=3)
    assert [proposal.name for proposal in found] == [f"dirichlet-{n:02}" for n in range(21)]
    rows = shares_of(found)
    caps = np.array([CAPS[source] for source in found[0].shares])
    assert rows.sum(axis=1) == pytest.approx(1)
    assert ((rows >= FLOOR) & (rows <= caps)).all()
    distances = np.abs(rows[:, None] - rows[None]).max(axis=2)
    assert distances[~np.eye(21, dtype=bool)].min() >= SAME


def test_the_seed_and_nothing_else_decides() -> None:
    backwards = dict(reversed(LLAMA.items()))
    first = proposals(LLAMA, CAPS, {}, count=21, floor=FLOOR, seed=3)
    assert proposals(backwards, dict(reversed(CAPS.items())), {}, count=21, floor=FLOOR, seed=3) == first
    assert [list(proposal.shares) for proposal in first] == [sorted(LLAMA)] * 24
    other = proposals(LLAMA, CAPS, {}, count=21, floor=FLOOR, seed=4)
    assert other[:3] == first[:3]
    assert not {str(proposal.shares) for proposal in other[3:]} & {str(proposal.shares) for proposal in first[3:]}


def test_picked_mixtures_tell_the_sources_apart_better_than_drawn_ones() -> None:
    random = np.random.default_rng(0)
    pool = random.dirichlet(np.full(7, 0.5), 96)
    picked = pool[spread(pool, 24, np.empty((0, 7)))]
    assert np.linalg.svd(picked)[1].min() > 1.2 * max(
        np.linalg.svd(pool[n : n + 24])[1].min() for n in range(0, 72, 24)
    )


def test_no_mixture_is_picked_twice_nor_one_that_is_there() -> None:
    pool = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert sorted(spread(pool, 4, pool[3:])) == [0, 2]


def test_one_that_is_the_same_as_an_earlier_one_is_left_out_and_said() -> None:
    equal = {"a": 100, "b": 100}
    found = proposals(equal, {"a": 1.0, "b": 1.0}, {"half": {"a": 1, "b": 1}}, count=4, floor=0.0, seed=0)
    assert [proposal.name for proposal in found[:2]] == ["natural", "dirichlet-00"]
    assert found[0].also == ("uniform", "temperature", "half")


def test_named_mixtures_come_after_the_references_in_their_order() -> None:
    named = {"llama": {"commoncrawl": 0.67, "c4": 0.15, "github": 0.18}, "code": {"github": 9, "c4": 1}}
    found = proposals(LLAMA, dict.fromkeys(LLAMA, 1.0), named, count=21, floor=FLOOR, seed=0)
    assert [proposal.name for proposal in found[:5]] == ["natural", "uniform", "temperature", "llama", "code"]
    assert found[3].shares["books"] == FLOOR
    assert found[4].shares["github"] / found[4].shares["c4"] == pytest.approx(9)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"mine": {"githb": 1.0}}, 'mixture mine: .*"githb".*github'),
        ({"mine": {"github": 0.0}}, "mixture mine: shares have to be .* sum to more than 0"),
        ({"one": {"c4": 1, "github": 1}, "two": {"github": 2, "c4": 2}}, "mixtures one and two are the same"),
        ({"natural": {"c4": 1, "github": 1}}, "mixture natural: the name is taken"),
        ({"dirichlet-00": {"c4": 1, "github": 1}}, "mixture dirichlet-00: the name is taken"),
    ],
)
def test_bad_named_mixtures_are_refused_by_name(named: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proposals(LLAMA, dict.fromkeys(LLAMA, 1.0), named, count=4, floor=FLOOR, seed=0)


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(ValueError, match="no tokens of books: "):
        reference_mixtures({"web": 10, "books": 0}, {"web": 1.0, "books": 0.0}, 0.0)


def test_how_many_by_default() -> None:
    assert [default_count(sources) for sources in (2, 5, 6, 7, 17)] == [16, 16, 18, 21, 51]
