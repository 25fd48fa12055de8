"""The kernels that a run needs, compiled before its first task, by having them measure one small page.

Without this every worker would compile for itself, silently.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from filters import reference
from kernels import bag_of_words, signatures
from kernels.prepare import prepare
from kernels.texts import Texts
from mixtures.piece_cache import PieceCache
from pipeline import judge, mix, read
from pipeline.steps import Step, Task
from sources.pages import Page

_HTML = Page("https://example.org/", None, "text/html", "<p>One page, of a few words.</p><p>And another line.</p>")
_TEXT = Page("https://example.org/", None, "text/plain", "One page, of a few words.\n\nAnd another line.")


def warm(steps: Sequence[Step], say: Callable[[str], None]) -> None:
    """Compile, or load, what these steps call; says so if it takes a while."""
    names: set[str] = set()
    for step in steps:
        if step.run is read.run:
            names |= {measuring["family"] for measuring in step.params["measuring"]}
            names |= {"minhash"} if step.params["minhash"] else set()
        elif step.run in (judge.learn, judge.judge):
            names.add("signatures and scores")
        elif step.run is mix.tokenize:
            names.add("pieces")
    if names:
        prepare(names, lambda: _touch(steps), say)


def _touch(steps: Sequence[Step]) -> None:
    texts = Texts.of([_TEXT.body])
    for step in steps:
        if step.run is read.run:
            page = _HTML if step.params["source"]["kind"] == "warc" else _TEXT
            read.measure(Task("", 0, None, step.params, {}), [page], 0)
        elif step.run is mix.tokenize:
            PieceCache(_no_ids, single_digits=True).encode(texts)
    signatures.text_hashes(texts)
    signatures.line_hashes(texts)
    bag_of_words.decide(texts, np.zeros((2, reference.FEATURES + 1)), np.zeros(1, np.int64))


def _no_ids(pieces: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    return np.empty(0, np.uint32), np.zeros(len(pieces), np.int64)
