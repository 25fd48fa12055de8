"""The kernels that a step needs, compiled before its first task, by having them measure one small page.

Without this every worker would compile for itself, silently.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters import datatrove_filters, language, reference, rules
from kernels import bag_of_words, signatures
from kernels.prepare import Work, prepare
from kernels.texts import Texts
from mixtures.piece_cache import PieceCache
from pipeline import judge, mix, read
from pipeline.steps import Step

_HTML = "<p>One page, of a few words.</p><p>And another line.</p>"
_TEXT = "One page, of a few words.\n\nAnd another line."


def warm(step: Step, say: Callable[[str], None]) -> None:
    """Compile what this step calls, if that was not done before; says so, as it takes a while."""
    works: dict[str, Work] = {}
    if step.run is read.run:
        works = _reading(step.params)
    elif step.run is judge.judge:
        works["hashes"] = (_hash, ())
        if "reference" in step.inputs:
            works["scores"] = (_score, ())
    elif step.run is judge.learn:
        works = {"features": (_score, ())}
    elif step.run is mix.tokenize:
        works = {"pieces": (_cut, ())}
    prepare(works, say)


def _reading(params: Mapping[str, Any]) -> dict[str, Work]:
    """What takes longest comes first, so that two processes end together."""
    works: dict[str, Work] = {}
    if params["language_model"]:
        works["language"] = (_identify, (params["language_model"]["path"],))
    for described in sorted(params["measuring"], key=lambda measuring: measuring["family"] != "gopher_repetition"):
        if not described["family"].startswith(datatrove_filters.PREFIX):
            works[described["family"]] = (_measure, (described,))
    if params["minhash"]:
        works["minhash"] = (_sign, ())
    return works


def _texts() -> Texts:
    return Texts.of([_TEXT])


def _identify(model: str | None) -> None:
    language.identify([_TEXT], model)
    language.identify_html([_HTML], model)


def _measure(described: Mapping[str, Any]) -> None:
    rules.measure(_texts(), rules.measured([described]))


def _sign() -> None:
    signatures.band_hashes(_texts(), 14, 8, 5)


def _hash() -> None:
    signatures.text_hashes(_texts())
    signatures.line_hashes(_texts())


def _score() -> None:
    bag_of_words.decide(_texts(), np.zeros((2, reference.FEATURES + 1)), np.zeros(1, np.int64))


def _cut() -> None:
    PieceCache(_no_ids, single_digits=True).encode(_texts())


def _no_ids(pieces: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    return np.empty(0, np.uint32), np.zeros(len(pieces), np.int64)
