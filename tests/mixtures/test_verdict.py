import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mixtures.verdict import Comparison, Losses, NoIntervalError, compare, judge


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    random = np.random.default_rng(0)
    ours, theirs = random.normal(2.0, 0.01, 6), random.normal(2.01, 0.01, 6)
    found = compare(dict(enumerate(ours)), dict(enumerate(theirs)))
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert found.mean == pytest.approx(float(np.mean(ours - theirs)))
    assert (found.seeds, found.dropped) == (tuple(range(6)), ())


def test_pairing_is_by_seed_and_not_by_order() -> None:
    ours, theirs = {0: 1.0, 1: 2.0, 2: 3.0}, {2: 3.11, 1: 2.1, 0: 1.09}
    found = compare(ours, theirs)
    assert found.mean == pytest.approx(-0.1)
    assert found.word == "better"
    assert compare(theirs, ours).word == "worse"


@pytest.mark.parametrize("lost", [None, math.nan, math.inf])
def test_a_diverged_seed_counts_on_neither_side_and_is_named(lost: float | None) -> None:
    ours: Losses = {0: 1.0, 1: 2.0, 2: 3.0, 3: lost}
    theirs: Losses = {0: 1.1, 1: 2.2, 2: 3.1, 3: -100.0, 4: 5.0}
    found = compare(ours, theirs)
    assert (found.seeds, found.dropped) == ((0, 1, 2), (3, 4))
    assert found.mean == pytest.approx(-0.4 / 3)


def test_too_few_seeds_have_no_interval_and_the_lost_ones_are_named() -> None:
    with pytest.raises(NoIntervalError, match=r"2 seeds with both runs \(1 diverged or missing\), and 3 are needed"):
        compare({0: 1.0, 1: None, 2: 1.0}, {0: 1.0, 1: 1.0, 2: 1.0})


def test_identical_runs_are_no_better() -> None:
    same: Losses = {0: 1.0, 1: 1.1, 2: 1.2}
    assert compare(same, same) == Comparison(0.0, 0.0, 0.0, (0, 1, 2), ())
    assert compare(same, same).word == "not told apart"


def test_seeds_that_change_nothing_are_no_evidence() -> None:
    ours, theirs = dict.fromkeys(range(5), 1.1), dict.fromkeys(range(5), 1.3)
    with pytest.raises(NoIntervalError, match=r"seeds 0, 1, 2, 3, 4 all differ by -0\.2: the seed changed nothing"):
        compare(ours, theirs)


def runs(mean: float, spread: float = 0.01) -> Losses:
    return {seed: mean + spread * step for seed, step in enumerate((-1.0, 0.3, 0.7))}


BASE: Losses = dict.fromkeys(range(3), 2.0)


def test_accepted_only_where_it_is_better_at_every_size() -> None:
    better, level = {"chosen": runs(1.9), "natural": BASE}, {"chosen": runs(1.999), "natural": BASE}
    both = judge({"1M": better, "4M": better})
    assert (both.accepted, both.words) == (True, "better than natural at both sizes")
    one = judge({"1M": better, "4M": level})
    assert not one.accepted
    assert one.words == f"no better than natural: {one.comparisons['4M']['natural']} at 4M"
    assert str(one.comparisons["4M"]["natural"]) == "-0.0010 [-0.0231, +0.0211]"
    assert judge({"1M": better}).words == "better than natural at its one size"


def test_a_better_mean_with_zero_inside_the_interval_is_not_accepted() -> None:
    verdict = judge({"1M": {"chosen": runs(1.98), "natural": BASE}})
    comparison = verdict.comparisons["1M"]["natural"]
    assert isinstance(comparison, Comparison)
    assert comparison.mean < 0 < comparison.high
    assert not verdict.accepted


def test_worse_than_natural_is_said_so() -> None:
    size: dict[str, Losses] = {"chosen": runs(2.5), "natural": BASE}
    verdict = judge({"1M": size, "4M": size})
    comparison = verdict.comparisons["1M"]["natural"]
    assert (verdict.accepted, verdict.baselines["natural"]) == (False, "worse")
    assert verdict.words == f"worse than natural: {comparison} at 1M, {comparison} at 4M"


def test_worse_than_another_baseline_is_said_though_it_is_accepted() -> None:
    size: dict[str, Losses] = {
        "chosen": runs(1.9),
        "natural": BASE,
        "uniform": runs(1.9, 0.011),
        "best observed": dict.fromkeys(range(3), 1.8),
    }
    verdict = judge({"1M": size, "4M": size | {"uniform": BASE}})
    assert verdict.accepted
    assert verdict.baselines == {"natural": "better", "best observed": "worse", "uniform": "not told apart"}
    assert verdict.words.startswith("better than natural at both sizes; worse than best observed: +0.1000 [")


def test_without_three_seeds_there_is_no_verdict_and_the_reason_is_said() -> None:
    good = {"chosen": runs(1.9), "natural": BASE}
    verdict = judge({"1M": good, "4M": {"chosen": {**runs(1.9), 1: None}, "natural": BASE}})
    assert (verdict.accepted, verdict.baselines) == (False, {"natural": "not told apart"})
    assert verdict.words.startswith("no better than natural: 2 seeds with both runs (1 diverged or missing)")
    assert verdict.words.endswith("at 4M")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({}, "no runs to compare"),
        ({"1M": {"chosen": BASE}}, "size 1M has no runs of natural"),
        ({"1M": {"chosen": BASE, "natural": BASE}, "4M": {"natural": BASE}}, "size 4M has no runs of chosen"),
    ],
)
def test_missing_runs_are_refused(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        judge(sizes)


def test_without_a_difference_few_are_accepted() -> None:
    """Half of 5 % at one size, next to none at two."""
    random = np.random.default_rng(1)
    accepted = [0, 0]
    for _ in range(400):
        size = [
            {name: dict(enumerate(random.normal(2, 0.003, 3).tolist())) for name in ("chosen", "natural")}
            for _ in range(2)
        ]
        accepted[0] += judge({"1M": size[0]}).accepted
        accepted[1] += judge({"1M": size[0], "4M": size[1]}).accepted
    assert 0 < accepted[0] <= 20
    assert accepted[1] <= 2
