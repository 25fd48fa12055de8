from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from filters.keep import Cutoff, Keep, Scored, Selection, drawn, select

Page = tuple[float, int, str]
LANGUAGES = ["de", "en"]
pages = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1e-7, 0.25, 0.2500001, 0.5, 1.0, 3.5]), st.integers(0, 50), st.sampled_from(LANGUAGES)
    ),
    max_size=40,
)


def selection(rows: Sequence[Page], keep: Keep, batch: int, groups: Sequence[str] = LANGUAGES) -> NDArray[np.int8]:
    """The places of documents whose ids count from 7, selected in batches."""
    scores = np.array([score for score, _, _ in rows], np.float32)
    sizes = np.array([size for _, size, _ in rows], np.int64)
    ids = np.arange(7, 7 + len(rows), dtype=np.uint64)
    names = [language if len(groups) > 1 else groups[0] for _, _, language in rows]
    numbers = np.array([groups.index(name) for name in names], np.int64)
    pieces = [slice(start, start + batch) for start in range(0, len(rows), batch)]

    def scored() -> Scored:
        return ((scores[piece], sizes[piece], ids[piece], numbers[piece]) for piece in pieces)

    found = select(scored, keep, 0, groups)
    assert Selection.of_json(found.as_json()) == found
    return found.places(scores, ids, names)


@given(pages, st.floats(0.01, 1), st.integers(1, 50))
def test_the_best_share_of_bytes_of_each_group_stays_in_any_batches(rows: list[Page], share: float, batch: int) -> None:
    """By score, the smaller id first among equals, up to the page that straddles the share."""
    places = selection(rows, Keep(share=share), batch)
    for language in LANGUAGES:
        own = [n for n, row in enumerate(rows) if row[2] == language]
        total, before = sum(rows[n][1] for n in own), 0
        for n in sorted(own, key=lambda n: (-np.float32(rows[n][0]), n)):
            if total:
                assert places[n] == (0 if before < share * total else 1)
            before += rows[n][1]


@given(pages, st.integers(1, 50))
def test_buckets_are_percentiles_of_documents(rows: list[Page], batch: int) -> None:
    places = selection(rows, Keep(buckets=["head"], percentiles=[25.0, 50.0]), batch, [""])
    ranked = sorted(range(len(rows)), key=lambda n: (-np.float32(rows[n][0]), n))
    for rank, n in enumerate(ranked):
        assert places[n] == (rank >= 0.25 * len(rows)) + (rank >= 0.5 * len(rows))


def test_a_thousand_equal_scores_are_parted_by_their_ids() -> None:
    places = selection([(0.5, 10, "en")] * 1000, Keep(buckets=["head", "tail"]), 64)
    assert np.bincount(places).tolist() == [300, 300, 400]
    kept = Selection(Keep(buckets=["head", "tail"]), 0, {}).stays(places)
    assert kept.tolist() == [True] * 300 + [False] * 300 + [True] * 400


def test_a_threshold_keeps_what_is_equal_to_it() -> None:
    places = selection([(0.2499, 1, "en"), (0.25, 1, "en"), (0.26, 1, "de")], Keep(threshold=0.25), 2)
    assert places.tolist() == [1, 0, 0]


def test_what_has_no_score_stays() -> None:
    for keep in (Keep(threshold=0.5), Keep(pareto=9.0), Keep(share=0.5)):
        found = Selection(keep, 0, {"en": [Cutoff(0.5, 3)]})
        places = found.places(np.array([np.nan, 0.9, 0.1], np.float32), np.arange(3, dtype=np.uint64), ["en"] * 3)
        assert places.tolist()[0] == -1
        assert found.stays(places)[0]


def test_the_draw_follows_gpt_3_and_the_ids_alone() -> None:
    ids = np.arange(200_000, dtype=np.uint64)
    for score in (0.0, 0.3, 0.9, 1.0):
        scores = np.full(len(ids), score, np.float32)
        kept = drawn(scores, ids, 9.0, 0)
        # P(Lomax > x) = (1 + x) ** -alpha.
        assert kept.mean() == pytest.approx((2 - score) ** -9.0, abs=0.003)
        assert (drawn(scores[::-1], ids[::-1], 9.0, 0)[::-1] == kept).all()
    assert (drawn(scores * 0, ids, 9.0, 0) != drawn(scores * 0, ids, 9.0, 1)).any()
    peer = np.random.default_rng(0).pareto(9.0, len(ids)) > 1 - 0.3
    assert drawn(np.full(len(ids), 0.3, np.float32), ids, 9.0, 5).mean() == pytest.approx(peer.mean(), abs=0.003)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give one of: share, threshold, pareto, buckets"),
        ({"share": 0.5, "threshold": 0.5}, "give one of"),
        ({"buckets": ["head"], "percentiles": [60.0, 30.0]}, "in their order"),
        ({"share": 0.5, "percentiles": [20.0, 60.0]}, "percentiles are for buckets"),
        ({"buckets": ["heads"]}, "'head', 'middle' or 'tail'"),
        ({"pareto": 0}, "greater than 0"),
        ({"threshold": float("nan")}, "finite number"),
        ({"pareto": float("inf")}, "finite number"),
    ],
)
def test_what_is_no_rule_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Keep.model_validate(given)
