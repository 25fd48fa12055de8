"""The kernels that a step needs, compiled before its first task, by having them measure one small page.

Without this every worker would compile for itself, silently.
"""

import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup import buckets, exact, lines, preference, verify
from dedup.components import components
from filters import datatrove_filters, language, linear_model, rules
from kernels import bag_of_words, ccnet_normal, signatures
from kernels.lines import find_units
from kernels.prepare import Work, prepare
from kernels.texts import Texts
from mixtures.byte_level import GPT2, LLAMA3, Alike
from mixtures.merger import Merger
from mixtures.piece_cache import PieceCache
from pipeline import (
    copies,
    documents,
    judge,
    keys,
    learn,
    lines_first,
    near,
    quality,
    read,
    repeated,
    similar,
    tokenize,
)
from pipeline.near_columns import measure_near
from pipeline.steps import Step

_HTML = "<p>One page, of a few words.</p><p>And another line.</p>"
_TEXT = "One page, of a few words.\n\nAnd another line."


def warm(step: Step, say: Callable[[str], None]) -> None:
    """Compile what this step calls, if that was not done before; says so, as it takes a while."""
    works: dict[str, Work] = {}
    if step.run is read.run:
        works = _reading(step.params)
    elif step.run is lines_first.measure:
        works = {**_reading(step.params), "lines": (_drop_lines, ())}
    elif step.run is judge.judge:
        works["hashes"] = (_hash, ())
        if "reference" in step.inputs or step.params["classifier"]:
            works["scores"] = (_score, ())
    elif step.run is learn.learn:
        works = {"features": (_learn, ())}
    elif step.run is quality.score:
        works = {"perplexity": (_normalise, ())}
    elif step.run is copies.find_copies or step.run is keys.write_keys:
        works["copies"] = (_copies, ())
    elif step.run is near.find_clusters:
        works["clusters"] = (_connect, ())
    elif step.run is similar.gather:
        works["shingles"] = (_shingle, ())
    elif step.run is similar.verify_members:
        works["overlap"] = (_compare, ())
    elif step.run in (repeated.find_repeated, documents.write, lines_first.tally):
        works["lines"] = (_drop_lines, ())
    elif step.run is tokenize.encode:
        works = {"pieces": (_cut, ())}
    prepare(works, say)


def _reading(params: Mapping[str, Any]) -> dict[str, Work]:
    """What takes longest comes first, so that two processes end together."""
    works: dict[str, Work] = {}
    before = params.get("before_extraction")
    if model := params["language_model"] or (before and before["model"]):
        works["language"] = (_identify, (model["path"],))
    for described in sorted(params["measuring"], key=lambda measuring: measuring["family"] != "gopher_repetition"):
        if not described["family"].startswith(datatrove_filters.PREFIX):
            works[described["family"]] = (_measure, (described,))
    if params["near"]:
        works["minhash"] = (_sign, (params["near"],))
    return works


def _texts() -> Texts:
    return Texts.of([_TEXT])


def _identify(model: str | None) -> None:
    language.identify([_TEXT], model)
    language.identify_html([_HTML], model)


def _measure(described: Mapping[str, Any]) -> None:
    rules.measure(_texts(), rules.measured([described]))


def _sign(near: Mapping[str, Any]) -> None:
    measure_near(_texts(), near)


def _hash() -> None:
    signatures.text_hashes(_texts())
    for unit in ("line", "paragraph"):
        signatures.unit_hashes(_texts(), find_units(_texts().lines, unit))


def _copies() -> None:
    exact.winners(np.zeros((2, exact.COLUMNS), np.uint64))


def _connect() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/edges"
        buckets.write_by_key(file, np.array([[2, 1], [3, 1]], np.uint64))
        list(components([file], folder, 1 << 20))


def _shingle() -> None:
    signatures.shingle_sets(_texts(), 5)


def _compare() -> None:
    """Two equal documents, and one of an earlier run."""
    numbers = np.arange(1, 4, dtype=np.uint64)
    first = np.array([0, 1, 2, 3])
    members = verify.Members(
        label=np.ones(3, np.uint64),
        id=np.array([preference.EARLIER, 1, 2], np.uint64),
        rank=np.array([0, 1, 1], np.uint64),
        key_first=first,
        keys=np.ones(3, np.uint64),
        sketch=np.zeros((3, 8), np.uint8),
        sizes=np.array([0, 3, 3]),
    )

    def load(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        sizes = members.sizes[rows]
        return np.concatenate([[0], np.cumsum(sizes)]), np.tile(numbers, int(sizes.sum()) // 3)

    for measure in ("jaccard", "containment"):
        verify.removals(members, load, measure=measure, threshold=0.9, memory=1 << 20)


def _drop_lines() -> None:
    found, _ = lines.answers(np.array([[1, 2]], np.uint64), np.array([1]), "none")
    lines.Repeated(found, "line").without(_texts())


def _score() -> None:
    weights = np.zeros((1, linear_model.FEATURES + 1), np.float32)
    linear_model.LinearModels(weights).decide(_texts(), np.zeros(1, np.int64))


def _learn() -> None:
    bag_of_words.word_sets(_texts(), linear_model.FEATURES)
    signatures.text_hashes(_texts())
    _score()


def _normalise() -> None:
    ccnet_normal.normalise(_texts())


def _cut() -> None:
    ranks = {bytes([byte]): byte for byte in range(256)}
    for pattern in (GPT2, LLAMA3):
        alike = Alike(pattern, ranks, np.array([[0, 1, 256]], np.uint32), whole_pieces=False)
        PieceCache(Merger(alike), pattern).encode(_texts())
