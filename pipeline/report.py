"""`report.html`: a run's summary as one self-contained page. No network, no script; everything shown is escaped."""

from collections.abc import Mapping
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.console import one_line, warnings

_ENVIRONMENT = Environment(loader=PackageLoader("pipeline", ""), autoescape=True, undefined=StrictUndefined)
CURVE = (640, 220)


def render(summary: Mapping[str, Any]) -> str:
    """The page for a summary. The numbers on it are the summary's and no others."""
    template = _ENVIRONMENT.get_template("report.html.j2")
    curve = _curve(summary["proxy"]) if summary["proxy"] else None
    recipe = yaml.safe_dump(summary["recipe"], sort_keys=False)
    return template.render(
        summary=summary, warnings=warnings(summary), sums=one_line(summary), curve=curve, recipe=recipe
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
