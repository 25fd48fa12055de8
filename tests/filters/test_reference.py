from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from filters.reference import Model, _features, _sides, cutoff, score, train
from kernels.texts import Texts

ENCYCLOPEDIA = "the treaty was signed in the century by the king and the province became part of the kingdom".split()
SHOP = "buy now cheap shipping cart sale discount price offer click here login account free best deal".split()


def texts(words: list[str], count: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(words, 60)) for _ in range(count)]


def urls(count: int, name: str = "site") -> list[str]:
    return [f"https://{name}{n}.example/page" for n in range(count)]


def test_pages_like_the_references_score_higher_and_the_area_says_so() -> None:
    crawl = texts(SHOP, 60, 1) + texts(SHOP + ENCYCLOPEDIA, 20, 2)
    model = train(texts(ENCYCLOPEDIA, 80, 0), crawl, urls(80))
    assert model.auc is not None
    assert model.auc > 0.95
    unseen = texts(ENCYCLOPEDIA, 20, 3) + texts(SHOP, 20, 4)
    scores = score(model, Texts.of(unseen), urls(40, "unseen"))
    assert scores[:20].min() > scores[20:].max()


@pytest.mark.parametrize("hosts", [120, 1])
def test_a_page_is_scored_by_a_model_that_has_not_seen_it(hosts: int) -> None:
    """With labels that mean nothing, memory of the training pages would look like judgement."""
    crawl, positives = texts(SHOP, 120, 1), texts(SHOP, 120, 2)
    names = (urls(hosts) * 120)[:120]
    model = train(positives, crawl, names)
    assert model.by_host == (hosts > 1)
    assert model.auc is not None
    assert 0.3 < model.auc < 0.7
    seen = score(model, Texts.of([*positives, *crawl]), [""] * 120 + names)
    assert abs(roc_auc_score([1] * 120 + [0] * 120, seen) - model.auc) < 0.02


def test_a_host_has_one_side_its_pages_are_not_scored_by_what_was_learnt_from_it() -> None:
    """Every host's pages carry a word of their own, and half of them are references: only memory could tell."""
    marked = [f"{text} marker{n % 40} " + f"marker{n % 40} " * 20 for n, text in enumerate(texts(SHOP, 200, 1))]
    names = [f"https://host{n % 40}.example/{n}" for n in range(200)]
    model = train(texts(ENCYCLOPEDIA, 100, 0), marked, names)
    for side in (0, 1):
        own = [text for text, name in zip(marked, names, strict=True) if _sides([text], [name], True)[0] == side]
        words = {word for text in own for word in text.split() if word.startswith("marker")}
        for word in words:
            column = _features(Texts.of([word])).indices[0]
            assert model.weights[side, column] == 0, (
                "a word only these hosts use is unknown to the model that scores them"
            )


def test_too_few_pages_to_learn_from_is_said_and_scores_are_equal() -> None:
    model = train(texts(ENCYCLOPEDIA, 10, 0), [], [])
    assert model.auc is None
    assert set(score(model, Texts.of(["a page", "another"]), urls(2)).tolist()) == {0.5}


def test_training_again_gives_the_same_bytes_and_a_saved_model_the_same_scores(tmp_path: Path) -> None:
    crawl = texts(SHOP, 30, 1)
    first, second = (train(texts(ENCYCLOPEDIA, 30, 0), crawl, urls(30)) for _ in range(2))
    assert first.weights.tobytes() == second.weights.tobytes()
    first.save(str(tmp_path))
    saved = score(Model.load(str(tmp_path)), Texts.of(crawl), urls(30))
    assert saved.tolist() == score(first, Texts.of(crawl), urls(30)).tolist()


def kept_by(scores: np.ndarray, sizes: np.ndarray, keep: float, batch: int) -> np.ndarray:
    ids = np.arange(len(scores), dtype=np.uint64)
    pieces = [slice(start, start + batch) for start in range(0, len(scores), batch)]
    return cutoff(lambda: ((scores[p], sizes[p], ids[p]) for p in pieces), keep).keeps(scores, ids)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.1000001, 0.5, 0.9, 1.0]), st.integers(0, 9)), max_size=30),
    st.floats(0.01, 1.0),
    st.integers(1, 9),
)
def test_the_best_scoring_share_of_bytes_is_kept_in_any_batches(
    pages: list[tuple[float, int]], keep: float, batch: int
) -> None:
    """By score, the smaller id first among equals, up to the page that straddles the share."""
    scores = np.array([s for s, _ in pages], np.float32)
    sizes = np.array([b for _, b in pages], np.int64)
    order = np.argsort(-scores, kind="stable")
    before = np.cumsum(sizes[order]) - sizes[order]
    wanted = np.zeros(len(scores), bool)
    wanted[order] = before < keep * sizes.sum()
    if sizes.sum():
        assert kept_by(scores, sizes, keep, batch).tolist() == wanted.tolist()


def test_all_or_half() -> None:
    scores, sizes = np.array([0.1, 0.9, 0.5, 0.7], np.float32), np.array([10, 10, 10, 10])
    assert kept_by(scores, sizes, 1.0, 3).all()
    assert kept_by(scores, sizes, 0.5, 3).tolist() == [False, True, False, True]
