"""A reference classifier's curves as points in SVGs: the ROC curve, calibration, the scores of each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Each is a square of so many units.
SIDE = 240


@dataclass(frozen=True, slots=True)
class Curves:
    """Points of polylines in a square; `most` is the share at the top of the distribution's axis."""

    roc: str
    calibration: str
    distribution: Mapping[str, str]
    most: float


def curves(figures: Mapping[str, Any]) -> Curves:
    """The curves of what `filters.evaluation` has found."""
    shares = figures["distribution"]
    most = max(share for of_class in shares.values() for share in of_class)
    return Curves(
        roc=_points([(0.0, 0.0), *((p["kept"], p["recall"]) for p in figures["curve"])]),
        calibration=_points([(row["mean_score"], row["share_of_positives"]) for row in figures["calibration"]]),
        distribution={
            name: _points([((n + 0.5) / len(values), value / most) for n, value in enumerate(values)])
            for name, values in shares.items()
        },
        most=most,
    )


def _points(shares: Sequence[tuple[float, float]]) -> str:
    """Points of a polyline in a square."""
    return " ".join(f"{SIDE * x:.1f},{SIDE * (1 - y):.1f}" for x, y in shares)
