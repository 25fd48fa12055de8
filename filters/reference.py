"""The Wikipedia-reference classifier of Llama-1: how much a page is like texts that an encyclopedia would cite.

What goes in: reference texts and pages drawn at random from the crawl. What comes out: a linear model over hashed
word uni- and bigrams, and with it a score between 0 and 1 for every page. What stays true: no page is scored by a
model that has seen it or its host. There are two models, each trained on the hosts the other one scores; without
that, in a crawl small enough to be its own sample, a page's score would be memory rather than judgement.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import numpy as np
import xxhash
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit
from threadpoolctl import threadpool_limits

from corpus import storage
from kernels.bag_of_words import bags, decide
from kernels.texts import Texts

FEATURES = 1 << 18
# With less than this share of the pages on the smaller side, hosts do not split a crawl: it has too few of them.
SMALLER_SIDE = 0.1


@dataclass(frozen=True)
class Model:
    """Weights of two models, (2, FEATURES + 1) float64 with the intercept last, and what pages are split by.

    `auc` is the area under the ROC curve of the scores given to what the scoring model never saw, None where there was
    nothing to learn from; then all weights are 0 and every score is 1/2.
    """

    weights: NDArray[np.float64]
    by_host: bool
    auc: float | None

    def save(self, folder: str) -> None:
        storage.write_bytes(storage.join(folder, "weights.f64"), self.weights.astype("<f8").tobytes())
        storage.write_json(storage.join(folder, "model.json"), {"by_host": self.by_host, "auc": self.auc})

    @classmethod
    def load(cls, folder: str) -> Self:
        weights = storage.read_array(storage.join(folder, "weights.f64"), "<f8").reshape(2, FEATURES + 1)
        return cls(weights, **storage.read_json(storage.join(folder, "model.json")))


def train(positives: Sequence[str], pages: Sequence[str], urls: Sequence[str]) -> Model:
    """Model 0 learns from everything but the pages of side 0, model 1 from everything but those of side 1.

    Sides go by host, so that a site's style learnt from one page does not decide over its others; a crawl of hardly
    more than one host is split by text.
    """
    weights = np.zeros((2, FEATURES + 1))
    by_host = bool(pages) and SMALLER_SIDE <= float(_sides(pages, urls, True).mean()) <= 1 - SMALLER_SIDE
    sides = np.concatenate([_sides(positives, [""] * len(positives), False), _sides(pages, urls, by_host)])
    labels = np.repeat([1, 0], [len(positives), len(pages)])
    if len(set(zip(sides.tolist(), labels.tolist(), strict=True))) < 4:
        return Model(weights, by_host, None)
    # It takes a second to import, and most commands never train.
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    features = _features(Texts.of([*positives, *pages]))
    for held_out in (0, 1):
        seen = np.flatnonzero(sides != held_out)
        # Balanced, since the share of references among the samples says nothing about the crawl. One thread, since
        # sums over another number of threads differ in the last bits.
        with threadpool_limits(1):
            fit = LogisticRegression(C=10.0, class_weight="balanced", max_iter=300).fit(features[seen], labels[seen])
        weights[held_out] = np.append(fit.coef_[0], fit.intercept_)
    both = features @ weights[:, :-1].T + weights[:, -1]
    return Model(weights, by_host, float(roc_auc_score(labels, both[np.arange(len(sides)), sides])))


def score(model: Model, texts: Texts, urls: Sequence[str]) -> NDArray[np.float32]:
    """P(reference) of each page, by the model that has not seen its host."""
    sides = _sides(texts.to_list(), urls, model.by_host)
    return np.asarray(expit(decide(texts, model.weights, sides)), np.float32)


def _sides(texts: Sequence[str], urls: Sequence[str], by_host: bool) -> NDArray[np.int64]:
    """0 or 1 by the page's host, or by its text where that is asked for or the URL has no host."""
    hosts = [urlsplit(url).hostname if by_host and "://" in url else None for url in urls]
    keys = ((host or text).encode() for host, text in zip(hosts, texts, strict=True))
    return np.array([xxhash.xxh3_64_intdigest(key) & 1 for key in keys], np.int64)


def _features(texts: Texts) -> csr_array:
    indices, values, starts = bags(texts, FEATURES)
    return csr_array((values, indices, starts), shape=(len(texts), FEATURES))


@dataclass(frozen=True)
class Cutoff:
    """The last page that stays: pages of better scores do, and those of its score with no larger id."""

    score: float
    id: int

    def keeps(self, scores: NDArray[np.float32], ids: NDArray[np.uint64]) -> NDArray[np.bool_]:
        return np.asarray((scores > self.score) | ((scores == self.score) & (ids <= np.uint64(self.id))))


Scored = Iterable[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.uint64]]]


def cutoff(scored: Callable[[], Scored], keep: float) -> Cutoff:
    """Where the best-scoring `keep` share of all bytes ends, of batches of (scores, bytes, ids) in the order of ids.

    The page that straddles the share is kept, so that keep = 1 keeps all and a small crawl keeps something. The batches
    are gone through three times, and what is held is a count of bytes for each half of a score's 32 bits.
    """
    half = np.uint32(16)
    high = _bytes_by(scored, lambda bits: (bits >> half, np.ones(len(bits), bool)))
    wanted = keep * high.sum()
    top, above = _straddling(high, 0.0, wanted)
    low = _bytes_by(scored, lambda bits: (bits & np.uint32(0xFFFF), bits >> half == top))
    bottom, above = _straddling(low, above, wanted)
    score = np.array([top << 16 | bottom], np.uint32).view(np.float32)[0]
    last = 0
    for scores, sizes, ids in scored():
        here = scores == score
        before = above + np.cumsum(sizes[here]) - sizes[here]
        last = max(last, int(ids[here][before < wanted].max(initial=0)))
        above += float(sizes[here].sum())
    return Cutoff(float(score), last)


def _bytes_by(
    scored: Callable[[], Scored], choose: Callable[[NDArray[np.uint32]], tuple[NDArray[np.uint32], NDArray[np.bool_]]]
) -> NDArray[np.float64]:
    """Bytes by 16 bits of the score, which say its order because no score is negative."""
    total = np.zeros(1 << 16)
    for scores, sizes, _ in scored():
        value, counted = choose(scores.view(np.uint32))
        total += np.bincount(value[counted], sizes[counted], 1 << 16)
    return total


def _straddling(by: NDArray[np.float64], above: float, wanted: float) -> tuple[int, float]:
    """The lowest value with any byte before the wanted share is full, and the bytes above that value."""
    values = np.flatnonzero(by)[::-1]
    if not len(values):
        return 0, above
    before = above + np.cumsum(by[values]) - by[values]
    place = int(np.flatnonzero(before < wanted)[-1]) if wanted > above else 0
    return int(values[place]), float(before[place])
