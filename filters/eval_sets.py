"""Evaluation sets as texts that training data should not hold: items from JSON lines, and the index of their words.

In come files, one a benchmark; out comes an index of n-grams for `kernels.shared_grams`, and which item and benchmark
each is from. What stays true: an item nothing can be found of is counted as such.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from pathlib import PurePosixPath
from typing import Any

import fsspec
import numpy as np
from numpy.typing import NDArray

from kernels.gram_index import index_of
from kernels.shared_grams import HALVES, Counted, Index, count
from kernels.texts import Texts

# What a question is marked as, which a copy of it is not: "Question: Why?\nAnswer:".
_LABELS = re.compile(r"\A\s*\w+:(?=\s)|(?<=\s)\w+:\s*\Z")
_ENDINGS = re.compile(r"(\.(jsonl|ndjson|json|gz|zst|bz2|xz))+\Z")


@dataclass(frozen=True)
class EvalSet:
    """`items` is how many a benchmark has; `grams` how many n-grams, less those that an earlier benchmark has.

    `whole` items have no string that is long enough for an n-gram and are found by all of one, or by n-grams across
    two; of `unfindable` ones nothing can be found.
    """

    name: str
    items: int
    whole: int
    unfindable: int
    grams: int


@dataclass(frozen=True)
class EvalSets:
    """`index` knows items by number; item i is of `sets[benchmark[i]]`."""

    sets: tuple[EvalSet, ...]
    benchmark: NDArray[np.int64]
    index: Index


@dataclass(frozen=True)
class _Strings:
    """All strings of all items: string s is in field `field[s]` of item `item[s]`, and `benchmark[i]` has item i."""

    strings: list[str]
    field: list[str]
    item: list[int]
    benchmark: list[int]


@cache
def load(
    files: tuple[str, ...], fingerprints: tuple[str, ...], fields: tuple[str, ...], ngram: int, shortest: int
) -> EvalSets:
    """The sets in `files`, once a process; `fingerprints` tell that one of them has changed.

    Of each item the n-grams of `ngram` words are those of each string in `fields` (or in it, without `fields`), and of
    any two strings of different fields, one after the other in either order: a question and its answer. Two strings
    that have fewer words together, but `shortest`, are an n-gram as a whole, and so is the longest string of an item
    none of whose strings has `ngram` words.
    About 60 bytes an n-gram, with the texts. ValueError for what is no JSON object a line, with the file and the line,
    and for a file without a text in `fields`.
    """
    called = names(files)
    read = _Strings([], [], [], [])
    for number, file in enumerate(files):
        for item in _items(file, fields):
            for field, string in item:
                read.strings.append(string)
                read.field.append(field)
                read.item.append(len(read.benchmark))
            read.benchmark.append(number)
    texts = Texts.of(read.strings)
    words = count(texts)
    sequences, whole = _sequences(read, words, HALVES * shortest, HALVES * ngram)
    index, found = index_of(texts, words, sequences, len(read.benchmark), HALVES * shortest, HALVES * ngram)
    benchmark = np.array(read.benchmark, np.int64)
    per_set = [
        np.bincount(benchmark[chosen], minlength=len(files)).tolist()
        for chosen in (slice(None), whole & found, ~found, index.item)
    ]
    sets = [EvalSet(name, *numbers) for name, *numbers in zip(called, *per_set, strict=True)]
    return EvalSets(tuple(sets), benchmark, index)


def names(files: Sequence[str]) -> list[str]:
    """What the benchmarks are called: the file's name without endings, after its folder's where two have the same."""
    stems = [_ENDINGS.sub("", PurePosixPath(file).name) for file in files]
    folders = [PurePosixPath(file).parent.name for file in files]
    found = [
        f"{folder}_{stem}" if folder and stems.count(stem) > 1 else stem
        for stem, folder in zip(stems, folders, strict=True)
    ]
    for file, name in zip(files, found, strict=True):
        if found.count(name) > 1:
            raise ValueError(f"{file}: another eval set is called {name!r}, too; rename one of the files")
    return found


def _items(file: str, fields: tuple[str, ...]) -> Iterator[list[tuple[str, str]]]:
    """The strings of each item, each with the field that it is in."""
    seen: dict[str, None] = {}
    texts = 0
    for item in _objects(file):
        seen |= dict.fromkeys(item)
        strings = [
            (field, string) for field in fields or item for string in _texts_in(item.get(field)) if string.strip()
        ]
        texts += len(strings)
        yield strings
    if not texts:
        wanted = f"no text in {' or '.join(map(repr, fields))}" if fields else "no text in any field"
        there = f"its items have the fields {', '.join(map(repr, seen))}" if seen else "it has no items"
        raise ValueError(f"{file}: {wanted}; {there}")


def _objects(file: str) -> Iterator[dict[str, Any]]:
    number = 0
    with fsspec.open(file, "rb", compression="infer") as stream:
        lines = iter(stream)
        while True:
            number += 1
            try:
                line = next(lines, None)
            # gzip raises EOFError and zlib.error (no OSError) on damage, other codecs OSError and ValueError.
            except Exception as error:
                raise ValueError(f"{file}, line {number}: the file is damaged: {error}; get it anew") from error
            if line is None:
                return
            if line.strip():
                yield _object(f"{file}, line {number}", line)


def _object(where: str, line: bytes) -> dict[str, Any]:
    wanted = "an eval set has one JSON object on each line"
    try:
        item = json.loads(line)
    # Bytes that are no UTF-8 and text that is no JSON both raise ValueError; thousands of brackets RecursionError.
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: {line[:40]!r} is no JSON ({error}); {wanted}") from error
    if not isinstance(item, dict):
        raise ValueError(f"{where}: {line[:40]!r} is no JSON object; {wanted}")
    return item


def _texts_in(value: object) -> Iterator[str]:
    """All strings of a JSON value, in order, without their labels."""
    match value:
        case str():
            # A JSON escape can write half of a surrogate pair, which is no text.
            yield _LABELS.sub("", value).encode("utf-8", "replace").decode("utf-8")
        case list():
            for entry in value:
                yield from _texts_in(entry)
        case dict():
            for entry in value.values():
                yield from _texts_in(entry)


def _sequences(read: _Strings, words: Counted, near: int, far: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The rows for `index_of`, and which items are found whole."""
    rows: list[tuple[int, int, int, int, int, int]] = []
    whole = np.zeros(len(read.benchmark), np.bool_)
    first = words.first.tolist()
    halves = words.halves[words.first]
    sizes = np.diff(halves).tolist()
    strings: dict[int, list[int]] = defaultdict(list)
    for string, item in enumerate(read.item):
        strings[item].append(string)
    for item, own in strings.items():
        longest = max(sizes[string] for string in own)
        whole[item] = longest < far
        for string in own:
            if sizes[string] >= far or sizes[string] == longest >= near:
                end = first[string + 1]
                rows.append((first[string], end, end, end, item, int(longest < far)))
        # A question and its answer, whichever comes first.
        for one, other in permutations(own, 2):
            both = sizes[one] + sizes[other]
            if read.field[one] != read.field[other] and both >= near:
                ends = (first[one], first[one + 1], first[other], first[other + 1])
                rows.append((*ends, item, int(both < far)))
    return np.array(rows, np.int64).reshape(-1, 6), whole
