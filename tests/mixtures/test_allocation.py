import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from mixtures.allocation import allocate, held_out_error, optimum, parameter_intervals
from mixtures.repetition import PARAMETERS_DECAY, effective
from mixtures.scaling_law import Points, ScalingLaw

LAW = ScalingLaw(E=1.8, A=480.0, alpha=0.35, B=2100.0, beta=0.37)
# Muennighoff et al. 2023, appendix A.
C4 = ScalingLaw(np.exp(0.6254804), np.exp(6.255414), 0.3526596, np.exp(7.3049974), 0.3526596)

laws = st.builds(
    ScalingLaw,
    E=st.floats(0.5, 3),
    A=st.floats(50, 5000),
    alpha=st.floats(0.1, 0.8),
    B=st.floats(50, 5000),
    beta=st.floats(0.1, 0.8),
)


def grid() -> Points:
    size = np.repeat(3e6 * 2.0 ** np.arange(6), 5)
    tokens = size * np.tile([5.0, 10.0, 20.0, 40.0, 80.0], 6)
    names = tuple(f"{number:.0f}M" for number in size / 1e6)
    return Points(size, tokens, LAW.predict(size, tokens), runs=names)


@given(law=laws, flops=st.floats(1e15, 1e26), per=st.sampled_from([6.0, 8.5]))
def test_the_optimum_is_where_the_loss_is_least(law: ScalingLaw, flops: float, per: float) -> None:
    best = optimum(law, flops, per=per)
    assert per * best.parameters * best.tokens == pytest.approx(flops)

    def loss(log_size: float) -> float:
        return float(law.predict(np.exp(log_size), flops / per / np.exp(log_size)))

    # From one parameter on, to what leaves one token.
    middle, most = np.log(best.parameters), np.log(flops / per)
    bounds = max(0.0, middle - 5), min(most, middle + 4)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    assert best.loss <= found.fun * (1 + 1e-12)
    assert best.tokens_per_parameter == best.tokens / best.parameters


@given(
    law=st.builds(
        ScalingLaw,
        E=st.floats(1e-5, 3),
        A=st.floats(1e-40, 1e20),
        alpha=st.floats(1e-3, 4),
        B=st.floats(1e-40, 1e20),
        beta=st.floats(1e-3, 4),
    ),
    flops=st.floats(1e12, 1e26),
)
def test_no_law_whatever_asks_for_less_than_a_parameter_or_a_token(law: ScalingLaw, flops: float) -> None:
    best = optimum(law, flops)
    assert 1 <= best.parameters <= flops / 6
    assert 1 <= best.tokens <= flops / 6
    sizes = np.geomspace(1, flops / 6, 401)
    assert best.loss <= law.predict(sizes, flops / 6 / sizes).min() * (1 + 1e-12)


def test_what_does_not_matter_gets_one() -> None:
    no_size, no_data = dataclasses.replace(LAW, A=0.0), dataclasses.replace(LAW, B=0.0)
    assert (optimum(no_size, 6e20).parameters, optimum(no_size, 6e20).tokens) == (1, 1e20)
    assert (optimum(no_data, 6e20).parameters, optimum(no_data, 6e20).tokens) == (1e20, 1)
    assert optimum(no_size, 6e20, unique=1e9).parameters == pytest.approx(1e11 * np.exp(-12), rel=1e-3)
    assert optimum(no_size, 6e12, unique=1e9).parameters == pytest.approx(1, rel=1e-6)


def test_the_published_law_gives_the_published_allocation() -> None:
    """Besiroglu et al. 2024: about 20 tokens a parameter for Chinchilla's FLOPs."""
    law = ScalingLaw(E=1.8172, A=482.01, alpha=0.3478, B=2085.43, beta=0.3658)
    assert 18 < optimum(law, 5.76e23).tokens_per_parameter < 22


def test_unique_tokens_that_suffice_change_nothing() -> None:
    free = optimum(LAW, 1e21)
    assert optimum(LAW, 1e21, unique=free.tokens * 1.001) == free


def test_scarce_tokens_are_repeated_by_a_smaller_model() -> None:
    """Muennighoff et al. 2023, section 5: of 25 billion tokens and 9.3e21 FLOPs their law makes 6.34 billion parameters
    and 242 billion tokens (9.7 epochs), against 8.67 billion parameters where tokens were not scarce."""
    free, scarce = optimum(C4, 9.3e21), optimum(C4, 9.3e21, unique=25e9)
    assert free.parameters == pytest.approx(8.67e9, rel=0.04)
    assert scarce.parameters == pytest.approx(6.34e9, rel=0.1)
    assert scarce.tokens / 25e9 == pytest.approx(9.7, rel=0.1)
    assert scarce.effective_tokens == pytest.approx(float(effective(scarce.tokens, 25e9)))
    assert scarce.loss > free.loss


