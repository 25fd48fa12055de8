"""Pages in more than one language: the language of each part of a text, and how much of it is in the main one.

A page is usually judged by its first thousand characters. Here the text is cut into blocks of whole lines, all blocks
of a batch are identified at once, and each counts with its letters; one the model is not sure of (a list of names, a
table) counts for nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.family import Columns, Family, Rule
from filters.language import identify_batch, known_languages
from kernels.blocks import cut
from kernels.texts import Texts

# Below, a block of one language is too often taken for another: docs/languages.md has the measurement.
SURE = 0.5
# A language counts from this share of the letters on.
COUNTED = 0.1


def check(*, model: Sequence[str] | None, block_characters: int, fingerprints: Mapping[str, str] | None = None) -> None:
    """Raise ValueError for a file that is no model that predicts labels, and for blocks of no size."""
    if block_characters < 1:
        raise ValueError(f"block_characters must be 1 or more, not {block_characters}")
    known_languages(_one(model))


def _one(model: Sequence[str] | None) -> str | None:
    """The file that the parameter names; None is lid.176."""
    if model and len(model) > 1:
        raise ValueError(f"model: {', '.join(model)} are {len(model)} files; name one")
    return model[0] if model else None


def measure(
    texts: Texts, *, model: Sequence[str] | None, block_characters: int, fingerprints: Mapping[str, str] | None = None
) -> tuple[Columns, Texts]:
    """Signals of `mixed_language`.

    main_ratio: the letters in blocks of the main language to those in all blocks that count, 1.0 where none does.
    languages: how many have at least a tenth of these. second: the label with most of them after the main one, "" where
    there is none. Of equals the first by name is the main one.
    """
    blocks, first, letters = cut(texts, block_characters)
    labels, scores = identify_batch(blocks, _one(model))
    counted = np.where(scores >= SURE, letters, 0)
    names, numbers = np.unique(np.array(labels, np.object_), return_inverse=True)
    columns: Columns = {
        "main_ratio": np.ones(len(texts)),
        "languages": np.zeros(len(texts), np.int64),
        "second": np.full(len(texts), "", np.object_),
    }
    for text in range(len(texts)):
        part = slice(first[text], first[text + 1])
        _judge(columns, text, names, np.bincount(numbers[part], counted[part], len(names)))
    return columns, texts


def _judge(columns: Columns, text: int, names: NDArray[np.object_], letters: NDArray[Any]) -> None:
    """Fill in a text's row from its letters in each of the languages that `names` lists."""
    total = letters.sum()
    if total == 0:
        return
    order = np.argsort(-letters, kind="stable")
    columns["main_ratio"][text] = letters[order[0]] / total
    columns["languages"][text] = int((letters >= COUNTED * total).sum())
    if len(order) > 1 and letters[order[1]] > 0:
        columns["second"][text] = names[order[1]]


FAMILY = Family(
    name="mixed_language",
    measure=measure,
    signals={"main_ratio": float, "languages": int, "second": str},
    rules=(
        Rule(
            "mixed_language_too_little_of_main",
            "main_ratio",
            "min",
            None,
            "none: off unless the recipe sets it",
            detail="second",
        ),
    ),
    parameters={"model": None, "block_characters": 500},
    files=("model",),
    check=check,
)
