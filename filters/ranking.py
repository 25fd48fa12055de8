"""Scores of two classes as counts: how many positives and how many pages have each score, lowest score first.

In come scores and labels; out come areas under curves, precision and recall, and how far probabilities can be trusted.
What stays true: all of it is computed from whole numbers in the order of the scores, so neither the order in which
examples came nor a number of threads moves a bit; and both classes weigh the same, whatever their numbers. So a
precision or a probability is for a prior of 1/2. Where a share q of all pages is like the positives, a probability p
becomes p q / (p q + (1 - p)(1 - q)).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

# Guo et al. (2017) use equal-width bins; of equal mass, none is empty and each mean is as sure as the next.
CALIBRATION_BINS = 10
CURVE_POINTS = 100


@dataclass(frozen=True, slots=True)
class Ranking:
    """`scores`, float64, ascending and none twice, with the number of `positives` and of `pages` (int64) at each."""

    scores: NDArray[np.float64]
    positives: NDArray[np.int64]
    pages: NDArray[np.int64]

    @classmethod
    def of(cls, scores: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Self:
        """`labels` are 1 for a positive and 0 for a page. Raises ValueError for a class without any."""
        for label, name in ((1, "positive"), (0, "page")):
            if not (labels == label).any():
                raise ValueError(f"there is no {name} to evaluate on, and an area or a precision takes both classes")
        values, group = np.unique(scores.astype(np.float64), return_inverse=True)
        assert np.isfinite(values).all(), "a score is a number"
        both = [np.bincount(group[labels == label], minlength=len(values)) for label in (1, 0)]
        return cls(values, *both)

    def auc(self) -> float:
        """The area under the ROC curve: how often a positive scores above a page, a tie counting half."""
        below = np.cumsum(self.pages) - self.pages
        won = int((self.positives * (2 * below + self.pages)).sum())
        return won / (2 * int(self.positives.sum()) * int(self.pages.sum()))

    def recall(self) -> NDArray[np.float64]:
        """At each score, the share of positives that score at least as much."""
        return _from_the_top(self.positives)

    def kept(self) -> NDArray[np.float64]:
        """At each score, the share of pages that score at least as much: the false positive rate."""
        return _from_the_top(self.pages)

    def precision(self) -> NDArray[np.float64]:
        """At each score, P(positive | at least this score), for as many positives as pages."""
        recall, kept = self.recall(), self.kept()
        return recall / (recall + kept)

    def average_precision(self) -> float:
        """The area under the precision-recall curve in steps, as scikit-learn's, for as many positives as pages."""
        return float((self.positives * self.precision()).sum() / self.positives.sum())

    def curve(self) -> list[dict[str, float]]:
        """At most 100 points of the ROC curve (kept, recall) and the PR curve (recall, precision), from the top score.

        They are spread evenly over the length of the ROC curve, whose last point is all pages.
        """
        length = (self.recall() + self.kept())[::-1]
        last = len(length) - 1
        places = np.unique(np.searchsorted(length, np.linspace(length[0], length[last], CURVE_POINTS)).clip(0, last))
        return [self._point(last - place) for place in places.tolist()]

    def at(self, threshold: float) -> dict[str, float]:
        """What keeping scores of at least `threshold` gives: recall, precision, F1, and the share of pages kept.

        Where nothing scores as high, precision is 1: nothing wrong was kept.
        """
        place = int(np.searchsorted(self.scores, threshold))
        point = self._point(place) if place < len(self.scores) else {"recall": 0.0, "kept": 0.0, "precision": 1.0}
        return {**point, "threshold": threshold, "f1": _f1(point["precision"], point["recall"])}

    def best(self) -> dict[str, float]:
        """The threshold of the best F1, the highest among equals."""
        precision, recall = self.precision(), self.recall()
        f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)
        return self.at(float(self.scores[np.flatnonzero(f1 == f1.max())[-1]]))

    def _point(self, place: int) -> dict[str, float]:
        recall = int(self.positives[place:].sum()) / int(self.positives.sum())
        kept = int(self.pages[place:].sum()) / int(self.pages.sum())
        return {
            "threshold": float(self.scores[place]),
            "recall": recall,
            "kept": kept,
            "precision": recall / (recall + kept),
        }

    def calibration(self) -> list[dict[str, float]]:
        """Ten bins of equal mass: mean score, the share of positives (for as many of them as pages), and examples.

        Equal scores are in one bin, so a model of few different scores has fewer of them.
        """
        positives, pages = self.positives / self.positives.sum(), self.pages / self.pages.sum()
        mass = (positives + pages) / 2
        middle = np.cumsum(mass) - mass / 2
        bins = np.minimum((middle * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        return [
            {
                "mean_score": float((self.scores[here] * mass[here]).sum() / mass[here].sum()),
                "share_of_positives": float(positives[here].sum() / 2 / mass[here].sum()),
                "mass": float(mass[here].sum()),
                "examples": int(self.positives[here].sum() + self.pages[here].sum()),
            }
            for here in (bins == number for number in np.unique(bins))
        ]

    def calibration_error(self) -> float:
        """ECE: how far the bins' mean scores are from their shares of positives, on average (Naeini et al. 2015)."""
        return sum(row["mass"] * abs(row["mean_score"] - row["share_of_positives"]) for row in self.calibration())

    def brier(self) -> float:
        """The mean squared error of the probabilities, both classes weighing the same; 1/4 is knowing nothing."""
        of_positives = float(((1 - self.scores) ** 2 * self.positives).sum()) / int(self.positives.sum())
        of_pages = float((self.scores**2 * self.pages).sum()) / int(self.pages.sum())
        return (of_positives + of_pages) / 2


def _from_the_top(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.cumsum(counts[::-1])[::-1] / counts.sum(), np.float64)


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if recall else 0.0


def rank_correlation(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    """Spearman's rank correlation, ties at their middle; None where either is the same everywhere."""
    x, y = _twice_ranks(one), _twice_ranks(other)
    n, sum_x, sum_y = len(x), int(x.sum()), int(y.sum())
    # Python's whole numbers, for n times these do not fit into 64 bits.
    both = n * int((x * y).sum()) - sum_x * sum_y
    spread = (n * int((x * x).sum()) - sum_x**2, n * int((y * y).sum()) - sum_y**2)
    return float(both / (spread[0] ** 0.5 * spread[1] ** 0.5)) if all(spread) else None


def _twice_ranks(values: NDArray[Any]) -> NDArray[np.int64]:
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((2 * np.cumsum(counts) - counts)[group], np.int64)
