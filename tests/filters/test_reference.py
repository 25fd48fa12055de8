import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from filters.reference import FEATURES, above_cutoff, fold, score, train

ENCYCLOPEDIA = "the treaty was signed in the century by the king and the province became part of the kingdom".split()
SHOP = "buy now cheap shipping cart sale discount price offer click here login account free best deal".split()


def texts(words: list[str], count: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(words, 60)) for _ in range(count)]


def urls(count: int, name: str = "site") -> list[str]:
    return [f"https://{name}{n}.example/page" for n in range(count)]


def folds(pages: list[str]) -> list[int]:
    return [fold(url, page) for url, page in zip(urls(len(pages)), pages, strict=True)]


def test_pages_like_the_references_score_higher_and_the_area_says_so() -> None:
    crawl = texts(SHOP, 60, 1) + texts(SHOP + ENCYCLOPEDIA, 20, 2)
    model, auc = train(texts(ENCYCLOPEDIA, 80, 0), crawl, folds(crawl))
    assert auc > 0.95
    unseen = texts(ENCYCLOPEDIA, 20, 3) + texts(SHOP, 20, 4)
    scores = score(model, unseen, urls(40, "unseen"))
    assert scores[:20].min() > scores[20:].max()


def test_a_page_is_scored_by_a_model_that_has_not_seen_its_host() -> None:
    """With labels that mean nothing, memory of the training pages would look like judgement."""
    crawl, positives = texts(SHOP, 120, 1), texts(SHOP, 120, 2)
    model, auc = train(positives, crawl, folds(crawl))
    assert 0.3 < auc < 0.7
    seen = score(model, [*positives, *crawl], [""] * 120 + urls(120))
    assert abs(roc_auc_score([1] * 120 + [0] * 120, seen) - auc) < 0.02


def test_one_host_is_always_on_one_side() -> None:
    assert len({fold(f"https://one.example/{n}", str(n)) for n in range(50)}) == 1
    assert {fold(f"https://host{n}.example/", "") for n in range(50)} == {0, 1}
    assert {fold("enwiki:1", str(n)) for n in range(50)} == {0, 1}, "no host: by the text"


def test_too_few_pages_to_learn_from_is_said_and_scores_are_equal() -> None:
    model, auc = train(texts(ENCYCLOPEDIA, 10, 0), [], [])
    assert np.isnan(auc)
    assert model.shape == (2, FEATURES + 1)
    assert set(score(model, ["a page", "another"], urls(2)).tolist()) == {0.5}


def test_training_again_gives_the_same_bytes() -> None:
    crawl = texts(SHOP, 30, 1)
    first, second = (train(texts(ENCYCLOPEDIA, 30, 0), crawl, folds(crawl))[0] for _ in range(2))
    assert first.tobytes() == second.tobytes()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=30), st.floats(0.01, 1.0))
def test_the_best_scoring_share_of_bytes_is_kept(pages: list[tuple[int, int]], keep: float) -> None:
    scores = np.array([s for s, _ in pages], np.float32)
    sizes = np.array([b for _, b in pages], np.int64)
    kept = above_cutoff(scores, sizes, keep)
    assert sizes[kept].sum() >= keep * sizes.sum() * (1 - 1e-9)
    assert sizes[kept].sum() - sizes.max(initial=0) < keep * sizes.sum() or not pages, "one page more at most"
    if kept.any() and (~kept).any():
        assert scores[kept].min() >= scores[~kept].max()


def test_all_or_half() -> None:
    scores, sizes = np.array([0.1, 0.9, 0.5, 0.7], np.float32), np.array([10, 10, 10, 10])
    assert above_cutoff(scores, sizes, 1.0).all()
    assert above_cutoff(scores, sizes, 0.5).tolist() == [False, True, False, True]
