"""What a classifier's scores are worth, on examples it has not seen: every figure a reader could ask for, as JSON.

In come arrays, an entry an example: scores, labels, lengths, languages and hosts. What stays true: the order of the
examples moves no figure, and both classes weigh the same (see `filters.ranking`, and there how to move to another
prior). A classifier that tells long from short would do well on most pairs of corpora, so what length alone achieves,
and what is left where lengths are equal, stand beside the area under the curve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.ranking import Ranking, rank_correlation

PRIOR = 0.5
THRESHOLDS = [n / 10 for n in range(1, 10)]
DISTRIBUTION_BINS = 20
# Efron and Tibshirani (1993) ask for a thousand where percentiles are read off.
RESAMPLES = 1000
QUINTILES = 5
# Of fewer examples of a class an area's 95 % interval is wider than .1 even at .9 (Hanley and McNeil 1982).
LEAST_OF_A_LANGUAGE = 50
# The longer text of a matched pair has at most so many times the bytes of the shorter one.
MATCHED = 1.1


@dataclass(frozen=True)
class Scored:
    """Held-out examples: `scores` in 0..1, `labels` 1 for a positive and 0 for a page, `lengths` in UTF-8 bytes,
    `hosts` a number for each site (or for each text that is a site of its own).
    """

    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    lengths: NDArray[np.int64]
    languages: NDArray[np.str_]
    hosts: NDArray[np.uint64]

    @classmethod
    def of(
        cls,
        scores: NDArray[Any],
        labels: NDArray[Any],
        lengths: NDArray[Any],
        languages: Sequence[str | None],
        hosts: NDArray[np.uint64],
    ) -> "Scored":
        """The same examples in one order, whatever order they came in: sums of floats depend on it."""
        known = np.array([language or "" for language in languages], np.str_)
        assert len(scores) == len(labels) == len(lengths) == len(known) == len(hosts), "an entry an example"
        order = np.lexsort((hosts, known, lengths, labels, scores))
        return cls(
            scores[order].astype(np.float64),
            labels[order].astype(np.int64),
            lengths[order].astype(np.int64),
            known[order],
            hosts[order],
        )

    def take(self, rows: NDArray[Any]) -> "Scored":
        return Scored(self.scores[rows], self.labels[rows], self.lengths[rows], self.languages[rows], self.hosts[rows])


def evaluate(given: Scored, seed: int = 0) -> dict[str, Any]:
    """The figures, all for a `prior` of 1/2. `seed` is that of the resampling.

    `auc` with its 95 % `auc_interval` (hosts drawn anew, 1,000 times), `average_precision`, `brier`,
    `calibration_error` over ten bins of equal mass, `calibration` (those bins), `curve` (points of ROC and PR curve),
    `thresholds` (recall, precision, f1 and the share of pages kept at .1 to .9), `best` (that of the best F1),
    `distribution` (shares of each class in 20 bins of the score), `length` (see `_length`) and `languages` (the area
    where there are 50 of both classes). Raises ValueError where a class is empty.
    """
    ranking = Ranking.of(given.scores, given.labels)
    return {
        "prior": PRIOR,
        "examples": _sizes(given),
        "hosts": {name: len(np.unique(given.hosts[rows])) for name, rows in _classes(given)},
        "auc": ranking.auc(),
        "auc_interval": auc_interval(given, seed),
        "average_precision": ranking.average_precision(),
        "brier": ranking.brier(),
        "calibration_error": ranking.calibration_error(),
        "calibration": ranking.calibration(),
        "curve": ranking.curve(),
        "thresholds": [ranking.at(threshold) for threshold in THRESHOLDS],
        "best": ranking.best(),
        "distribution": {name: _distribution(given.scores[rows]) for name, rows in _classes(given)},
        "length": _length(given),
        "languages": _by_language(given),
    }


def _classes(given: Scored) -> list[tuple[str, NDArray[np.bool_]]]:
    return [("positives", given.labels == 1), ("pages", given.labels == 0)]


def _sizes(given: Scored) -> dict[str, int]:
    return {name: int(rows.sum()) for name, rows in _classes(given)}


def _distribution(scores: NDArray[np.float64]) -> list[float]:
    counts, _ = np.histogram(scores, DISTRIBUTION_BINS, (0, 1))
    return [count / len(scores) for count in counts.tolist()]


def auc_interval(given: Scored, seed: int = 0) -> list[float]:
    """The middle 95 % of the areas when the hosts of each class are drawn anew, with replacement.

    Pages of a site are alike, so drawing pages would make an area look surer than it is.
    """
    rng = np.random.default_rng(seed)
    values, group = np.unique(given.scores, return_inverse=True)
    classes = []
    for _, rows in _classes(given):
        names, host = np.unique(given.hosts[rows], return_inverse=True)
        classes.append((len(names), host, group[rows]))
    areas = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        counts = []
        for hosts, host, place in classes:
            drawn = np.bincount(rng.integers(hosts, size=hosts), minlength=hosts)
            counts.append(np.bincount(place, drawn[host], len(values)).astype(np.int64))
        areas[number] = Ranking(values, *counts).auc()
    return [float(edge) for edge in np.quantile(areas, (0.025, 0.975))]


def _length(given: Scored) -> dict[str, Any]:
    """What length does: the area of length `alone`, the `correlation` of score and length within each class
    (Spearman), `quintiles` of the length, and the area over `matched` pairs of the same language and about the same
    length.
    """
    edges = np.quantile(given.lengths, np.arange(1, QUINTILES) / QUINTILES)
    quintile = np.searchsorted(edges, given.lengths, side="left")
    return {
        "alone": Ranking.of(given.lengths.astype(np.float64), given.labels).auc(),
        "correlation": {
            name: rank_correlation(given.scores[rows], given.lengths[rows]) for name, rows in _classes(given)
        },
        "quintiles": [_of_quintile(given.take(quintile == number)) for number in np.unique(quintile)],
        "matched": _matched(given),
    }


def _of_quintile(given: Scored) -> dict[str, Any]:
    means = {
        f"mean_score_of_{name}": float(given.scores[rows].mean()) if rows.any() else None
        for name, rows in _classes(given)
    }
    return {
        "from": int(given.lengths.min()),
        "to": int(given.lengths.max()),
        **_sizes(given),
        "auc": _auc(given),
    } | means


def _auc(given: Scored) -> float | None:
    """None where a class is empty."""
    return Ranking.of(given.scores, given.labels).auc() if all(_sizes(given).values()) else None


def _matched(given: Scored) -> dict[str, Any]:
    """How often the positive scores above the page in pairs of about one length, a tie counting half.

    Where positives are longer they are so in most pairs too, by less than a tenth, and a score that is the length
    would win those. So the pairs with the longer positive and those with the longer page weigh the same.
    """
    pairs = matched_pairs(given)
    scores, lengths = given.scores[pairs], given.lengths[pairs]
    won = _above(scores[:, 0], scores[:, 1])
    longer = _above(lengths[:, 0], lengths[:, 1])
    both = longer.sum(), (1 - longer).sum()
    auc = float((won * longer).sum() / both[0] + (won * (1 - longer)).sum() / both[1]) / 2 if all(both) else None
    return {"pairs": len(pairs), "auc": auc}


def _above(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """1 where `one` is larger, 1/2 where they are equal, 0 where it is smaller."""
    return np.asarray((1 + np.sign(one - other)) / 2, np.float64)


def matched_pairs(given: Scored) -> NDArray[np.int64]:
    """Rows (positive, page) of one language and of lengths within a tenth; no example is in two pairs.

    Going up both classes and pairing whenever possible gives as many pairs as there can be: whoever is passed over is
    shorter than all that is left of the other class.
    """
    pairs: list[tuple[int, int]] = []
    for language in np.unique(given.languages):
        ours = given.languages == language
        positives, pages = (
            rows[np.argsort(given.lengths[rows], kind="stable")]
            for rows in (np.flatnonzero(ours & (given.labels == label)) for label in (1, 0))
        )
        i = j = 0
        while i < len(positives) and j < len(pages):
            a, b = given.lengths[positives[i]], given.lengths[pages[j]]
            if max(a, b) <= MATCHED * min(a, b):
                pairs.append((int(positives[i]), int(pages[j])))
            i, j = i + (a <= MATCHED * b), j + (b <= MATCHED * a)
    return np.array(pairs, np.int64).reshape(-1, 2)


def _by_language(given: Scored) -> dict[str, Any]:
    found = {}
    for language in np.unique(given.languages).tolist():
        ours = given.take(given.languages == language)
        sizes = _sizes(ours)
        if language and min(sizes.values()) >= LEAST_OF_A_LANGUAGE:
            found[language] = {**sizes, "auc": _auc(ours)}
    return found


@dataclass(frozen=True, slots=True)
class Band:
    """The documents between two percentiles of the scores (0 is the lowest score): how many, the range of their
    scores, and the ids of the `best` ones (highest score first) and of the `worst` ones (lowest first).
    """

    low: float
    high: float
    documents: int
    lowest: float
    highest: float
    best: tuple[int, ...]
    worst: tuple[int, ...]


def bands(scores: NDArray[Any], ids: NDArray[np.uint64], n: int = 10, bands: int = 10) -> list[Band]:
    """Documents in the order of their scores, in `bands` equal parts, the best part first.

    Of each the `n` best and the `n` worst, none twice. Of equal scores the smaller id counts as the better one.
    """
    order = np.lexsort((ids, -scores.astype(np.float64)))
    found = []
    for number, rows in enumerate(np.array_split(order, bands)):
        if len(rows):
            low, high = 100 * (bands - number - 1) / bands, 100 * (bands - number) / bands
            best, worst = ids[rows[:n]].tolist(), ids[rows[n:][::-1][:n]].tolist()
            edges = float(scores[rows[-1]]), float(scores[rows[0]])
            found.append(Band(low, high, len(rows), *edges, tuple(best), tuple(worst)))
    return found
