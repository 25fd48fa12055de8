"""The page on a scaling law: one self-contained file. No network, no script.

What goes in: a `Result`: the runs, the law fitted to them, what it says of a budget, and how it did on runs that it had
not seen. What comes out: HTML with the best size and tokens first, then curves, residuals, IsoFLOPs. What stays true:
the numbers are the result's, and those that follow from its law; what was not done has no section.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import yaml
from markupsafe import Markup

from mixtures.isoflop import LEAST_SIZES
from mixtures.repetition import effective
from mixtures.scaling_law import ScalingLaw
from pipeline.plots import Axis, Series, chart, power, short
from pipeline.proxies.report import ENVIRONMENT
from pipeline.scaling.schema import IsoFlop, Law, OpenRange, Point, Range, Result, Unanswered

# A curve of a plot has this many points.
STEPS = 40


def render(result: Result) -> str:
    """The page for a result: the same result, the same bytes."""
    law = _law(result["law"])
    points = sorted(result["points"], key=lambda point: (point["parameters"], point["tokens"], point["run"]))
    rows: list[dict[str, Any]] = [{**point, **_predicted(point, law)} for point in points]
    seen = [row for row in rows if row["loss"] is not None]
    return ENVIRONMENT.get_template("scaling/report.html.j2").render(
        title="Scaling law",
        result=result,
        verdict=_verdict(result),
        rows=rows,
        counted=counted(result["points"]),
        unlike={"tokens": _ratio(seen, "tokens"), "parameters": _ratio(seen, "parameters")},
        curves=_curves(seen, law, result["unit"]) if seen else None,
        residuals=_residuals(seen) if law and seen else None,
        worst=max((abs(row["residual"]) for row in seen), default=0.0) if law else None,
        parabolas=_parabolas(result["isoflops"], result["unit"]) if result["isoflops"] else None,
        without=_without(result["unanswered"]),
        short=short,
        power=power,
        ends=ends,
        warnings=result["warnings"],
        config=yaml.safe_dump(dict(result["config"]), sort_keys=False, allow_unicode=True),
    )


def _verdict(result: Result) -> str:
    if not result["law"]:
        return f"No law is fitted to these {counted(result['points'])}."
    if not result["allocations"]:
        return f"A law is fitted to {counted(result['points'])}; no budget was asked for."
    best = max(result["allocations"], key=lambda each: each["flops"])
    size, tokens, ratio = best["parameters"], best["tokens"], best["tokens_per_parameter"]
    budget = f"{power(best['flops'])} FLOPs"
    begins = f"For {budget}" if best["determined"] else f"These runs do not determine the best size for {budget}:"
    return (
        f"{begins} the law says {short(size['value'])} parameters ({interval(size, short)}) and "
        f"{short(tokens['value'])} tokens ({interval(tokens, short)}): {power(ratio['value'])} tokens a parameter "
        f"({interval(ratio, power)}), {power(best['extrapolation'])} times the largest run's FLOPs."
    )


def counted(points: Sequence[Point]) -> str:
    """How many points there are, and how many have a loss where not all do: the law is of these."""
    done = sum(point["loss"] is not None for point in points)
    return f"{len(points)} points" if done == len(points) else f"{done} of {len(points)} points"


def interval(found: Range | OpenRange, text: Callable[[float], str]) -> str:
    """Both ends, as the page and the terminal name them."""
    return " to ".join(ends(found, text))


def ends(found: Range | OpenRange, text: Callable[[float], str]) -> tuple[str, str]:
    """The ends of an interval; of sizes, tokens and their ratio, what has no lower end goes below 1."""
    low, high = found["low"], found["high"]
    return "below 1" if low is None else text(low), "no end" if high is None else text(high)


def _law(found: Law | None) -> ScalingLaw | None:
    if found is None:
        return None
    return ScalingLaw(*(found[name]["value"] for name in ("E", "A", "alpha", "B", "beta")))


def _predicted(point: Point, law: ScalingLaw | None) -> dict[str, float | None]:
    """The law's loss and the residual, observed minus predicted, as a share of the prediction."""
    if law is None:
        return {"predicted": None, "residual": None}
    data = effective(point["tokens"], point["unique"]) if point["unique"] else point["tokens"]
    predicted = float(law.predict(point["parameters"], data))
    return {"predicted": predicted, "residual": None if point["loss"] is None else point["loss"] / predicted - 1}


