"""Logistic regression over hashed words and pairs of words: learnt with scikit-learn, scored by our kernel.

In come texts and labels; out come weights, and decisions that are the logarithms of odds. What stays true: training
again gives the same bytes, since sums are made on one thread; and a text's decision is the one that scikit-learn gives
for its features, but for what float32 rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from threadpoolctl import threadpool_limits

from corpus import storage
from filters.word_features import WordFeatures
from kernels.bag_of_words import decisions, places, word_sets
from kernels.texts import Texts

FEATURES = 1 << 18
# Of 30, 100 and 300 the one whose probabilities are best on unseen hosts (docs/quality.md).
INVERSE_PENALTY = 100.0
ITERATIONS = 300
_WEIGHTS = "weights.f32"
# What all texts' words together take is a multiple of their bytes, and features are found a batch at a time.
_BATCH = 1000


@dataclass(frozen=True)
class LinearModels:
    """`weights` are (models, FEATURES + 1) float32 with the intercept last."""

    weights: NDArray[np.float32]

    def decide(self, texts: Texts, models: NDArray[np.int64]) -> NDArray[np.float64]:
        """For text i the decision of model `models[i]`."""
        return decisions(texts, self.weights, models)

    def weigh(self, features: WordFeatures, models: Sequence[int]) -> NDArray[np.float64]:
        """The mean weight that the models give each feature."""
        columns = places(features.hashes, FEATURES)
        return np.asarray(self.weights[list(models)][:, columns].mean(axis=0, dtype=np.float64))

    def save(self, folder: str) -> list[str]:
        """Write the models into the folder; returns the names of the files."""
        storage.write_bytes(storage.join(folder, _WEIGHTS), self.weights.astype("<f4").tobytes())
        return [_WEIGHTS]

    @classmethod
    def load(cls, folder: str, models: int) -> Self:
        """Raises ValueError for a file that does not hold so many models."""
        path = storage.join(folder, _WEIGHTS)
        weights = storage.read_array(path, "<f4")
        if len(weights) != models * (FEATURES + 1) or not np.isfinite(weights).all():
            raise ValueError(f"{path} does not hold the weights of {models} models; train it again")
        return cls(weights.reshape(models, FEATURES + 1))


class LinearLearner:
    """The features of the examples, found once for all models that learn from some of them."""

    def __init__(self, texts: Texts, labels: NDArray[np.int8], seed: int) -> None:
        self.labels = labels
        self.features = features_of(texts)

    def fit(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Weights with the intercept last, learnt from those examples; both classes weigh the same."""
        # It takes a second to import, and most commands never train.
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=ITERATIONS)
        chosen = self.features[rows]
        # A column that none of them has keeps its weight of 0, and without these a small model is learnt in no time.
        columns = np.unique(chosen.indices)
        # Sums over another number of threads differ in their last bits.
        with threadpool_limits(1):
            model.fit(chosen[:, columns], self.labels[rows])
        weights = np.zeros(FEATURES + 1)
        weights[columns], weights[-1] = model.coef_[0], model.intercept_[0]
        return weights

    def decide(self, weights: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.features[rows] @ weights[:-1] + weights[-1])

    def models(self, fitted: Sequence[tuple[NDArray[np.float64], float, float]]) -> LinearModels:
        """What was fitted, each with the slope and intercept of its calibration: these go into the weights."""
        weights = np.array([slope * found for found, slope, _ in fitted])
        weights[:, -1] += [intercept for _, _, intercept in fitted]
        return LinearModels(weights.astype(np.float32))

    @property
    def settings(self) -> dict[str, Any]:
        """What is learnt with, for the model's record."""
        return {"features": FEATURES, "inverse_penalty": INVERSE_PENALTY, "most_iterations": ITERATIONS}


def features_of(texts: Texts) -> csr_array:
    """(texts, FEATURES) float32, with one value in all of a row: see `kernels.bag_of_words.word_sets`."""
    parts = []
    for start in range(0, max(1, len(texts)), _BATCH):
        offsets = texts.offsets[start : start + _BATCH + 1]
        nothing = (None,) * (len(offsets) - 1)
        indices, values, starts = word_sets(Texts(texts.data, offsets, nothing, nothing), FEATURES)
        parts.append(csr_array((values, indices, starts), shape=(len(offsets) - 1, FEATURES)))
    return vstack(parts, format="csr")
