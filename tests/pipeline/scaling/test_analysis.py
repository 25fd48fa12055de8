"""What runs say together: a planted law comes back, and what speaks against it is said."""

import io
import json
import math
import re
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mixtures.allocation import optimum
from mixtures.repetition import effective
from mixtures.scaling_law import ScalingLaw
from pipeline.plots import power
from pipeline.scaling.analysis import analyse
from pipeline.scaling.report import render
from pipeline.scaling.schema import Point, Result
from pipeline.scaling.tables import found

TRUTH = ScalingLaw(1.7, 60.0, 0.35, 200.0, 0.30)
SIZES = (100_000, 140_000, 200_000, 280_000, 400_000, 560_000, 800_000)
RATIOS = (5, 10, 20, 40, 80)
PER = 7.0  # FLOPs a token and parameter: attention takes its part
UNIQUE = 8_000_000


def grid(unique: int | None = None, noise: float = 0.0) -> list[Point]:
    rng = np.random.default_rng(1)
    found: list[Point] = []
    for size in SIZES:
        for ratio in RATIOS:
            tokens = size * ratio
            worth = float(effective(tokens, unique)) if unique else tokens
            loss = float(TRUTH.predict(size, worth)) * math.exp(rng.normal(0, noise) if noise else 0.0)
            repeats = unique if unique and unique < tokens else None
            found.append(
                {
                    "run": f"size {size}",
                    "parameters": size,
                    "tokens": tokens,
                    "unique": repeats,
                    "flops": PER * size * tokens,
                    "loss": loss,
                    "diverged": None,
                }
            )
    return found


def ask(points: list[Point], target_flops: tuple[float, ...] = (1e15,), draws: int = 12) -> Result:
    return analyse(points, "nats", target_flops=target_flops, draws=draws, seed=0, config={"budget": 1})


def law_of(result: Result) -> ScalingLaw:
    law: Any = result["law"]
    return ScalingLaw(*(law[name]["value"] for name in ("E", "A", "alpha", "B", "beta")))


@pytest.fixture(scope="module")
def noisy() -> Result:
    """The grid with a tenth of a per cent of noise, repeated tokens, and one length of one run that diverged."""
    points = grid(UNIQUE, 0.001)
    points[17] = {**points[17], "loss": None, "diverged": "horizon 80: training diverged at step 71"}
    return ask(points, (1e18, 1e15))


def test_a_planted_law_comes_back_also_where_tokens_repeat() -> None:
    result = ask(grid(UNIQUE))
    law = law_of(result)
    assert (law.E, law.alpha, law.beta) == pytest.approx((TRUTH.E, TRUTH.alpha, TRUTH.beta), rel=0.02)
    (best,) = result["allocations"]
    expected = optimum(TRUTH, 1e15, per=PER)
    assert best["parameters"]["value"] == pytest.approx(expected.parameters, rel=0.03)
    assert best["tokens"]["value"] * best["parameters"]["value"] * PER == pytest.approx(1e15)
    assert best["extrapolation"] == pytest.approx(1e15 / (PER * 800_000 * 800_000 * 80))
    said = " ".join(result["warnings"])
    repeating = sum(point["unique"] is not None for point in result["points"])
    assert f"{repeating} of 35 points repeat tokens" in said


def test_taken_as_fresh_the_same_repeated_tokens_give_another_law() -> None:
    fresh: list[Point] = [{**point, "unique": None} for point in grid(UNIQUE)]
    assert abs(law_of(ask(fresh)).E - TRUTH.E) > 0.02


def test_intervals_hold_the_values_and_budgets_come_in_their_order(noisy: Result) -> None:
    assert noisy["law"] is not None
    assert noisy["law"]["draws"] == 12
    assert [each["flops"] for each in noisy["allocations"]] == [1e15, 1e18]
    for each in noisy["allocations"]:
        for name in ("parameters", "tokens", "tokens_per_parameter"):
            found: Any = each[name]  # type: ignore[literal-required]
            assert 0 < found["low"] < found["high"]
    near, far = (math.log(each["parameters"]["high"] / each["parameters"]["low"]) for each in noisy["allocations"])
    assert far > near, "farther from the runs there is less to know"