@given(flops=st.floats(1e18, 1e24), epochs=st.floats(1.5, 50))
def test_no_other_size_does_better_with_what_there_is(flops: float, epochs: float) -> None:
    unique = optimum(LAW, flops).tokens / epochs
    best = optimum(LAW, flops, unique=unique)
    assert 6 * best.parameters * best.tokens == pytest.approx(flops)
    # The size that the law alone would give as many tokens: where its two terms fall equally fast.
    slope = LAW.alpha * LAW.A / (LAW.beta * LAW.B) * unique**LAW.beta
    suited = slope ** (1 / LAW.alpha)
    sizes = best.parameters * np.geomspace(0.02, 50, 2001)
    sizes = sizes[flops / 6 / sizes >= unique]
    others = LAW.predict(effective(sizes, suited, PARAMETERS_DECAY), effective(flops / 6 / sizes, unique))
    assert best.loss <= others.min() * (1 + 1e-9)


def test_intervals_are_percentiles_of_the_draws() -> None:
    draws = [ScalingLaw(E=1.8, A=480.0, alpha=a, B=2100.0, beta=0.37) for a in np.linspace(0.3, 0.4, 41)]
    found = allocate(LAW, draws, 1e21, largest=1e20)
    sizes = [optimum(drawn, 1e21).parameters for drawn in draws]
    assert found.extrapolation == 10
    assert found.parameters.value == optimum(LAW, 1e21).parameters
    assert (found.parameters.low, found.parameters.high) == tuple(np.percentile(sizes, [2.5, 97.5]))
    assert found.tokens_per_parameter.low < found.tokens_per_parameter.value < found.tokens_per_parameter.high
    alpha = parameter_intervals(LAW, draws)["alpha"]
    assert (alpha.low, alpha.value, alpha.high) == pytest.approx((0.3025, 0.35, 0.3975))


def test_an_interval_that_comes_to_one_parameter_or_token_has_no_end() -> None:
    no_size, no_data = dataclasses.replace(LAW, A=0.0), dataclasses.replace(LAW, B=0.0)
    found = allocate(LAW, [LAW] * 30 + [no_size] * 10, 1e21, largest=1e20)
    best = optimum(LAW, 1e21)
    assert (found.parameters.low, found.parameters.high) == (None, best.parameters)
    assert (found.tokens.low, found.tokens.high) == (best.tokens, None)
    assert (found.tokens_per_parameter.low, found.tokens_per_parameter.high) == (best.tokens_per_parameter, None)
    assert not found.determined
    found = allocate(LAW, [LAW] * 30 + [no_data] * 10, 1e21, largest=1e20)
    assert (found.parameters.high, found.tokens.low, found.tokens_per_parameter.low) == (None, None, None)
    assert not found.determined
    assert allocate(LAW, [LAW] * 40, 1e21, largest=1e20).determined
    assert not allocate(no_size, [LAW] * 40, 1e21, largest=1e20).determined


def test_an_allocation_needs_draws_and_a_budget() -> None:
    with pytest.raises(ValueError, match="no resampled laws, so no interval"):
        allocate(LAW, [], 1e21, 1e20)
    with pytest.raises(ValueError, match=r"^0 FLOPs to spend"):
        optimum(LAW, 0.0)
    with pytest.raises(ValueError, match=r"^5 FLOPs are less than one token through one parameter takes, 6"):
        optimum(LAW, 5.0)
    with pytest.raises(ValueError, match=r"^-5 unique tokens"):
        optimum(LAW, 1e20, unique=-5.0)


def test_the_largest_runs_are_predicted_by_the_others() -> None:
    """Whole, though a tenth of the points are but three of the five horizons of the largest."""
    found = held_out_error(grid(), share=0.1)
    assert [run.run for run in found] == ["96M"] * 5
    assert [run.flops for run in found] == sorted(run.flops for run in found)
    assert max(abs(run.relative_error) for run in found) < 1e-3


def test_points_without_names_are_held_out_one_by_one() -> None:
    found = held_out_error(dataclasses.replace(grid(), runs=()), share=0.1)
    assert [run.run for run in found] == ["point 27", "point 28", "point 29"]
    assert found[-1].flops == pytest.approx(6 * 96e6 * 80 * 96e6)


def test_a_law_that_breaks_beyond_its_runs_shows_it() -> None:
    points = grid()
    points.losses[-1] += 0.2
    *_, last = held_out_error(points, share=0.1)
    assert last.error == pytest.approx(0.2, abs=0.005)
    assert last.relative_error == pytest.approx(0.2 / last.loss, abs=0.003)


def test_what_leaves_no_law_cannot_be_held_out() -> None:
    with pytest.raises(ValueError, match=r"^without the 25 largest of 30 points there is no law: "):
        held_out_error(grid(), share=0.8)
    with pytest.raises(ValueError, match=r"^a share of 1 of the points"):
        held_out_error(grid(), share=1.0)
