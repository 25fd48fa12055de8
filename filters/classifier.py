"""Classifiers of texts, trained on examples of two classes: what is trained, calibrated, scored, saved and loaded.

In come examples (filters/examples.py); out comes a model and, for any text, the probability that it is a positive,
where both classes weigh the same. What stays true: with two folds no text is scored by a model that has seen it or its
host, since in a crawl that is its own sample a score would be memory rather than judgement; probabilities are
calibrated on sites that the model had not seen either (Platt 1999); and the same examples give the same bytes.
"""

import hashlib
import importlib.metadata
import itertools
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
import xxhash
from numpy.typing import NDArray
from scipy.special import expit

from corpus import storage
from filters.calibration import platt
from filters.examples import Examples, hosts_of, sides_of, sites_of
from filters.fasttext_classifier import FasttextLearner, FasttextModels
from filters.learnable import LEAST_SITES, PARTS, own_languages, parts_of, too_few
from filters.linear_model import FEATURES, LinearLearner, LinearModels
from filters.word_features import WordFeatures, frequent
from kernels.signatures import text_hashes
from kernels.texts import Texts

# Anything that changes what a model sees of a text raises it.
FEATURE_VERSION = 2
RECORD, _SEEN = "model.json", "seen.u64"
_PACKAGES = ("numpy", "scipy", "scikit-learn", "fasttext-numpy2")


class ClassifierError(ValueError):
    """A model that cannot be trained or loaded; the message says what to do."""


class Models(Protocol):
    """Numbered models of one kind; a decision is the logarithm of the odds that a text is a positive."""

    def decide(self, texts: Texts, models: NDArray[np.int64]) -> NDArray[np.float64]: ...
    def weigh(self, features: WordFeatures, models: Sequence[int]) -> NDArray[np.float64]: ...
    def save(self, folder: str) -> list[str]: ...


class Learner(Protocol):
    """Fits one model to some of the examples it was made of, and decides on others of them."""

    def fit(self, rows: NDArray[np.int64]) -> Any: ...
    def decide(self, fitted: Any, rows: NDArray[np.int64]) -> NDArray[np.float64]: ...
    def models(self, fitted: Sequence[tuple[Any, float, float]]) -> Models: ...
    @property
    def settings(self) -> dict[str, Any]: ...


_LEARNERS: Mapping[str, Callable[[Texts, NDArray[np.int8], int], Learner]] = {
    "linear": LinearLearner,
    "fasttext": FasttextLearner,
}
_LOADERS: Mapping[str, Callable[[str, int], Models]] = {"linear": LinearModels.load, "fasttext": FasttextModels.load}
KINDS = tuple(_LEARNERS)


