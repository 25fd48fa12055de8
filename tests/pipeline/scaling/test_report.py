import copy
import math
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus import storage
from mixtures.allocation import HeldOut, allocate, parameter_intervals
from mixtures.isoflop import agreement, isoflops
from mixtures.repetition import effective
from mixtures.scaling_law import Points, ScalingLaw
from pipeline.plots import short
from pipeline.report import studies
from pipeline.scaling.report import render
from pipeline.scaling.schema import Point, Result

TRUTH = ScalingLaw(1.69, 406.4, 0.34, 410.7, 0.28)
UNIQUE = 400_000_000


def points() -> list[Point]:
    """Six sizes by six numbers of tokens, of a law with a little noise; the most tokens are repeated ones."""
    rng = np.random.default_rng(3)
    found: list[Point] = []
    for k in range(6):
        for j in range(6):
            size, tokens = 2_000_000 * 2**k, 40_000_000 * 2**j
            loss = float(TRUTH.predict(size, effective(tokens, UNIQUE))) * math.exp(rng.normal(0, 0.001))
            found.append(
                {
                    "run": f"{size // 1_000_000}M",
                    "parameters": size,
                    "tokens": tokens,
                    "unique": UNIQUE if tokens > UNIQUE else None,
                    "flops": 6.0 * size * tokens,
                    "loss": loss,
                    "diverged": None,
                }
            )
    return found


@pytest.fixture(scope="module")
def fitted() -> Result:
    """What the laws' own modules make of the points, with one run more that diverged.

    The law is the planted one, and its draws are made up, because fits take their time.
    """
    rows = points()
    columns = {key: np.array([row[key] for row in rows], float) for key in ("parameters", "tokens", "loss", "flops")}  # type: ignore[literal-required]
    every = Points(
        columns["parameters"],
        columns["tokens"],
        columns["loss"],
        np.full(len(rows), float(UNIQUE)),
        columns["flops"],
        tuple(row["run"] for row in rows),
    )
    law, rng = TRUTH, np.random.default_rng(4)
    draws = [
        replace(law, alpha=law.alpha + float(a), beta=law.beta + float(b)) for a, b in rng.normal(0, 0.004, (20, 2))
    ]
    answered, without = isoflops(every, law)
    allocations = [allocate(law, draws, flops, 5e17) for flops in (1e18, 1e20)]
    unseen = [HeldOut(row["run"], row["flops"], row["loss"] or 0.0, (row["loss"] or 0.0) - 0.012) for row in rows[-4:]]
    diverged: Point = {**rows[0], "run": "wild", "loss": None, "diverged": "step 12: the loss is nan"}
    ranges: dict[str, Any] = {name: asdict(each) for name, each in parameter_intervals(law, draws).items()}
    isoflop, by_law = agreement(answered)
    plain = [
        {**asdict(each), "parameters": each.parameters.tolist(), "losses": each.losses.tolist()} for each in answered
    ]
    return {
        "unit": "nats per token",
        "points": [*rows, diverged],
        "law": {**ranges, "draws": 20},  # type: ignore[typeddict-item]
        "allocations": [asdict(each) for each in allocations],  # type: ignore[misc]
        "held_out": [
            {**asdict(each), "error": each.error, "relative_error": each.relative_error}  # type: ignore[typeddict-item]
            for each in unseen
        ],
        "isoflops": plain,  # type: ignore[typeddict-item]
        "unanswered": [
            *[asdict(each) for each in without],  # type: ignore[list-item]
            {"flops": 9e17, "runs": 2, "sizes": 2, "reason": "2 sizes, of which a parabola needs 4"},
        ],
        "exponents": {"isoflop": isoflop, "law": by_law},
        "warnings": ["diverged and left out: wild (step 12: the loss is nan)"],
        "config": {"budget": 1e18},
    }


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL).split())


def test_the_page_loads_nothing_and_the_same_result_gives_the_same_bytes(fitted: Result) -> None:
    page = render(fitted)
    assert page == render(copy.deepcopy(fitted))
    assert not re.search(r"<(script|link|img|iframe)|url\(|@import|\s(src|href|on\w+)=", page)


def test_the_budgets_answer_comes_first_with_its_intervals(fitted: Result) -> None:
    text = text_of(render(fitted))
    ratio = fitted["allocations"][1]["tokens_per_parameter"]
    first = (
        f"{ratio['value']:.3g} tokens a parameter ({ratio['low']:.3g} to {ratio['high']:.3g}), 200 times the largest"
    )
    assert text.index("For 1e20 FLOPs the law says") < text.index(first) < text.index("The best size and tokens")
    other = {**fitted, "allocations": fitted["allocations"][::-1]}
    assert first in text_of(render(other))  # type: ignore[arg-type]
    assert "36 of 37 points; parameters span 32 times, tokens 32 times." in text
    for name in ("E", "A", "alpha", "B", "beta"):
        each: Any = fitted["law"][name]  # type: ignore[index, literal-required]
        assert f"{each['value']:.4g} {each['low']:.4g} – {each['high']:.4g}" in text