def test_what_speaks_against_the_law_is_said(noisy: Result) -> None:
    said = noisy["warnings"]
    assert said[0] == "size 280000 at 5.6 M tokens is left out: horizon 80: training diverged at step 71"
    assert sum("points repeat tokens" in text for text in said) == 1
    times = 1e18 / (PER * 800_000 * 800_000 * 80)
    assert any(f"1e18 FLOPs are {times:,.0f} times the largest run's" in text for text in said)
    assert not any("1e15 FLOPs are" in text for text in said)


def test_the_largest_run_is_asked_for_by_a_law_that_had_not_seen_it(noisy: Result) -> None:
    assert {unseen["run"] for unseen in noisy["held_out"]} == {"size 800000"}
    for unseen in noisy["held_out"]:
        assert abs(unseen["relative_error"]) < 0.02
        assert unseen["error"] == pytest.approx(unseen["loss"] - unseen["predicted"])


def test_a_law_that_the_runs_themselves_contradict_is_said_to_be() -> None:
    """Each size has another floor: at each budget the middle size is best, which no law of sums can say."""
    points = grid()
    for point in points:
        point["loss"] = 2 + 0.5 * math.log(point["parameters"] / 110_000) ** 2 + 10 * point["tokens"] ** -0.3
    warnings = ask(points)["warnings"]
    said = [text for text in warnings if "the runs themselves are best at" in text]
    assert said
    assert "and the law says" in said[0]
    assert any("alpha came out at 0.001, an end of what it may be" in text for text in warnings)


@pytest.fixture(scope="module")
def weak() -> Result:
    """Losses to which size does not matter: no best size."""
    points = grid(noise=0.002)
    for point in points:
        noise = (point["loss"] or 0.0) / float(TRUTH.predict(point["parameters"], point["tokens"]))
        point["loss"] = 40 * point["tokens"] ** -0.2 * noise
    return ask(points, (1e13, 1e15))


def test_runs_that_do_not_determine_the_best_size_are_said_not_to(weak: Result) -> None:
    for each in weak["allocations"]:
        assert each["parameters"]["value"] >= 1
        assert each["tokens"]["value"] >= 1
        assert (each["parameters"]["low"], each["tokens"]["high"], each["tokens_per_parameter"]["high"]) == (None,) * 3
        assert not each["determined"]
        said = f"these runs do not determine the best size for {power(each['flops'])} FLOPs: 95 % of the laws"
        assert sum(text.startswith(said) and "below 1 to " in text for text in weak["warnings"]) == 1
    assert not any("do not determine" in text for text in ask(grid())["warnings"])


def test_a_law_without_a_floor_is_said_to_be_one() -> None:
    points = grid()
    for point in points:
        point["loss"] = 9 * point["parameters"] ** -0.1 + 30 * point["tokens"] ** -0.2
    result = ask(points)
    assert law_of(result).E < 1e-3
    assert sum("these runs do not tell where the loss ends" in text for text in result["warnings"]) == 1
    assert not any("where the loss ends" in text for text in ask(grid())["warnings"])


def test_what_has_no_end_is_told_in_words_and_is_null_in_json(weak: Result) -> None:
    page = render(weak)
    assert "These runs do not determine the best size for 1e15 FLOPs: the law says " in page
    assert "(below 1 to " in page
    assert " to no end)" in page
    assert " – no end</span>" in page
    terminal = Console(width=200, record=True, quiet=False, file=io.StringIO())
    for table in found(weak):
        terminal.print(table)
    assert re.search(r"below 1 to .* to no end", terminal.export_text())
    assert json.loads(json.dumps(weak, allow_nan=False))["allocations"][0]["tokens"]["high"] is None


def test_where_the_rest_is_too_little_for_a_law_nothing_is_held_out_and_that_is_said() -> None:
    points = [point for point in grid() if point["parameters"] <= 400_000]
    result = ask(points)
    assert result["held_out"] == []
    assert any("could not be tried on runs that it had not seen" in text for text in result["warnings"])


def test_the_result_is_what_the_page_shows(noisy: Result) -> None:
    page = render(noisy)
    assert "diverged, left out: horizon 80" in page
    assert page == render(noisy)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([point for point in grid() if point["parameters"] < 300_000], "sizes span 2.80 times"),
        ([{**point, "loss": None, "diverged": "at step 3"} for point in grid()], "none of 35 points has a loss"),
        ([{**point, "run": "one"} for point in grid()], "an interval needs 4 training runs and has 1"),
    ],
)
def test_too_little_is_refused(points: list[Point], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ask(points)
