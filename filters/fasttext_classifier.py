"""A fastText classifier (arXiv:1607.01759) of words and pairs of words, as RedPajama and DCLM filter with.

In come texts and labels; out come model files of the fasttext package, and decisions that are the logarithms of odds.
What stays true: one thread trains, so that the same examples in the same order give the same bytes; and training and
scoring see the same line of a text: its words without case, with one space between.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from corpus import storage
from corpus.hashing import keyed
from filters.word_features import WordFeatures
from kernels.texts import Texts

# With two labels all that a text's vector can say lies on one line, and wide vectors only make large files: 16 numbers
# a row were no better than these (docs/experiments.md).
SETTINGS: dict[str, Any] = {"dim": 4, "bucket": 1 << 18, "wordNgrams": 2, "minCount": 2, "epoch": 10, "lr": 0.5}
_POSITIVE, _PAGE, _LABEL = "__label__1", "__label__0", "__label__"
# What the package adds to a probability, and the least that is left when it is taken away again.
_ADDED, _LEAST = 1e-5, 1e-9
# With one thread the package sets a tenth of a new model's numbers and takes the others as the memory happens to be.
# This has the C library (glibc) give out zeros, from the start of a process on.
_ZEROS = {"MALLOC_PERTURB_": "255"}
_TRAIN = """
import fasttext, json, sys
examples, model, settings = json.loads(sys.argv[1])
fasttext.train_supervised(examples, **settings).save_model(model)
"""
_CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class FasttextModels:
    """`files` are the bytes of a model file each; a decision is multiplied by its slope and has its intercept added."""

    files: tuple[bytes, ...]
    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]

    def decide(self, texts: Texts, models: NDArray[np.int64]) -> NDArray[np.float64]:
        """For text i the decision of model `models[i]`."""
        lines = lines_of(texts)
        out = np.empty(len(lines))
        for number in np.unique(models):
            rows = np.flatnonzero(models == number)
            found = decide(self.loaded[number], [lines[row] for row in rows])
            out[rows] = found * self.slopes[number] + self.intercepts[number]
        return out

    @cached_property
    def loaded(self) -> list[Any]:
        return [_load(data) for data in self.files]

    def weigh(self, features: WordFeatures, models: Sequence[int]) -> NDArray[np.float64]:
        """The mean decision of the models on each feature as if it were a text."""
        found = [decide(self.loaded[number], features.names) for number in models]
        return np.asarray(np.mean(found, axis=0))

    def save(self, folder: str) -> list[str]:
        """Write the models into the folder; returns the names of the files."""
        names = [_name(number) for number in range(len(self.files))]
        for name, data in zip(names, self.files, strict=True):
            storage.write_bytes(storage.join(folder, name), data)
        curves = {"slopes": self.slopes, "intercepts": self.intercepts}
        storage.write_json(storage.join(folder, _CALIBRATION), curves)
        return [*names, _CALIBRATION]

    @classmethod
    def load(cls, folder: str, models: int) -> Self:
        curves = storage.read_json(storage.join(folder, _CALIBRATION))
        files = tuple(storage.read_bytes(storage.join(folder, _name(number))) for number in range(models))
        return cls(files, tuple(curves["slopes"]), tuple(curves["intercepts"]))


def _name(number: int) -> str:
    return f"model-{number}.bin"


class FasttextLearner:
    """The lines of the examples, made once for all models that learn from some of them."""

    def __init__(self, texts: Texts, labels: NDArray[np.int8], seed: int) -> None:
        self.labels = labels
        self.seed = seed
        self.lines = lines_of(texts)

    def fit(self, rows: NDArray[np.int64]) -> bytes:
        """A model file, learnt from those examples in an order of their own: one class after the other is unlearnt."""
        order = rows[np.argsort(keyed(np.arange(len(rows), dtype=np.uint64), "fasttext", self.seed))]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "examples.txt")
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                for row in order:
                    file.write(f"{_POSITIVE if self.labels[row] else _PAGE} {self.lines[row]}\n")
            return _trained(path, os.path.join(folder, "model.bin"), self.seed)

    def decide(self, fitted: bytes, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return decide(_load(fitted), [self.lines[row] for row in rows])

    def models(self, fitted: Sequence[tuple[bytes, float, float]]) -> FasttextModels:
        """What was fitted, each with the slope and intercept of its calibration."""
        files, slopes, intercepts = zip(*fitted, strict=True)
        return FasttextModels(files, slopes, intercepts)

    @property
    def settings(self) -> dict[str, Any]:
        """What is learnt with, for the model's record."""
        return SETTINGS


def lines_of(texts: Texts) -> list[str]:
    """What the package sees of each text: one line, in lower case, with one space between words; and no word in it
    that the package would take for a label.
    """
    return [" ".join(text.lower().split()).replace(_LABEL, "label") for text in texts.to_list()]


def decide(model: Any, lines: Sequence[str]) -> NDArray[np.float64]:
    """The logarithm of the odds that each line is a positive."""
    if not lines:
        return np.empty(0)
    odds = np.empty((len(lines), 2))
    for row, (labels, probabilities) in enumerate(zip(*model.predict(list(lines), k=2), strict=True)):
        found = dict(zip(labels, probabilities.tolist(), strict=True))
        odds[row] = found.get(_POSITIVE, 0.0), found.get(_PAGE, 0.0)
    logarithms = np.log(np.maximum(odds - _ADDED, _LEAST))
    return np.asarray(logarithms[:, 0] - logarithms[:, 1])


def _trained(examples: str, model: str, seed: int) -> bytes:
    """What the package makes of a file of examples, in a process of its own: see _ZEROS."""
    settings = {"seed": seed, "thread": 1, "verbose": 0, **SETTINGS}
    command = [sys.executable, "-c", _TRAIN, json.dumps([examples, model, settings])]
    done = subprocess.run(command, env={**os.environ, **_ZEROS}, capture_output=True, text=True, check=False)
    if done.returncode:
        cause = done.stderr.strip().rsplit("\n", 1)[-1]
        raise ValueError(f"fastText could not learn from these examples ({cause}); give more, or train the kind linear")
    with open(model, "rb") as file:
        return file.read()


def _load(data: bytes) -> Any:
    import fasttext

    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(data)
        file.flush()
        try:
            return fasttext.load_model(file.name)
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"a fastText model of the classifier is damaged ({error}); train it again") from error
