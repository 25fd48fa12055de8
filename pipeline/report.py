"""`report.html`: a run's summary as one self-contained page. No network, no script; everything shown is escaped."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.console import one_line, warnings

_ENVIRONMENT = Environment(loader=PackageLoader("pipeline", ""), autoescape=True, undefined=StrictUndefined)
CURVE = (640, 220)
PLOT = 240


def render(summary: Mapping[str, Any]) -> str:
    """The page for a summary. The numbers on it are the summary's and no others."""
    template = _ENVIRONMENT.get_template("report.html.j2")
    curve = _curve(summary["proxy"]) if summary["proxy"] else None
    plots = {
        name: _plots(source["reference"]["figures"])
        for name, source in summary["sources"].items()
        if source["reference"] and source["reference"]["figures"]
    }
    recipe = yaml.safe_dump(summary["recipe"], sort_keys=False)
    return template.render(
        summary=summary, warnings=warnings(summary), sums=one_line(summary), curve=curve, plots=plots, recipe=recipe
    )


def _curve(proxy: Mapping[str, Any]) -> dict[str, Any]:
    """The loss curve and the unigram entropy as points in an SVG of CURVE's size."""
    width, height = CURVE
    points = proxy["curve"]
    losses = [loss for _, loss in points] + [proxy["unigram_entropy"]]
    low, high = min(losses), max(losses)
    last = max(points[-1][0], 1)

    def y(loss: float) -> float:
        return float(round(height * (high - loss) / max(high - low, 1e-9), 1))

    line = " ".join(f"{round(width * step / last, 1)},{y(loss)}" for step, loss in points)
    return {
        "width": width,
        "height": height,
        "line": line,
        "unigram": y(proxy["unigram_entropy"]),
        "low": low,
        "high": high,
        "last": last,
    }


def _plots(figures: Mapping[str, Any]) -> dict[str, Any]:
    """A classifier's curves as points in SVGs of PLOT's size: the ROC curve, calibration, the scores of each class."""
    shares = figures["distribution"]
    most = max(share for of_class in shares.values() for share in of_class)
    return {
        "size": PLOT,
        "roc": _points([(0.0, 0.0), *((p["kept"], p["recall"]) for p in figures["curve"])]),
        "calibration": _points([(row["mean_score"], row["share_of_positives"]) for row in figures["calibration"]]),
        "most": most,
        "distribution": {
            name: _points([((n + 0.5) / len(values), value / most) for n, value in enumerate(values)])
            for name, values in shares.items()
        },
    }


def _points(shares: Sequence[tuple[float, float]]) -> str:
    """Points of a polyline in a square of PLOT's size."""
    return " ".join(f"{PLOT * x:.1f},{PLOT * (1 - y):.1f}" for x, y in shares)
