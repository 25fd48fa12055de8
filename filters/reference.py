"""The Wikipedia-reference classifier of Llama-1: how much a page is like texts that an encyclopedia would cite.

What goes in: reference texts and pages drawn at random from the crawl. What comes out: a linear model over hashed
word uni- and bigrams, and with it a score between 0 and 1 for every page. What stays true: no page is scored by a
model that has seen it or its host. There are two models, each trained on the hosts the other one scores; without
that, in a crawl small enough to be its own sample, a page's score would be memory rather than judgement.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

import numpy as np
import xxhash
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

FEATURES = 1 << 18
# Weights of two models, one a row, the intercept in the last column.
Model = NDArray[np.float64]


def _features(texts: Sequence[str]) -> object:
    vectorizer = HashingVectorizer(n_features=FEATURES, ngram_range=(1, 2), alternate_sign=False, dtype=np.float32)
    return vectorizer.transform(texts)


def fold(url: str, text: str) -> int:
    """0 or 1 by the page's host, or by its text where the URL has none."""
    host = urlsplit(url).hostname if "://" in url else None
    return xxhash.xxh64_intdigest((host or text).encode()) & 1


def train(positives: Sequence[str], pages: Sequence[str], folds: Sequence[int]) -> tuple[Model, float]:
    """Two models (2 x FEATURES + 1) and the area under the ROC curve of the scores they give to what they never saw.

    Row f is trained on everything but the pages of fold f. Where there are no pages to learn from the weights are 0,
    every score is 1/2, and the area is NaN: nothing was learnt, and the caller has to say so.
    """
    model = np.zeros((2, FEATURES + 1))
    folds_of = np.array([fold("", text) for text in positives] + list(folds))
    labels = np.repeat([1, 0], [len(positives), len(pages)])
    if len(set(folds)) < 2 or len(set(folds_of[labels == 1])) < 2:
        return model, float("nan")
    features = _features([*positives, *pages])
    for held_out in (0, 1):
        seen = np.flatnonzero(folds_of != held_out)
        # Balanced, since the share of references among the samples says nothing about the crawl. One thread, since
        # sums over another number of threads differ in the last bits.
        with threadpool_limits(1):
            fit = LogisticRegression(C=10.0, class_weight="balanced", max_iter=300).fit(features[seen], labels[seen])  # type: ignore[index]
        model[held_out] = np.append(fit.coef_[0], fit.intercept_)
    scores = _probabilities(model, features, folds_of)
    return model, float(roc_auc_score(labels, scores))


def _probabilities(model: Model, features: object, folds: NDArray[np.int64]) -> NDArray[np.float64]:
    both = features @ model[:, :-1].T + model[:, -1]  # type: ignore[operator]
    return np.asarray(expit(both[np.arange(len(folds)), folds]))


def score(model: Model, texts: Sequence[str], urls: Sequence[str]) -> NDArray[np.float32]:
    """P(reference) of each page, by the model that has not seen its host."""
    if not texts:
        return np.empty(0, np.float32)
    folds = np.array([fold(url, text) for url, text in zip(urls, texts, strict=True)])
    return _probabilities(model, _features(texts), folds).astype(np.float32)


def above_cutoff(scores: NDArray[np.float32], sizes: NDArray[np.int64], keep: float) -> NDArray[np.bool_]:
    """Which pages make up the best-scoring `keep` share of all bytes: by score, the smaller index first among equals.

    The page that straddles the share is kept, so that keep = 1 keeps all and a small crawl keeps something.
    """
    order = np.argsort(-scores, kind="stable")
    before = np.cumsum(sizes[order]) - sizes[order]
    kept = np.zeros(len(scores), bool)
    kept[order] = before < keep * sizes.sum()
    return kept
