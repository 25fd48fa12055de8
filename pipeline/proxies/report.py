"""The page on a mixture that was chosen by proxy runs: one self-contained file. No network, no script.

What goes in: a `Result`. What comes out: HTML with the verdict first, then what it rests on: shares, trials, laws,
verification. What stays true: the numbers on the page are the result's and no others, but for the intervals of
accuracies; every plot stands beside the numbers it draws; what was not done has no section.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.plots import Axis, Series, chart, percent, span
from pipeline.proxies.schema import BEST, Ablation, Answered, Chosen, Compared, Result, Trial, Validated

ENVIRONMENT = Environment(
    loader=PackageLoader("pipeline", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
Z95 = 1.959964


def render(result: Result) -> str:
    """The page for a result: the same result, the same bytes."""
    trials = sorted(result["trials"], key=lambda trial: (trial["objective"] is None, trial["objective"] or 0.0))
    return ENVIRONMENT.get_template("proxies/report.html.j2").render(
        title="Mixture by proxy runs",
        result=result,
        verdict=_verdict(result),
        shares=_shares(result),
        references={name: shares for name, shares in result["references"].items() if name != "natural"},
        expected=_expected(result["chosen"]) if result["chosen"] else [],
        trials=trials,
        units=_units(result),
        scatters=_scatters(
            result["cross_validation"] or {}, [t["name"] for t in result["trials"] if not t["diverged"]]
        ),
        slopes=_slopes(result),
        forest=_forest(_compared(result)),
        ablations=_forest(result["ablations"]),
        # Of a mixture that is in both, the seeds that the others have too.
        accuracies=_accuracies(answering := result["verification"] or result["trials"]),
        cut=_cut(answering),
        warnings=result["warnings"],
        config=yaml.safe_dump(dict(result["config"]), sort_keys=False, allow_unicode=True),
    )


def _verdict(result: Result) -> str:
    if result["verdict"]:
        return f"The chosen mixture is {result['verdict']['words']}."
    if result["chosen"]:
        return "A mixture is chosen; whether it is better than the natural one, nobody has measured yet."
    done = sum(1 for trial in result["trials"] if not trial["diverged"])
    return f"No mixture is chosen yet: {done} trials are done, and no law is fitted to them."


def _expected(chosen: Chosen) -> list[tuple[str, Sequence[float]]]:
    """What the laws expect of chosen against others: the others in words, and value, low and high."""
    best = f"the best observed trial, {chosen['best_observed']}"
    return [(best if other == BEST else other, gain) for other, gain in chosen["gain"].items()]


def _compared(result: Result) -> list[Compared]:
    """The verdict's comparisons; the best observed trial by its name too."""
    compared = result["verdict"]["comparisons"] if result["verdict"] else []
    best = f"{BEST} ({result['chosen']['best_observed']})" if result["chosen"] else BEST
    return [{**row, "baseline": best if row["baseline"] == BEST else row["baseline"]} for row in compared]


def _units(result: Result) -> str:
    """What the targets are in, and which in what where that is not one for all."""
    targets: dict[str, list[str]] = {}
    for target in result["targets"]:
        targets.setdefault(result["units"][target], []).append(target)
    if len(targets) == 1:
        return next(iter(targets))
    return "; ".join(f"{unit} ({', '.join(names)})" for unit, names in targets.items())


def _shares(result: Result) -> list[dict[str, Any]]:
    """A row a source; places in its bar, from 0 to the largest share there is, in per cent."""
    chosen = result["chosen"]
    everywhere = [result["natural"], *result["references"].values(), *([chosen["shares"]] if chosen else [])]
    most = max(share for shares in everywhere for share in shares.values())
    if chosen:
        most = max(most, *(high for _, high in chosen["intervals"].values()))
    rows = []
    for source in result["sources"]:
        row: dict[str, Any] = {"source": source, "natural": percent(result["natural"][source], 0, most)}
        if chosen:
            low, high = (percent(end, 0, most) for end in chosen["intervals"][source])
            row |= {"chosen": percent(chosen["shares"][source], 0, most), "low": low, "width": round(high - low, 2)}
        rows.append(row)
    return rows


