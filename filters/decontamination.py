"""Decontamination: documents that share n-grams with evaluation sets, after GPT-3 (arXiv:2005.14165, appendix C).

In come texts and the files of eval sets; out comes for each text how many n-grams it shares with them, with which set
and in which words; and, where these are to be cut, the texts without them. What stays true: nothing is found that is
not word for word in an eval set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from filters import eval_sets
from filters.eval_sets import EvalSets
from filters.family import Columns, Family, Rule
from kernels.shared_grams import Counted, count, find
from kernels.texts import Texts

ACTIONS = ("drop", "cut")
# Of n-grams of fewer words, ordinary English repeats many.
_SHORTEST_NGRAM = 5
_SPAN_CHARACTERS = 200
_ORIGIN = "GPT-3, arXiv:2005.14165, appendix C"


@dataclass(frozen=True)
class _Stretches:
    """Runs of words of which each is in a shared n-gram, in the order of the texts: bytes `start` to `end` of `text`.

    `words` is how long it is, `item` whose its first n-gram is.
    """

    text: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    words: NDArray[np.int64]
    item: NDArray[np.int64]


def check(
    *,
    against: Sequence[str],
    fields: str | Sequence[str],
    ngram: int,
    shortest: int,
    action: str,
    margin: int,
    fingerprints: Mapping[str, str],
) -> None:
    """ValueError for what cannot work; reads the eval sets."""
    if not against:
        raise ValueError("against: no eval sets; name their files, JSON lines with one item each")
    if ngram < _SHORTEST_NGRAM:
        raise ValueError(f"ngram {ngram} is too short: {_SHORTEST_NGRAM} words is the least; 13 is GPT-3's")
    if not _SHORTEST_NGRAM <= shortest <= ngram:
        raise ValueError(f"shortest {shortest} is not from {_SHORTEST_NGRAM} to ngram, {ngram}")
    if action not in ACTIONS:
        raise ValueError(f"no action {action!r}; there are {' and '.join(ACTIONS)}")
    if margin < 0:
        raise ValueError(f"margin {margin} is less than 0; it is the number of characters to cut on each side")
    load(against, fields, ngram, shortest, fingerprints)


def load(
    against: Sequence[str], fields: str | Sequence[str], ngram: int, shortest: int, fingerprints: Mapping[str, str]
) -> EvalSets:
    """The eval sets of a family's parameters, read once a process."""
    files = tuple(dict.fromkeys(against))
    names = (fields,) if isinstance(fields, str) else tuple(fields)
    return eval_sets.load(files, tuple(fingerprints[file] for file in files), names, ngram, shortest)


def measure(
    texts: Texts,
    *,
    against: Sequence[str],
    fields: str | Sequence[str],
    ngram: int,
    shortest: int,
    action: str,
    margin: int,
    fingerprints: Mapping[str, str] | None = None,
) -> tuple[Columns, Texts]:
    """Signals of `decontamination`, and the texts, less what is shared if the `action` is "cut".

    shared: how many places of the text an n-gram of an eval set starts at; with "cut" 0, unless nothing would be left
    of the text, which is then not cut. items: from how many items these are, each n-gram being the first's that has it.
    cuts: how many pieces were cut out. span: the longest run of words that are all in shared n-grams, with single
    spaces and its first 200 characters only; benchmark: the eval set that it starts with.
    """
    shared, items, cuts = (np.zeros(len(texts), np.int64) for _ in range(3))
    benchmark, span = (np.full(len(texts), "", np.object_) for _ in range(2))
    columns = {"shared": shared, "items": items, "cuts": cuts, "benchmark": benchmark, "span": span}
    if not against:
        return columns, texts
    sets = load(against, fields, ngram, shortest, fingerprints or {})
    counted = count(texts)
    matches = find(texts, counted, sets.index)
    text_of = np.searchsorted(counted.first, matches.start, "right") - 1
    item_of = sets.index.item[matches.gram].astype(np.int64)
    shared += np.bincount(text_of, minlength=len(texts))
    pairs = np.unique(np.column_stack([text_of, item_of]), axis=0)
    items += np.bincount(pairs[:, 0], minlength=len(texts))
    stretches = _stretches(counted, text_of, matches.start, matches.end, item_of)
    # The longest of each text, the first of those that are equally long.
    order = np.lexsort((np.arange(len(stretches.text)), -stretches.words, stretches.text))
    _, first = np.unique(stretches.text[order], return_index=True)
    for stretch in order[first].tolist():
        text = stretches.text[stretch]
        found = texts.data[stretches.start[stretch] : stretches.end[stretch]].tobytes().decode()
        span[text] = " ".join(found.split())[:_SPAN_CHARACTERS]
        benchmark[text] = sets.sets[sets.benchmark[stretches.item[stretch]]].name
    if action == "cut" and len(stretches.text):
        texts = _cut(texts, counted, stretches, margin, shared, cuts)
    return columns, texts


