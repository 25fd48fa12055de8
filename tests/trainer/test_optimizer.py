import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import Optimizer, Schedule
from trainer.gpt import GPT, GPTConfig
from trainer.optimizer import adamw, learning_rate

COSINE, WSD = Schedule(), Schedule(kind="wsd", warmup=0.1, decay=0.2, final=0.0)


def test_cosine_warms_up_to_its_highest_and_falls_to_a_tenth() -> None:
    rates = [learning_rate(step, 200, COSINE) for step in range(200)]
    assert rates[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert max(rates) == rates[19] == 1
    assert rates[19:] == sorted(rates[19:], reverse=True)
    assert rates[109] == pytest.approx(0.1 + 0.9 / 2)
    assert learning_rate(0, 1, COSINE) == 1


@pytest.mark.parametrize(("steps", "warmup"), [(200, 0.1), (2, 0.0), (10, 0.9), (3, 0.3)])
def test_the_last_rate_is_the_final_one(steps: int, warmup: float) -> None:
    assert learning_rate(steps - 1, steps, Schedule(warmup=warmup, final=0.1)) == pytest.approx(0.1)
    decay = min(0.5, 1 - warmup)
    wsd = Schedule(kind="wsd", warmup=warmup, decay=decay, final=0.1)
    assert learning_rate(steps - 1, steps, wsd) == pytest.approx(0.1)


def test_wsd_is_stable_and_then_falls_in_a_line() -> None:
    rates = [learning_rate(step, 100, WSD) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert set(rates[9:80]) == {1.0}
    assert rates[80:] == pytest.approx([(99 - step) / 20 for step in range(80, 100)])


def test_wsds_stable_steps_do_not_know_how_long_the_run_is() -> None:
    """So that one run serves several lengths: each is its own decay from a common stem."""
    short, long = (Schedule(kind="wsd", warmup=10 / steps, decay=0.2) for steps in (100, 400))
    assert [learning_rate(s, 100, short) for s in range(80)] == [learning_rate(s, 400, long) for s in range(80)]


@given(steps=st.integers(1, 300), warmup=st.floats(0, 0.5), decay=st.floats(0.01, 0.5), final=st.floats(0, 1))
def test_no_rate_is_zero_before_the_last_step_or_above_the_highest(
    steps: int, warmup: float, decay: float, final: float
) -> None:
    for schedule in (
        Schedule(warmup=warmup, final=final),
        Schedule(kind="wsd", warmup=warmup, decay=decay, final=final),
    ):
        rates = [learning_rate(step, steps, schedule) for step in range(steps)]
        assert all(0 < rate <= 1 for rate in rates[:-1])
        assert 0 <= rates[-1] <= 1


def test_matrices_decay_and_gains_do_not() -> None:
    model = GPT(GPTConfig(vocabulary=50, layers=1, width=16, heads=2, kv_heads=1, context=8, hidden=16))
    optimizer = adamw(model, Optimizer(weight_decay=0.3, beta2=0.9))
    decayed, plain = optimizer.param_groups
    assert {weight.ndim for weight in decayed["params"]} == {2}
    assert {weight.ndim for weight in plain["params"]} == {1}
    assert (decayed["weight_decay"], plain["weight_decay"], plain["betas"]) == (0.3, 0.0, (0.9, 0.9))
    assert sum(map(torch.numel, decayed["params"] + plain["params"])) == model.parameters_count()
