import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from sklearn.metrics import roc_auc_score

from filters.evaluation import MATCHED, Scored, auc_interval, bands, evaluate, matched_pairs


def scored(
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    lengths: NDArray[np.int64] | None = None,
    languages: list[str | None] | None = None,
    hosts: NDArray[np.uint64] | None = None,
) -> Scored:
    n = len(scores)
    return Scored.of(
        scores,
        labels,
        np.full(n, 1000) if lengths is None else lengths,
        languages or ["en"] * n,
        np.arange(n, dtype=np.uint64) if hosts is None else hosts,
    )


def noisy(n: int, seed: int, gap: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    return 1 / (1 + np.exp(-(rng.normal(0, 1, n) + gap * (labels - 0.5)))), labels


def test_the_figures_are_json_and_do_not_depend_on_the_order() -> None:
    scores, labels = noisy(600, 0, 1.5)
    rng = np.random.default_rng(1)
    lengths, hosts = rng.integers(100, 9000, 600), rng.integers(0, 90, 600).astype(np.uint64)
    languages: list[str | None] = [["en", "de", None][n % 3] for n in range(600)]
    figures = evaluate(scored(scores, labels, lengths, languages, hosts), seed=3)
    assert json.loads(json.dumps(figures)) == figures
    shuffled = rng.permutation(600)
    again = [languages[row] for row in shuffled.tolist()]
    other = scored(scores[shuffled], labels[shuffled], lengths[shuffled], again, hosts[shuffled])
    assert evaluate(other, seed=3) == figures
    assert evaluate(other, seed=4)["auc_interval"] != figures["auc_interval"]
    assert figures["auc_interval"][0] < figures["auc"] < figures["auc_interval"][1]
    assert figures["prior"] == 0.5
    assert sum(figures["distribution"]["pages"]) == pytest.approx(1)


def test_areas_by_language_only_where_both_classes_have_fifty() -> None:
    scores, labels = noisy(400, 0, 1.0)
    languages: list[str | None] = ["en"] * 100 + ["de"] * 98 + [None] * 202
    found = evaluate(scored(scores, labels, languages=languages))["languages"]
    assert found == {"en": {"positives": 50, "pages": 50, "auc": roc_auc_score(labels[:100], scores[:100])}}


def test_the_interval_covers_the_true_area_and_is_wider_where_sites_repeat_themselves() -> None:
    """Of 60 samples with a known area about 57 intervals hold it; copies on one host tell no more than one page."""
    truth = 0.7602499389065233  # normal scores a unit apart: the normal distribution at 1 / sqrt(2)
    held = [low <= truth <= high for low, high in (auc_interval(scored(*noisy(200, seed, 1.0))) for seed in range(60))]
    assert sum(held) >= 53
    scores, labels = noisy(200, 0, 1.0)
    tens = np.repeat(np.arange(200, dtype=np.uint64), 10)
    repeated = scored(scores.repeat(10), labels.repeat(10), hosts=tens)
    low, high = auc_interval(repeated)
    alone = auc_interval(scored(scores, labels))
    assert high - low == pytest.approx(alone[1] - alone[0], rel=0.1)
    low, high = auc_interval(scored(scores.repeat(10), labels.repeat(10)))
    assert high - low < 0.4 * (alone[1] - alone[0])


def test_a_classifier_that_only_knows_length_is_found_out() -> None:
    """Positives are longer and the score is the length: a good area, and nothing left among texts of one length."""
    rng = np.random.default_rng(0)
    labels = np.arange(2000) % 2
    lengths = np.exp(rng.normal(8 + labels, 1)).astype(np.int64)
    length = evaluate(scored(lengths / lengths.max(), labels, lengths))["length"]
    assert length["alone"] > 0.74
    assert length["correlation"] == {"positives": pytest.approx(1), "pages": pytest.approx(1)}
    assert length["matched"]["pairs"] > 400
    assert abs(length["matched"]["auc"] - 0.5) < 0.06
    # What does not look at the length keeps its area in pairs and in every fifth.
    scores, labels = noisy(2000, 1, 2.0)
    honest = evaluate(scored(scores, labels, lengths))["length"]
    assert abs(honest["correlation"]["pages"]) < 0.1
    assert honest["matched"]["auc"] > 0.88
    quintiles = honest["quintiles"]
    assert [row["positives"] + row["pages"] for row in quintiles] == pytest.approx([400] * 5, abs=2)
    assert all(row["auc"] > 0.85 for row in quintiles)
    assert [row["from"] for row in quintiles] == sorted(row["from"] for row in quintiles)


LENGTHS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 1), st.sampled_from(["en", "de"])), max_size=24)


@given(LENGTHS)
def test_matched_pairs_are_alike_used_once_and_as_many_as_possible(rows: list[tuple[int, int, str]]) -> None:
    rows = [*rows, (500, 0, "en"), (900, 1, "en")]
    lengths, labels = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = scored(np.zeros(len(rows)), labels, lengths, [row[2] for row in rows])
    pairs = matched_pairs(found)
    assert len(set(pairs.reshape(-1).tolist())) == 2 * len(pairs)
    positives, pages = np.flatnonzero(found.labels == 1), np.flatnonzero(found.labels == 0)
    alike = np.array(
        [
            [
                found.languages[i] == found.languages[j]
                and max(found.lengths[i], found.lengths[j]) <= MATCHED * min(found.lengths[i], found.lengths[j])
                for j in pages
            ]
            for i in positives
        ]
    )
    for i, j in pairs.tolist():
        assert alike[np.searchsorted(positives, i), np.searchsorted(pages, j)]
    assert len(pairs) == (maximum_bipartite_matching(csr_array(alike)) >= 0).sum()


def test_bands_name_the_best_and_the_worst_of_every_tenth() -> None:
    rng = np.random.default_rng(0)
    ids = rng.permutation(1000).astype(np.uint64)
    found = bands(ids / 1000, ids, n=3)
    assert [(band.low, band.high, band.documents) for band in found][:2] == [(90, 100, 100), (80, 90, 100)]
    assert found[0].best == (999, 998, 997)
    assert found[0].worst == (900, 901, 902)
    assert found[-1].best == (99, 98, 97)
    assert (found[-1].lowest, found[-1].highest) == (0, 0.099)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=50), st.integers(1, 12), st.integers(1, 6))
def test_bands_part_all_documents_and_name_none_twice(scores: list[float], n: int, count: int) -> None:
    ids = np.arange(len(scores), dtype=np.uint64) * np.uint64(7) + np.uint64(1 << 40)
    found = bands(np.array(scores), ids, n, count)
    assert sum(band.documents for band in found) == len(scores)
    named = [i for band in found for i in (*band.best, *band.worst)]
    assert len(named) == len(set(named))
    assert all(len(band.best) + len(band.worst) == min(band.documents, 2 * n) for band in found)
    order = np.random.default_rng(n).permutation(len(scores))
    assert bands(np.array(scores)[order], ids[order], n, count) == found
