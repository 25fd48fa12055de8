"""Scoring a text: our linear classifier's kernel against scikit-learn's and fastText's own ways, on the same texts."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.inputs import Inputs
from benchmarks.results import SPREAD, Table
from benchmarks.timing import interleave
from filters.classifier import Classifier, train
from filters.examples import Examples
from filters.fasttext_classifier import FasttextModels
from filters.linear_model import FEATURES, LinearModels, features_of
from kernels.texts import Texts

OURS, SCIKIT_LEARN, FASTTEXT = "crawlmill", "scikit-learn", "fastText"
WARM_UP = 20
# Ours takes some hundredths of a second, in which anything can happen: so many times over the same texts.
PASSES = 20
# The size that the figure is given for.
DOCUMENT = 7000
# How many times longer theirs takes at least, and how far our probabilities may be from scikit-learn's.
FASTER = {SCIKIT_LEARN: 10, FASTTEXT: 4}
SAME = 1e-6

COLUMNS = {"µs per 7 kB": ",.1f", **SPREAD, "ratio": ",.1f", "largest difference": ".1e"}


def run(inputs: Inputs) -> list[Table]:
    texts = inputs.english
    linear, fasttext = (train(_examples(texts), kind=kind, folds=1) for kind in ("linear", "fasttext"))
    assert isinstance(fasttext.models, FasttextModels)
    [model] = fasttext.models.loaded
    vectorizer = HashingVectorizer(n_features=FEATURES, ngram_range=(1, 2), alternate_sign=False, binary=True)
    fit = LogisticRegression(max_iter=10, tol=1.0).fit(vectorizer.transform(texts), np.arange(len(texts)) % 2)

    def crawlmill(some: Sequence[str]) -> int:
        for _ in range(PASSES):
            scores = linear.score(Texts.of(some))
        return len(scores)

    sides = {
        OURS: crawlmill,
        SCIKIT_LEARN: lambda some: len(fit.predict_proba(vectorizer.transform(some))),
        FASTTEXT: lambda some: len(model.predict([" ".join(text.split()) for text in some])[0]),
    }
    rounds = interleave(sides, texts, inputs.repeats, texts[:WARM_UP])
    size = sum(len(text.encode()) for text in texts)
    ours = rounds[OURS].median / PASSES
    rows: dict[str, dict[str, float]] = {
        name: {
            "µs per 7 kB": (ours if name == OURS else round_.median) / size * DOCUMENT * 1e6,
            "slowest/fastest": round_.spread,
        }
        for name, round_ in rounds.items()
    }
    for name in FASTER:
        rows[name]["ratio"] = rows[name]["µs per 7 kB"] / rows[OURS]["µs per 7 kB"]
    rows[SCIKIT_LEARN]["largest difference"] = _difference(linear, texts)
    note = (
        f"{len(texts):,} English texts, {size:,} bytes; from a list of strings to a list of probabilities, words and "
        "pairs of words. crawlmill: one model of 2^18 weights. scikit-learn: HashingVectorizer and predict_proba of as "
        "many. fastText: predict on lines with white space joined, dim 4. The ratio is the other's time over "
        "crawlmill's; the difference is that of crawlmill's probabilities from predict_proba on the same features with "
        "the same weights. What the models learnt, to tell every other text, plays no part."
    )
    failures = [
        f"{name} takes {rows[name]['ratio']:.1f} times as long as crawlmill, and {least} were promised"
        for name, least in FASTER.items()
        if rows[name]["ratio"] < least
    ]
    if rows[SCIKIT_LEARN]["largest difference"] > SAME:
        failures.append(f"probabilities differ from scikit-learn's by more than {SAME}")
    return [Table("Classifier: a text's score", note, COLUMNS, rows, failures)]


def _examples(texts: Sequence[str]) -> Examples:
    labels = (np.arange(len(texts)) % 2).astype(np.int8)
    return Examples(Texts.of(texts), labels, np.zeros(len(texts), np.int64), {})


def _difference(model: Classifier, texts: Sequence[str]) -> float:
    assert isinstance(model.models, LinearModels)
    theirs = LogisticRegression()
    theirs.classes_ = np.array([0, 1])
    theirs.coef_ = model.models.weights[:, :-1].astype(np.float64)
    theirs.intercept_ = model.models.weights[:, -1].astype(np.float64)
    given = Texts.of(texts)
    return float(np.abs(theirs.predict_proba(features_of(given))[:, 1] - model.score(given)).max())