@dataclass(frozen=True)
class Classifier:
    """`models` has one for each of `languages` and in it for each of the `folds`; "", always there, is the model of all
    languages that have none of their own.

    Model k of 2 has not seen side k, which goes by host save for the `split_hosts`; `by_host` is whether any page's
    does. `training` is its recipe and `figures` what evaluation measured, both JSON. `seen` are hashes of the hosts and
    texts it was trained on, uint64 ascending.
    """

    kind: str
    by_host: bool
    folds: int
    languages: tuple[str, ...]
    training: dict[str, Any]
    figures: dict[str, Any] | None
    split_hosts: tuple[str, ...] = ()
    models: Models = field(repr=False, kw_only=True)
    seen: NDArray[np.uint64] = field(repr=False, kw_only=True)

    def score(self, texts: Texts) -> NDArray[np.float32]:
        """P(positive) of each text, for classes that weigh the same."""
        place = {language: number for number, language in enumerate(self.languages)}
        models = np.array([place.get(language or "", place[""]) for language in texts.languages], np.int64) * self.folds
        if self.folds == 2:
            models += sides_of(texts, self.split_hosts)
        return np.asarray(expit(self.models.decide(texts, models)), np.float32)

    @property
    def auc(self) -> float:
        """How well the examples were told apart in training by what had not seen their sites: the area under the ROC
        curve, a mean over the folds. At 1/2 there was nothing to learn."""
        areas = [curve["auc"] for curve in self.training["calibration"] if not curve["language"]]
        return float(np.mean(areas))

    def has_seen(self, texts: Texts) -> NDArray[np.bool_]:
        """Whether each text, or its host, was trained on."""
        both = [text_hashes(texts)[:, 0], _host_hashes(texts)]
        return np.asarray(np.isin(both, self.seen).any(axis=0))

    def save(self, folder: str) -> None:
        """Write the models, what they have seen, and last the record that says it is whole."""
        files = [*self.models.save(folder), _SEEN]
        storage.write_bytes(storage.join(folder, _SEEN), self.seen.astype("<u8").tobytes())
        record = {
            "feature_version": FEATURE_VERSION,
            "kind": self.kind,
            "by_host": self.by_host,
            "folds": self.folds,
            "languages": self.languages,
            "split_hosts": self.split_hosts,
            "training": self.training,
            "figures": self.figures,
            "files": {name: _checksum(storage.join(folder, name)) for name in files},
        }
        storage.write_json(storage.join(folder, RECORD), record)

    @classmethod
    def load(cls, folder: str) -> Self:
        """Raises ClassifierError for a folder without a model, a damaged one, and one of another FEATURE_VERSION."""
        record = _record(folder)
        kind, folds, languages = record["kind"], record["folds"], tuple(record["languages"])
        return cls(
            kind,
            record["by_host"],
            folds,
            languages,
            record["training"],
            record["figures"],
            tuple(record["split_hosts"]),
            models=_LOADERS[kind](folder, folds * len(languages)),
            seen=storage.read_array(storage.join(folder, _SEEN), "<u8"),
        )


def _record(folder: str) -> dict[str, Any]:
    """What model.json says, once all that it names is there as it was saved."""
    path = storage.join(folder, RECORD)
    if not storage.exists(path):
        raise ClassifierError(
            f'{folder} holds no classifier ({path} is not there); make one with "crawlmill classifier"'
        )
    try:
        record: dict[str, Any] = storage.read_json(path)
        version = record["feature_version"]
        if version != FEATURE_VERSION:
            raise ClassifierError(
                f"{folder} is a model of feature version {version}, and this crawlmill's is {FEATURE_VERSION}, so its "
                "scores would mean nothing; train it again"
            )
        changed = [name for name, known in record["files"].items() if _checksum(storage.join(folder, name)) != known]
        if record["kind"] not in KINDS or changed:
            raise ValueError(f"{', '.join(changed) or record['kind']} is not what was saved")
    except ClassifierError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClassifierError(f"{folder} is damaged ({error!r}); train it again") from error
    return record


def _checksum(path: str) -> str:
    return xxhash.xxh3_128_hexdigest(storage.read_bytes(path))


