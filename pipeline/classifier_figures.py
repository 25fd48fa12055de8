"""Figures of one or more classifiers on the same held-out examples: as tables side by side, and as a picture.

In come what `filters.evaluation.evaluate` gives, by the name of the model. What stays true: the picture and the tables
show those numbers and measure nothing of their own.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

from rich.table import Table

from corpus import storage
from pipeline.console import table

Figures = Mapping[str, Mapping[str, Any]]
# A class has its colour and a model its line.
CLASSES = {"positives": "C0", "pages": "C1"}
LINES = ("-", "--", ":", "-.")


def tables(figures: Figures) -> list[Table]:
    """A column for each model; the counts, which are the same for all, are in the titles."""
    return [_summary(figures), _thresholds(figures), _calibration(figures), _lengths(figures)]


def _summary(figures: Figures) -> Table:
    first = next(iter(figures.values()))
    sizes, hosts = first["examples"], first["hosts"]
    title = (
        f"Held out: {sizes['positives']:,} positives of {hosts['positives']:,} sites, "
        f"{sizes['pages']:,} pages of {hosts['pages']:,}; both classes weigh the same"
    )
    measures: dict[str, Callable[[Mapping[str, Any]], Any]] = {
        "AUC": lambda f: f["auc"],
        "  from (95 %, over hosts)": lambda f: f["auc_interval"][0],
        "  to": lambda f: f["auc_interval"][1],
        "average precision": lambda f: f["average_precision"],
        "calibration error (ECE)": lambda f: f["calibration_error"],
        "Brier score": lambda f: f["brier"],
        "best F1": lambda f: f["best"]["f1"],
        "  at threshold": lambda f: f["best"]["threshold"],
        "AUC of length alone": lambda f: f["length"]["alone"],
        f"AUC of {first['length']['matched']['pairs']:,} pairs of one length": lambda f: f["length"]["matched"]["auc"],
        "score ~ length, positives (Spearman)": lambda f: f["length"]["correlation"]["positives"],
        "score ~ length, pages": lambda f: f["length"]["correlation"]["pages"],
    }
    rows = [[name, *(_number(of(f)) for f in figures.values())] for name, of in measures.items()]
    for language, sizes in first["languages"].items():
        name = f"AUC in {language}: {sizes['positives']:,} positives, {sizes['pages']:,} pages"
        rows.append([name, *(_number(f["languages"][language]["auc"]) for f in figures.values())])
    return table(title, ["", *figures], rows)


def _thresholds(figures: Figures) -> Table:
    columns = ["threshold", *(f"{name} {what}" for name in figures for what in ("precision", "recall", "pages kept"))]
    places = range(len(next(iter(figures.values()))["thresholds"]))
    rows = []
    for place in places:
        points = [f["thresholds"][place] for f in figures.values()]
        cells = [cell for p in points for cell in (_number(p["precision"]), _number(p["recall"]), f"{p['kept']:.1%}")]
        rows.append([f"{points[0]['threshold']:.1f}", *cells])
    return table("Keeping what scores at least so much", columns, rows)


def _calibration(figures: Figures) -> Table:
    columns = ["tenth of the mass", *(f"{name} {what}" for name in figures for what in ("mean score", "positives"))]
    bins = [f["calibration"] for f in figures.values()]
    rows = []
    for place in range(max(map(len, bins))):
        cells: list[str] = []
        for of_model in bins:
            row = of_model[place] if place < len(of_model) else None
            cells += [_number(row["mean_score"]), f"{row['share_of_positives']:.1%}"] if row else ["-", "-"]
        rows.append([str(place + 1), *cells])
    return table("Calibration: the share of positives where the mean score is so much", columns, rows)


def _lengths(figures: Figures) -> Table:
    quintiles = [f["length"]["quintiles"] for f in figures.values()]
    columns = ["bytes", "positives", "pages", *(f"{name} AUC" for name in figures)]
    rows = [
        [
            f"{row[0]['from']:,} to {row[0]['to']:,}",
            row[0]["positives"],
            row[0]["pages"],
            *(_number(r["auc"]) for r in row),
        ]
        for row in zip(*quintiles, strict=True)
    ]
    return table("By length, in fifths", columns, rows)


def words_table(telling: Mapping[str, Mapping[str, Sequence[str]]]) -> Table:
    """The words and pairs of words that speak most for each class, by model."""
    columns = ["place", *(f"{name}: {side}" for name, sides in telling.items() for side in sides)]
    lists = [words for sides in telling.values() for words in sides.values()]
    rows = [
        [str(place + 1), *(words[place] if place < len(words) else "" for words in lists)]
        for place in range(max(map(len, lists), default=0))
    ]
    return table("The most telling words", columns, rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def draw(path: str, figures: Figures) -> None:
    """Write a PNG: ROC curves, calibration, the scores of both classes, and scores against length."""
    import matplotlib

    # No window, whatever the machine has.
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 2, figsize=(12, 9), layout="constrained")
    for (name, one), line in zip(figures.items(), cycle(LINES), strict=False):
        low, high = one["auc_interval"]
        label = f"{name}: {one['auc']:.4f} ({low:.4f} to {high:.4f})"
        kept, recall = ([0.0, *(p[what] for p in one["curve"])] for what in ("kept", "recall"))
        panels[0, 0].plot(kept, recall, label=label)
        means, shares = ([row[what] for row in one["calibration"]] for what in ("mean_score", "share_of_positives"))
        error = f"{name}: calibration error {one['calibration_error']:.4f}"
        panels[0, 1].plot(means, shares, marker="o", markersize=4, label=error)
        for kind, colour in CLASSES.items():
            shares = one["distribution"][kind]
            edges = [n / len(shares) for n in range(len(shares) + 1)]
            panels[1, 0].stairs(shares, edges, color=colour, ls=line, label=f"{name}: {kind}")
            rows = [row for row in one["length"]["quintiles"] if row[f"mean_score_of_{kind}"] is not None]
            middles = [(row["from"] * row["to"]) ** 0.5 for row in rows]
            scores = [row[f"mean_score_of_{kind}"] for row in rows]
            panels[1, 1].plot(middles, scores, color=colour, ls=line, marker="o", label=f"{name}: {kind}")
    panels[0, 0].set(title="ROC: area and its 95 % interval", xlabel="pages kept", ylabel="positives kept")
    panels[0, 1].plot([0, 1], [0, 1], color="0.8", zorder=0)
    panels[0, 1].set(title="Calibration, classes of equal weight", xlabel="mean score", ylabel="share of positives")
    panels[1, 0].set(title="Scores", xlabel="score", ylabel="share of the class")
    panels[1, 1].set(
        title="Score against length, in fifths", xlabel="bytes", ylabel="mean score", xscale="log", ylim=(0, 1)
    )
    for panel in panels.flat:
        panel.legend()
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format="png")
    pyplot.close(figure)
    storage.write_bytes(path, picture.getvalue())