def _ratio(rows: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [row[key] for row in rows]
    return max(values) / min(values) if values else None


def _curves(rows: Sequence[Mapping[str, Any]], law: ScalingLaw | None, unit: str) -> Markup:
    """Loss against tokens, a line a size: the law's where there is one, over fresh tokens; dots are the runs."""
    sizes = sorted({row["parameters"] for row in rows})
    series = []
    for number, size in enumerate(sizes):
        own = [row for row in rows if row["parameters"] == size]
        weight = _weight(number, len(sizes))
        dots = [(row["tokens"], row["loss"]) for row in own]
        series.append(Series(short(size), dots, weight=weight, names=[_name(row) for row in own]))
        if law is not None:
            tokens = np.geomspace(min(row["tokens"] for row in rows), max(row["tokens"] for row in rows), STEPS)
            line = zip(tokens.tolist(), law.predict(size, tokens).tolist(), strict=True)
            series.append(Series(short(size), list(line), "line", weight))
    return chart(series, Axis("tokens", log=True, text=short), Axis(f"loss, {unit}"), "loss against tokens by size")


def _residuals(rows: Sequence[Mapping[str, Any]]) -> Markup:
    flops = [row["flops"] for row in rows]
    dots = [(row["flops"], 100 * row["residual"]) for row in rows]
    return chart(
        [
            Series("as predicted", [(min(flops), 0.0), (max(flops), 0.0)], "dashes"),
            Series("run", dots, names=[_name(row) for row in rows], weight=0.8),
        ],
        Axis("FLOPs of training", log=True, text=power),
        Axis("observed above the law, %"),
        "residuals of the law against FLOPs",
    )


def _parabolas(budgets: Sequence[IsoFlop], unit: str) -> Markup:
    """Loss against size, a parabola a budget, with its runs as dots and its minimum as a ring."""
    series = []
    for number, budget in enumerate(budgets):
        weight = _weight(number, len(budgets))
        name = power(budget["flops"])
        dots = list(zip(budget["parameters"], budget["losses"], strict=True))
        sizes = np.geomspace(min(budget["parameters"]), max(budget["parameters"]), STEPS)
        losses = np.polyval(list(budget["parabola"]), np.log(sizes))
        series.append(Series(name, list(zip(sizes.tolist(), losses.tolist(), strict=True)), "line", weight))
        series.append(Series(f"{name} FLOPs", dots, weight=weight))
        series.append(Series(f"least loss at {name} FLOPs", [(budget["best"], budget["best_loss"])], "rings"))
    return chart(series, Axis("parameters", log=True, text=short), Axis(f"loss, {unit}"), "loss against size by FLOPs")


def _without(unanswered: Sequence[Unanswered]) -> list[tuple[str, int, str]]:
    """FLOPs, runs and why there is no minimum, by budget; budgets of a single run are one line."""
    alone = [budget["flops"] for budget in unanswered if budget["runs"] == 1]
    rows = [(power(b["flops"]), b["runs"], b["reason"]) for b in unanswered if b["runs"] > 1 or len(alone) == 1]
    if len(alone) > 1:
        reason = f"{len(alone)} budgets have a run each, and a parabola needs {LEAST_SIZES} sizes at one budget"
        rows.append((f"{power(min(alone))} – {power(max(alone))}", len(alone), reason))
    return rows


def _weight(number: int, count: int) -> float:
    """The larger, the stronger."""
    return 0.4 + 0.6 * (number + 1) / count


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['run']}: {short(row['parameters'])} parameters, {short(row['tokens'])} tokens, loss {row['loss']:.4f}"
