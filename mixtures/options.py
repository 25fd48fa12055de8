"""Multiple-choice items as token ids: what a model is to score, and which answer of each item is right.

What goes in: items, and a tokenizer. What comes out: a Parquet file with a row for each option, or its columns as flat
arrays. What stays true: the ids of a query and its answer are those of the two written as one text wherever the
tokenizer has a token end between them, and the white space there belongs to the answer, as in the text that models are
trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import TypeAdapter

from corpus import shards, storage
from kernels.texts import Texts
from mixtures import tokenizer
from mixtures.targets import AnsweredTarget, Item, Measure
from mixtures.tokenizer import Tokenizer

ENDING = ".options.parquet"
Z95 = 1.959964  # standard deviations on either side that hold 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Options:
    """All options of all items in order, and which `measure` of them counts.

    Option i has `ids[offsets[i]:offsets[i + 1]]`, a query's and then, the last `answer[i]`, an answer's, which has
    `text_bytes[i]` UTF-8 bytes without the white space before it. All are int64[options] but `offsets`, which has one
    more, `gold`, bool[options] and true of one option of each item, and `ids`, uint32. `item` ascends from 0.
    """

    measure: Measure
    item: NDArray[np.int64]
    gold: NDArray[np.bool_]
    answer: NDArray[np.int64]
    text_bytes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    ids: NDArray[np.uint32]

    @classmethod
    def load(cls, folder: str, name: str) -> Self:
        """The set of that name in the folder of a targets step. Raises `ValueError` for one that is not there."""
        path = storage.join(folder, name + ENDING)
        if not storage.exists(path):
            there = [file.removesuffix(ENDING) for file in storage.list_folder(folder) if file.endswith(ENDING)]
            raise ValueError(f"{path} is missing; {folder} has the options of: {', '.join(there) or 'no set'}")
        table = shards.read(path)
        item, gold, answer, text_bytes = (table[name].to_numpy() for name in ("item", "gold", "answer", "text_bytes"))
        ids = table["ids"].combine_chunks()
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(ids.value_lengths().to_numpy(), dtype=np.int64)])
        measure = TypeAdapter(Measure).validate_python(table.schema.metadata[b"measure"].decode())
        return cls(measure, item, gold, answer, text_bytes, offsets, ids.flatten().to_numpy())

    @property
    def items(self) -> int:
        return int(self.item[-1]) + 1

    def first(self, most: int) -> Self:
        """As many items from the first on as have `most` ids together, but one at least."""
        ends = self.offsets[1:][np.append(np.diff(self.item) > 0, True)]
        items = max(1, int(np.searchsorted(ends, most, side="right")))
        count = int(np.searchsorted(self.item, items))
        return type(self)(
            self.measure,
            self.item[:count],
            self.gold[:count],
            self.answer[:count],
            self.text_bytes[:count],
            self.offsets[: count + 1],
            self.ids[: self.offsets[count]],
        )


def encode(loaded: Tokenizer, items: Sequence[Item], target: AnsweredTarget) -> tuple[pa.Table, int]:
    """A row for each option, as `Options` has them, and of how many query and answer were encoded apart.

    An answer's ids are those that the whole has after the query's. Where the query's ids do not begin the whole's, a
    token reaches from one into the other, and both are encoded by themselves. White space between them goes with the
    answer, as in Eleuther's evaluation harness (Gao et al., lm-evaluation-harness): BPE merges it with the word after.
    Raises `ValueError` for an answer that the tokenizer has no id for.
    """
    pairs = [seam(*pair, target.between) for item in items for pair in zip(item.queries, item.answers, strict=True)]
    texts = [query + rest for query, rest in pairs]
    tokenizer.check(loaded, Texts.of(texts))
    queries, wholes = _ids(loaded, [query for query, _ in pairs]), _ids(loaded, texts)
    joined = [
        len(query) < len(whole) and np.array_equal(query, whole[: len(query)])
        for query, whole in zip(queries, wholes, strict=True)
    ]
    apart = iter(_ids(loaded, [rest for (_, rest), fits in zip(pairs, joined, strict=True) if not fits]))
    answers = [
        whole[len(query) :] if fits else next(apart) for query, whole, fits in zip(queries, wholes, joined, strict=True)
    ]
    for (_, rest), answer in zip(pairs, answers, strict=True):
        if not len(answer):
            raise ValueError(f"the tokenizer makes no id of the answer {rest!r}; leave its item out")
    counts = [len(item.answers) for item in items]
    rows = [np.concatenate(row) for row in zip(queries, answers, strict=True)]
    lengths = np.array([0, *map(len, rows)], np.int64)
    columns = {
        "item": pa.array(np.repeat(np.arange(len(items)), counts)),
        "gold": pa.array([option == item.gold for item in items for option in range(len(item.answers))]),
        "answer": pa.array([len(answer) for answer in answers], pa.int64()),
        "text_bytes": pa.array([len(answer.lstrip().encode()) for item in items for answer in item.answers]),
        "ids": pa.LargeListArray.from_arrays(np.cumsum(lengths), np.concatenate(rows).astype(np.uint32)),
    }
    return pa.table(columns, metadata={"measure": target.measure}), joined.count(False)


def seam(query: str, answer: str, between: str) -> tuple[str, str]:
    """The query without white space at its end, and all that follows it; an answer to nothing begins the text."""
    if not query.strip():
        return "", answer.lstrip()
    before = query.rstrip() + between
    kept = before.rstrip()
    return kept, before[len(kept) :] + answer.lstrip()


def wilson(right: float, items: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `right` of `items` were seen (Wilson 1927); it never leaves 0 to 1."""
    share, spread = right / items, Z95**2 / items
    middle = (share + spread / 2) / (1 + spread)
    half = np.sqrt(spread * share * (1 - share) + spread**2 / 4) / (1 + spread)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _ids(loaded: Tokenizer, texts: Sequence[str]) -> list[NDArray[Any]]:
    ids, offsets = loaded.encode_batch(Texts.of(texts))
    return [ids[start:end] for start, end in pairwise(offsets)]