def _scatters(validated: Mapping[str, Validated], names: Sequence[str]) -> dict[str, Markup]:
    """Predicted against observed, by target, with the line on which they are equal."""
    plots = {}
    for target, found in validated.items():
        points = list(zip(found["predicted"], found["observed"], strict=True))
        values = [value for point in points for value in point]
        low, high = min(values), max(values)
        plots[target] = chart(
            [
                Series("equal", [(low, low), (high, high)], "dashes"),
                Series(target, points, names=names if len(names) == len(points) else (), weight=0.8),
            ],
            Axis("predicted from the other trials"),
            Axis("observed"),
            f"{target}: predicted against observed",
        )
    return plots


def _slopes(result: Result) -> dict[str, list[dict[str, float]]]:
    """Of each target and source the slope around the target's natural mean, and how strong its colour is.

    Shares sum to 1, so a number added to all slopes of a target moves only its scale; what a source does is its slope
    beside the others'.
    """
    tables = {}
    for target, law in (result["laws"] or {}).items():
        mean = sum(result["natural"][source] * law["slopes"][source] for source in result["sources"])
        tables[target] = [law["slopes"][source] - mean for source in result["sources"]]
    most = max((abs(slope) for row in tables.values() for slope in row), default=0.0) or 1.0
    return {
        target: [{"slope": slope, "strength": round(0.65 * abs(slope) / most, 3)} for slope in row]
        for target, row in tables.items()
    }


def _forest(rows: Sequence[Compared] | Sequence[Ablation]) -> dict[str, Any]:
    """Intervals with their places, in per cent, between ends that are the same for all rows and include 0."""
    drawn = [row for row in rows if row["mean"] is not None]
    low, high = span([0.0, *(row[end] or 0.0 for row in drawn for end in ("low", "high"))])
    placed = []
    for row in rows:
        places: dict[str, Any] = {"zero": percent(0, low, high), "drawn": row["mean"] is not None}
        if row["mean"] is not None and row["low"] is not None and row["high"] is not None:
            left, right = percent(row["low"], low, high), percent(row["high"], low, high)
            places |= {"left": left, "width": round(right - left, 2), "at": percent(row["mean"], low, high)}
        placed.append({"reason": "", **row, **places})
    return {"rows": placed, "ends": (low, high)}


def _accuracies(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """By set, size and mixture: accuracy over the seeds, with Wilson's interval for as many items as one seed has.

    The seeds answer the same questions, so that they do not add to the number of items.
    """
    groups: dict[tuple[str, int, str], list[Answered]] = {}
    for trial in trials:
        for name, answered in trial["accuracy"].items():
            groups.setdefault((name, trial["parameters"], trial["name"]), []).append(answered)
    rows = []
    for (name, parameters, mixture), answers in sorted(groups.items()):
        items = answers[0]["items"]
        share = sum(answer["right"] for answer in answers) / sum(answer["items"] for answer in answers)
        low, high = wilson(share, items)
        row = {"set": name, "parameters": parameters, "mixture": mixture, "seeds": len(answers), "items": items}
        rows.append({**row, "share": share, "low": low, "high": high, "chance": answers[0].get("chance")})
    return rows


def _cut(trials: Sequence[Trial]) -> dict[str, int]:
    """By set, of how many answers the query was cut, where there are such: the same in every trial."""
    cut = {name: answered.get("cut", 0) for trial in trials for name, answered in trial["accuracy"].items()}
    return {name: answers for name, answers in sorted(cut.items()) if answers}


def wilson(share: float, items: int) -> tuple[float, float]:
    """The 95 % score interval of a share among `items` (Wilson 1927)."""
    squared = Z95**2 / items
    middle = (share + squared / 2) / (1 + squared)
    half = Z95 * math.sqrt(share * (1 - share) / items + squared / (4 * items)) / (1 + squared)
    return max(0.0, middle - half), min(1.0, middle + half)
