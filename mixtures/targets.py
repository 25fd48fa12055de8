"""What a mixture is judged by besides its own sources: texts, and questions whose right answer is known.

What goes in: JSON lines of a user's own, and what a recipe says of their fields. What comes out: texts, or items, each
a few pairs of a query and an answer of which one is right. What stays true: a line that is no item ends in an error
with its file and line, so that two runs are never measured on different items.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import fsspec
from pydantic import Field

from corpus.strict import Paths, Strict
from sources.jsonl import read_jsonl
from sources.pages import Page, Unreadable

Measure = Literal["answer", "error"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """Option i is `answers[i]` after `queries[i]`, and option `gold` is right; of one there is no choice."""

    queries: tuple[str, ...]
    answers: tuple[str, ...]
    gold: int


class TextTarget(Strict):
    """Documents; what counts is the bits per byte of all of them."""

    kind: Literal["text"]
    paths: Paths
    text_field: str = "text"


class _Answered(Strict):
    """`between` stands between a query and its answer, in place of the white space that is there."""

    paths: Paths
    between: str = " "


class ContinuationTarget(_Answered):
    """One right answer and nothing to choose from (LAMBADA, Jeopardy): the bits per byte of it."""

    measure: ClassVar[Measure] = "answer"

    kind: Literal["continuation"]
    context: str = "context"
    continuation: str = "continuation"

    def item(self, row: Row) -> Item:
        """Raises `ValueError` for a row that lacks a field."""
        return Item((_text(row, "context", self.context),), (_answer(row, "continuation", self.continuation),), 0)


class ChoicesTarget(_Answered):
    """A query and several answers (ARC, PIQA), `gold` being the right one's number from 0.

    `measure` is what laws are fitted to: the bits per byte of the right `answer`, which moves with every bit that is
    learnt, or the `error`, the share of items for which another answer is likelier.
    """

    kind: Literal["choices"]
    query: str = "query"
    choices: str = "choices"
    gold: str = "gold"
    measure: Measure = "answer"

    def item(self, row: Row) -> Item:
        """Raises `ValueError` for a row that lacks a field, and for a choice that is none."""
        query, choices = _text(row, "query", self.query), _options(row, "choices", self.choices)
        for number, choice in enumerate(choices):
            if not choice.strip():
                raise ValueError(f"choice {number} is empty; there is nothing to be likely or not")
        return Item((query,) * len(choices), choices, _gold(row, self.gold, len(choices)))


class ContextsTarget(_Answered):
    """Several contexts, of which `gold` is the one that the `continuation` fits (Winograd, WinoGrande).

    Only the continuation is scored, after each of them (Trinh and Le 2018, arXiv:1806.02847, partial evaluation).
    """

    kind: Literal["contexts"]
    contexts: str = "context_options"
    continuation: str = "continuation"
    gold: str = "gold"
    measure: Measure = "answer"

    def item(self, row: Row) -> Item:
        """Raises `ValueError` for a row that lacks a field, and for fewer than two contexts."""
        contexts = _options(row, "contexts", self.contexts)
        answer = _answer(row, "continuation", self.continuation)
        return Item(contexts, (answer,) * len(contexts), _gold(row, self.gold, len(contexts)))


AnsweredTarget = ContinuationTarget | ChoicesTarget | ContextsTarget
Target = Annotated[TextTarget | AnsweredTarget, Field(discriminator="kind")]


def read_texts(file: str, text_field: str) -> Iterator[str]:
    """The texts that are not empty. Raises `ValueError` for a line without a text, and for a file without one."""
    texts = 0
    for found in read_jsonl(file, text_field):
        if isinstance(found, Unreadable):
            raise ValueError(f"{file}, byte {found.offset:,}: {found.cause}; repair or remove it")
        if isinstance(found, Page):
            texts += 1
            yield found.body
    if not texts:
        raise ValueError(f'{file}: no line has a text in "{text_field}"; name another field or leave the file out')


def read_items(file: str, target: AnsweredTarget) -> Iterator[Item]:
    """The items of a file, one a line. Raises `ValueError` with the line of what is none, and for a file without."""
    items = 0
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("not a JSON object")
            yield target.item(row)
        # Bytes that are no UTF-8 and text that is no JSON raise ValueError too; thousands of brackets RecursionError.
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file}, line {number}: {error}") from error
        items += 1
    if not items:
        raise ValueError(f"{file} has no items; give one JSON object a line, or leave the file out")


def _lines(file: str) -> Iterator[bytes]:
    with fsspec.open(file, "rb", compression="infer") as stream:
        lines = iter(stream)
        while True:
            try:
                line = next(lines, None)
            # gzip raises EOFError and zlib.error (no OSError) on damage, other codecs OSError and ValueError.
            except Exception as error:
                raise ValueError(f"{file}: the compressed data is damaged: {error}; get it anew") from error
            if line is None:
                return
            yield line


def _text(row: Row, key: str, field: str) -> str:
    if not isinstance(row.get(field), str):
        raise ValueError(f'no text in "{field}" (fields here: {", ".join(row)}); name its field with {key}')
    return _utf8(row[field])


def _answer(row: Row, key: str, field: str) -> str:
    if not (text := _text(row, key, field)).strip():
        raise ValueError(f'"{field}" is empty; there is nothing to be likely or not')
    return text


def _options(row: Row, key: str, field: str) -> tuple[str, ...]:
    """At least two texts."""
    options = row.get(field)
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise ValueError(f'no list of texts in "{field}" (fields here: {", ".join(row)}); name its field with {key}')
    if len(options) < 2:
        raise ValueError(f'"{field}" has {len(options)} of at least 2 to choose from')
    return tuple(map(_utf8, options))


def _gold(row: Row, field: str, count: int) -> int:
    gold = row.get(field)
    # True is an int to Python, and no number to who wrote it.
    if type(gold) is not int or not 0 <= gold < count:
        raise ValueError(f'"{field}" is {gold!r}; it is to be the number of the right one, 0 to {count - 1}')
    return gold


def _utf8(text: str) -> str:
    """A JSON escape can write half of a surrogate pair, which is no text."""
    return text.encode("utf-8", "replace").decode("utf-8")