def _stretches(
    counted: Counted,
    text: NDArray[np.int64],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    item: NDArray[np.int64],
) -> _Stretches:
    """The n-grams that overlap or adjoin each other as one."""
    reach = np.maximum.accumulate(end)
    begins = np.flatnonzero(np.append(True, (start[1:] > reach[:-1]) | (text[1:] != text[:-1]))[: len(text)])
    last = reach[np.append(begins[1:], len(text))[: len(begins)] - 1]
    byte_end = counted.start[last - 1] + counted.size[last - 1]
    return _Stretches(text[begins], counted.start[start[begins]], byte_end, last - start[begins], item[begins])


def _cut(
    texts: Texts,
    counted: Counted,
    stretches: _Stretches,
    margin: int,
    shared: NDArray[np.int64],
    cuts: NDArray[np.int64],
) -> Texts:
    """The texts without their stretches, with `cuts` of each counted and `shared` of what is cut set to 0."""
    bounds = texts.offsets.tolist()
    parts = [texts.data[start:end].tobytes() for start, end in pairwise(bounds)]
    found, first = np.unique(stretches.text, return_index=True)
    for text, begin, end in zip(found.tolist(), first, [*first[1:], len(stretches.text)], strict=True):
        offset = bounds[text]
        own = slice(counted.first[text], counted.first[text + 1])
        words = np.column_stack([counted.start[own], counted.start[own] + counted.size[own]]) - offset
        holes = np.column_stack([stretches.start[begin:end], stretches.end[begin:end]]) - offset
        holes = _widened(parts[text], words, holes, margin)
        left = _without(parts[text], holes, margin)
        if left:
            parts[text], shared[text], cuts[text] = left, 0, len(holes)
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    return texts.rewritten(np.frombuffer(b"".join(parts), np.uint8), offsets)


def _widened(text: bytes, words: NDArray[np.int64], holes: NDArray[np.int64], margin: int) -> NDArray[np.int64]:
    """Holes, from byte to byte, with `margin` characters more on each side and to the end of the word there; those
    that then touch are one.
    """
    # Where each character starts, and the end.
    starts = np.append(np.flatnonzero(np.frombuffer(text, np.uint8) & 0xC0 != 0x80), len(text))
    low = starts[np.maximum(np.searchsorted(starts, holes[:, 0]) - margin, 0)]
    high = starts[np.minimum(np.searchsorted(starts, holes[:, 1]) + margin, len(starts) - 1)]
    # A word that starts before a side and ends after it goes whole.
    over = np.searchsorted(words[:, 1], low, "right")
    low = np.where((over < len(words)), np.minimum(low, words[np.minimum(over, len(words) - 1), 0]), low)
    over = np.searchsorted(words[:, 0], high) - 1
    high = np.where(over >= 0, np.maximum(high, words[np.maximum(over, 0), 1]), high)
    begins = np.flatnonzero(np.append(True, low[1:] > high[:-1]))
    return np.column_stack([low[begins], high[np.append(begins[1:], len(low)) - 1]])


def _without(text: bytes, holes: NDArray[np.int64], margin: int) -> bytes:
    """What is left around the holes, without what is shorter than `margin` characters, joined by a blank line."""
    sides = [0, *holes.ravel().tolist(), len(text)]
    pieces = [text[start:end].decode().strip() for start, end in zip(sides[::2], sides[1::2], strict=True)]
    return "\n\n".join(piece for piece in pieces if len(piece) >= max(margin, 1)).encode()


FAMILY = Family(
    name="decontamination",
    measure=measure,
    signals={"shared": int, "items": int, "cuts": int, "benchmark": str, "span": str},
    rules=(
        Rule("contaminated", "shared", "max", 0, _ORIGIN, detail="benchmark"),
        Rule("contaminated_throughout", "cuts", "max", 10, _ORIGIN, detail="benchmark"),
    ),
    parameters={"against": [], "fields": [], "ngram": 13, "shortest": 8, "action": "drop", "margin": 200},
    rewrites=True,
    files=("against",),
    check=check,
)
