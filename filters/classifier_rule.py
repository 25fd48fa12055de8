"""A classifier of one's own as a family: `rules: [{classifier.toxic: {model: models/toxic, max_score: 0.5}}]`.

In come texts, out comes the probability that each is like the positives the model was trained on. What stays true:
verdicts depend on the text, its language, its host and the model's files alone. So adult or toxic text goes by
examples that the user has chosen, and not by a list that somebody else made.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import numpy as np
import xxhash

from corpus import storage
from filters.classifier import RECORD, Classifier
from filters.family import Columns, Family, Rule
from kernels.texts import Texts

PREFIX = "classifier."
_SIDES: Mapping[Literal["min", "max"], str] = {"min": "score_too_low", "max": "score_too_high"}


def family(name: str, settings: Mapping[str, Any], check: bool = True) -> Family:
    """The family called `name` ("classifier.toxic") of {model: FOLDER, min_score: number, max_score: number}.

    With `check` the model is loaded here, to find mistakes before a crawl is read, and once more in every process that
    measures; without it, it need not be there, and nothing can be measured.
    Signal: score. Raises ValueError for other settings and for a folder that holds no model that works here.
    """
    known = {"model", *(f"{side}_score" for side in _SIDES)}
    if name == PREFIX or set(settings) - known or not isinstance(settings.get("model"), str):
        raise ValueError(
            f"rules: {name} takes a name after the dot and {{model: FOLDER, min_score: number, max_score: number}}, "
            f"not {dict(settings)!r}"
        )
    rules = []
    for side, reason in _SIDES.items():
        bound = settings.get(f"{side}_score")
        if bound is None:
            continue
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not 0 <= bound <= 1:
            raise ValueError(f"rules: {name} {side}_score is a probability from 0 to 1, not {bound!r}")
        rules.append(Rule(f"{name}.{reason}", "score", side, bound, f"the model {settings['model']}"))
    model = settings["model"]
    if not check:
        return replace(measured(name, model=model, fingerprint=""), rules=tuple(rules))
    try:
        fingerprint = _fingerprint(model)
        _load(model, fingerprint)
    except (OSError, ValueError) as error:
        raise ValueError(f"rules: {name}: {error}") from error
    return replace(measured(name, model=model, fingerprint=fingerprint), rules=tuple(rules))


def measured(name: str, *, model: str, fingerprint: str) -> Family:
    """The family without bounds, to measure with the model of that fingerprint."""
    return Family(
        name=name,
        measure=_measure,
        signals={"score": float},
        rules=(),
        # Another model in the same folder gives other scores.
        parameters={"model": model, "fingerprint": fingerprint},
    )


def _measure(texts: Texts, *, model: str, fingerprint: str) -> tuple[Columns, Texts]:
    return {"score": _load(model, fingerprint).score(texts).astype(np.float64)}, texts


@cache
def _load(model: str, fingerprint: str) -> Classifier:
    """The model, once per process. Raises ValueError for one that is not what the run was started with."""
    found = _fingerprint(model)
    if found != fingerprint:
        raise ValueError(f"the classifier in {model} has changed since the run was started; start it again")
    return Classifier.load(model)


def _fingerprint(model: str) -> str:
    """A hash of the record, which has those of all other files; "" where there is none."""
    record = storage.join(model, RECORD)
    return xxhash.xxh3_128_hexdigest(storage.read_bytes(record)) if storage.exists(record) else ""