def train(
    examples: Examples,
    *,
    kind: str = "linear",
    folds: int = 2,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Classifier:
    """A classifier of that `kind`, of one model that sees all or two that see one side each.

    `progress(done, all)` is told how many fits are done. Raises ClassifierError where there is too little of a class.
    """
    assert kind in KINDS, kind
    assert folds in (1, 2), folds
    # It takes a second to import, and most commands never train.
    from sklearn.metrics import roc_auc_score

    sites = sites_of(examples.texts, examples.split_hosts)
    languages = np.array([language or "" for language in examples.texts.languages], object)
    _check(examples, sites, folds)
    named = ["", *own_languages(examples, languages, sites, folds)]
    learner = _LEARNERS[kind](examples.texts, examples.labels, seed)
    fitted, curves = [], []
    for number, (language, fold) in enumerate(itertools.product(named, range(folds)), start=1):
        inside = (languages == language) if language else np.ones(len(languages), bool)
        rows = np.flatnonzero(inside & ((examples.sides != fold) | (folds == 1)))
        held_out = _held_out(learner, rows, examples.labels, sites, seed)
        slope, intercept = platt(held_out, examples.labels[rows])
        fitted.append((learner.fit(rows), slope, intercept))
        auc = float(roc_auc_score(examples.labels[rows], held_out))
        curves.append({"language": language, "fold": fold, "slope": slope, "intercept": intercept, "auc": auc})
        if progress:
            progress(number, folds * len(named))
    hosts = hosts_of([url for url, label in zip(examples.texts.urls, examples.labels, strict=True) if not label])
    return Classifier(
        kind,
        any(host and host not in examples.split_hosts for host in hosts),
        folds,
        tuple(named),
        {**_recipe(examples, learner, seed), "calibration": curves},
        None,
        examples.split_hosts,
        models=learner.models(fitted),
        seen=_seen(examples),
    )


def _check(examples: Examples, sites: NDArray[np.uint64], folds: int) -> None:
    if missing := too_few(examples.labels, examples.sides, sites, folds):
        side, name, count = missing
        where = f" on side {side}, of which one fold is to learn" if folds == 2 else ""
        left_out = ", ".join(f"{number:,} {reason}" for reason, number in examples.left_out.items())
        raise ClassifierError(
            f"there are {name} of {count} sites{where}, and {LEAST_SITES} are the fewest that can be learnt from (a "
            f"site is a host, or a text without one); left out were {left_out or 'none'}; give more examples"
        )


def _held_out(
    learner: Learner, rows: NDArray[np.int64], labels: NDArray[np.int8], sites: NDArray[np.uint64], seed: int
) -> NDArray[np.float64]:
    """What models of two thirds of those examples' sites say of the others, for each example."""
    parts = parts_of(labels[rows], sites[rows], seed)
    decisions = np.empty(len(rows))
    for part in range(PARTS):
        inside = parts == part
        decisions[inside] = learner.decide(learner.fit(rows[~inside]), rows[inside])
    return decisions


def _host_hashes(texts: Texts) -> NDArray[np.uint64]:
    """Of the host of each text; 0 where it has none."""
    return np.array([xxhash.xxh3_64_intdigest(h.encode()) if h else 0 for h in hosts_of(texts.urls)], np.uint64)


def _seen(examples: Examples) -> NDArray[np.uint64]:
    """What a text is recognised by: its own hash, or its host's, save for the hosts that are split by text."""
    hosts = [host for host in hosts_of(examples.texts.urls) if host and host not in examples.split_hosts]
    of_hosts = [xxhash.xxh3_64_intdigest(host.encode()) for host in set(hosts)]
    return np.unique(np.concatenate([text_hashes(examples.texts)[:, 0], np.array(of_hosts, np.uint64)]))


def _recipe(examples: Examples, learner: Learner, seed: int) -> dict[str, Any]:
    """What the models were made of, as JSON."""
    texts = examples.texts
    digest = hashlib.sha256()
    for part in (
        texts.data[texts.offsets[0] : texts.offsets[-1]],
        np.diff(texts.offsets),
        examples.labels,
        examples.sides,
    ):
        digest.update(np.ascontiguousarray(part).tobytes())
    positives = int(examples.labels.sum())
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "seed": seed,
        "settings": learner.settings,
        "positives": positives,
        "pages": len(texts) - positives,
        "left_out": examples.left_out,
        "data_hash": digest.hexdigest(),
        "versions": {"python": platform.python_version(), **versions},
    }


def telling(classifier: Classifier, texts: Texts, n: int) -> dict[str, list[str]]:
    """The `n` words and pairs of words that speak most for "positives" and for "pages", the strongest first, of those
    that `texts` use often; by the mean over the folds of the model of all languages.
    """
    features = frequent(texts, FEATURES)
    weights = classifier.models.weigh(features, range(classifier.folds))
    order = np.lexsort((features.hashes, weights)).tolist()
    return {
        "positives": [features.names[place] for place in order[::-1][:n]],
        "pages": [features.names[place] for place in order[:n]],
    }