def test_residuals_are_those_of_the_law_in_what_repeated_tokens_are_worth(fitted: Result) -> None:
    text = text_of(render(fitted))
    law = ScalingLaw(*(fitted["law"][name]["value"] for name in ("E", "A", "alpha", "B", "beta")))  # type: ignore[index, literal-required]
    repeated = 0
    for row in fitted["points"][:-1]:
        predicted = float(law.predict(row["parameters"], effective(row["tokens"], UNIQUE)))
        loss = row["loss"] or 0.0
        assert f"{loss:.4f} {predicted:.4f} {100 * (loss / predicted - 1):+.2f}" in text
        repeated += row["unique"] is not None
    assert repeated >= 2, "some points have to repeat tokens for this to say anything"
    assert "diverged, left out: step 12: the loss is nan" in text


def test_runs_it_had_not_seen_and_isoflops_are_there_in_numbers(fitted: Result) -> None:
    page = render(fitted)
    text = text_of(page)
    for unseen in fitted["held_out"]:
        assert f"{unseen['loss']:.4f} {unseen['predicted']:.4f} {unseen['error']:+.4f}" in text
    assert len(fitted["isoflops"]) >= 3
    for budget in fitted["isoflops"]:
        assert f"{budget['by_law'] / budget['best']:.2f}" in text
    assert "no minimum: 2 sizes, of which a parabola needs 4" in text
    assert page.count('class="rings"') == len(fitted["isoflops"])
    # Loss and residual of each run that came to an end, and each point of a parabola.
    dots = 2 * (len(fitted["points"]) - 1) + sum(len(budget["losses"]) for budget in fitted["isoflops"])
    assert page.count('class="dots"') == dots


def test_budgets_of_one_run_are_one_line(fitted: Result) -> None:
    result = copy.deepcopy(fitted)
    reason = "1 size, of which a parabola needs 4"
    alone: Any = [{"flops": flops, "runs": 1, "sizes": 1, "reason": reason} for flops in (3e15, 5e16, 8e16)]
    others = [budget for budget in result["unanswered"] if budget["runs"] > 1]
    result["unanswered"] = [*others, *alone]
    text = text_of(render(result))
    line = "3e15 – 8e16 3 no minimum: 3 budgets have a run each, and a parabola needs 4 sizes at one budget"
    assert text.count(line) == 1
    assert reason not in text
    assert text.count("no minimum: ") == len(others) + 1
    result["unanswered"] = [*others, alone[1]]
    assert f"5e16 1 no minimum: {reason}" in text_of(render(result))


def test_without_a_law_there_are_the_runs_and_nothing_else(fitted: Result) -> None:
    result = copy.deepcopy(fitted)
    result["law"] = result["exponents"] = None
    result["allocations"], result["held_out"], result["isoflops"], result["unanswered"] = [], [], [], []
    page = render(result)
    text = text_of(page)
    assert "No law is fitted to these 36 of 37 points." in text
    for section in ("The best size", "The law", "Residuals", "Asked for runs", "IsoFLOP"):
        assert section not in text
    assert page.count('class="dots"') == 36
    result["points"] = []
    assert "<svg" not in render(result)


def test_a_runs_name_is_text_and_never_markup(fitted: Result) -> None:
    result = copy.deepcopy(fitted)
    result["points"][0]["run"] = result["unit"] = "<script>alert(1)</script>{{ 7 * 7 }}"
    page = render(result)
    assert "<script" not in page
    assert "{{ 7 * 7 }}" in page


def test_the_report_of_a_run_has_the_law_in_short(fitted: Result, tmp_path: Path) -> None:
    storage.write_json(str(tmp_path / "scaling/law.json"), fitted)
    [study] = studies.of_run(str(tmp_path))
    assert study.page == "scaling/report.html"
    assert study.words == "A law is fitted to 36 of 37 points."
    assert study.columns[-1] == f"loss, {fitted['unit']}"
    for row, allocated in zip(study.rows, fitted["allocations"], strict=True):
        low, high = row[2].split(" to ")
        assert (low, row[1], high) == tuple(short(allocated["parameters"][end]) for end in ("low", "value", "high"))
        assert row[-1] == f"{allocated['loss']['value']:.4f}"
