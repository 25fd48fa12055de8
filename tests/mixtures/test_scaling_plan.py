import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.isoflop import budgets
from mixtures.scaling_plan import Family, plan, stable_tokens

SMALL = Family(vocabulary=1024, context=256)
LARGE = Family(vocabulary=50_304, context=1024)


def test_sizes_are_those_of_the_trainer() -> None:
    pytest.importorskip("torch")
    from trainer.config import Model, Training
    from trainer.gpt import GPT
    from trainer.loop import gpt_config

    for layers, width in ((1, 32), (3, 96), (2, 320)):
        model = GPT(gpt_config(Training(model=Model(layers=layers, width=width, context=256)), 1024))
        assert SMALL.parameters(layers, width) == model.parameters_count() - model.embedding.weight.numel()
        assert SMALL.flops_per_token(layers, width) == model.flops_per_token()


@settings(max_examples=30)
@given(
    case=st.tuples(st.just(SMALL), st.floats(3e15, 1e22)) | st.tuples(st.just(LARGE), st.floats(1e18, 1e22)),
)
def test_a_plan_spans_enough_and_costs_no_more_than_its_budget(case: tuple[Family, float]) -> None:
    family, budget = case
    runs = plan(budget, family, step_tokens=8192)
    assert sum(run.flops for run in runs) <= budget
    assert 5 <= len(runs) <= 7
    assert runs[-1].parameters >= 4 * runs[0].parameters
    assert runs[-1].horizons[-1] >= 4 * runs[0].horizons[0]
    for run in runs:
        assert run.parameters == family.parameters(run.layers, run.width)
        assert [h / run.parameters for h in run.horizons] == pytest.approx([5, 10, 20, 40, 80], rel=0.02)
        assert all(horizon % 8192 == 0 for horizon in run.horizons)
        heads = run.width // (64 if run.width >= 256 else 32)
        assert run.width % (2 * heads) == 0
        assert 16 <= run.width / run.layers <= 64
    steps = [after.parameters / before.parameters for before, after in itertools.pairwise(runs)]
    assert all(1.2 <= step <= 2 for step in steps)


def test_a_larger_budget_is_spent() -> None:
    for budget in (1e17, 1e19, 1e21):
        assert sum(run.flops for run in plan(budget, LARGE if budget > 1e18 else SMALL, 8192)) > 0.6 * budget


def test_a_size_costs_one_stable_run_and_a_decay_for_each_horizon() -> None:
    run = plan(1e17, SMALL, 1000, ratios=[10, 20, 40])[0]
    short, middle, long = run.horizons
    assert run.trained[0] == stable_tokens(run.horizons, 0.2) == long - round(0.2 * long)
    assert run.trained[1:] == (round(0.2 * short), round(0.2 * middle), round(0.2 * long))
    assert run.flops == SMALL.flops_per_token(run.layers, run.width) * sum(run.trained)


def test_one_budget_of_flops_has_runs_of_several_sizes() -> None:
    runs = plan(1e21, LARGE, 8192)
    flops = [LARGE.flops_per_token(run.layers, run.width) * horizon for run in runs for horizon in run.horizons]
    assert sum(len(members) >= 4 for members in budgets(np.array(flops, np.float64))) >= 3


def test_the_least_budget_is_named_and_is_enough() -> None:
    with pytest.raises(ValueError, match=r"1e\+10 FLOPs are too few for a law") as caught:
        plan(1e10, SMALL, 1024)
    found = re.search(r"the least is (\S+):", str(caught.value))
    assert found
    least = float(found[1])
    assert least * 0.98 < sum(run.flops for run in plan(least, SMALL, 1024)) <= least
    with pytest.raises(ValueError, match="too few"):
        plan(least * 0.98, SMALL, 1024)


def test_updates_that_are_too_large_are_refused() -> None:
    with pytest.raises(ValueError, match="lower the 1,000,000,000,000,000 tokens of an update or add ratios"):
        plan(1e20, LARGE, 10**15)


def test_ratios_have_to_be_positive() -> None:
    with pytest.raises(ValueError, match=r"tokens a parameter of \[0\]"):
        plan(1e20, LARGE, 1024, ratios=[0])
