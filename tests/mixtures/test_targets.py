"""Texts and items out of JSON lines, and what a line that is none says."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from mixtures.targets import AnsweredTarget, Item, Target, read_items, read_texts


def target(**keys: Any) -> Any:
    adapter: TypeAdapter[Target] = TypeAdapter(Target)
    return adapter.validate_python({"paths": "x", **keys})


CHOICES = target(kind="choices")
CONTEXTS = target(kind="contexts")
CONTINUATION = target(kind="continuation")
GOOD = {"query": "Q", "choices": ["a", "b"], "gold": 1}


def lines(path: Path, *rows: Any, compress: Callable[[bytes], bytes] = bytes) -> str:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(compress(text.encode()))
    return str(path)


@pytest.mark.parametrize(
    ("kind", "row", "item"),
    [
        (CHOICES, GOOD, Item(("Q", "Q"), ("a", "b"), 1)),
        (CONTEXTS, {"context_options": ["x", "y"], "continuation": "z", "gold": 0}, Item(("x", "y"), ("z", "z"), 0)),
        (CONTINUATION, {"context": "x", "continuation": "z", "category": "c"}, Item(("x",), ("z",), 0)),
        (target(kind="choices", query="q", choices="c", gold="g"), {"q": "", "c": ["", "b"][1:] * 2, "g": 0}, None),
    ],
)
def test_every_shape_is_an_item(kind: AnsweredTarget, row: dict[str, Any], item: Item | None, tmp_path: Path) -> None:
    assert list(read_items(lines(tmp_path / "a.jsonl", row), kind)) == [item or Item(("", ""), ("b", "b"), 0)]


@pytest.mark.parametrize(
    ("kind", "row", "message"),
    [
        (CHOICES, "{", "Expecting property name"),
        (CHOICES, [1], "not a JSON object"),
        (CHOICES, "[" * 100_000, "recursion"),
        (CHOICES, {**GOOD, "query": 3}, r'no text in "query" \(fields here: query, choices, gold\)'),
        (CHOICES, {**GOOD, "choices": "ab"}, 'no list of texts in "choices".* name its field with choices'),
        (CHOICES, {**GOOD, "choices": ["a"]}, '"choices" has 1 of at least 2'),
        (CHOICES, {**GOOD, "choices": ["a", " \n"]}, "choice 1 is empty"),
        (CHOICES, {**GOOD, "gold": 2}, '"gold" is 2; it is to be the number of the right one, 0 to 1'),
        (CHOICES, {**GOOD, "gold": -1}, '"gold" is -1'),
        (CHOICES, {**GOOD, "gold": "1"}, "\"gold\" is '1'"),
        (CHOICES, {**GOOD, "gold": True}, '"gold" is True'),
        (CONTEXTS, {"context_options": ["x"], "continuation": "z", "gold": 0}, "1 of at least 2"),
        (CONTEXTS, {"context_options": ["x", "y"], "continuation": " ", "gold": 0}, '"continuation" is empty'),
        (CONTINUATION, {"context": "x"}, 'no text in "continuation"'),
        (CONTINUATION, {"context": "x", "continuation": ""}, '"continuation" is empty'),
    ],
)
def test_a_line_that_is_no_item_is_named(kind: AnsweredTarget, row: Any, message: str, tmp_path: Path) -> None:
    good = {**GOOD, "context_options": ["x", "y"], "context": "x", "continuation": "z"}
    path = lines(tmp_path / "a.jsonl", good, "", row)
    with pytest.raises(ValueError, match=rf"^{path}, line 3: .*{message}"):
        list(read_items(path, kind))


def test_half_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", r'{"context": "x\ud800", "continuation": "z\udfff"}')
    assert list(read_items(path, CONTINUATION)) == [Item(("x?",), ("z?",), 0)]


@pytest.mark.parametrize(("ending", "compress"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_compression_goes_by_the_ending_and_damage_is_named(
    ending: str, compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = lines(tmp_path / f"a.jsonl.{ending}", *[GOOD] * 3, compress=compress)
    assert len(list(read_items(path, CHOICES))) == 3
    Path(path).write_bytes(Path(path).read_bytes()[:-9])
    with pytest.raises(ValueError, match=f"^{path}: the compressed data is damaged"):
        list(read_items(path, CHOICES))


def test_texts_are_those_that_are_not_empty(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"body": " one "}, {"body": " "}, {"body": "two"})
    assert list(read_texts(path, "body")) == [" one ", "two"]
    with pytest.raises(ValueError, match=rf'^{path}, byte 0: no "text" with a text on this line'):
        list(read_texts(path, "text"))


def test_a_file_without_anything_is_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"text": ""}, {"text": "\n"})
    with pytest.raises(ValueError, match=rf'^{path}: no line has a text in "text"'):
        list(read_texts(path, "text"))
    with pytest.raises(ValueError, match=rf"^{path} has no items"):
        list(read_items(lines(tmp_path / "a.jsonl", ""), CHOICES))


def test_what_a_kind_does_not_have_is_no_key_of_it() -> None:
    with pytest.raises(ValidationError, match='unknown key "measure"'):
        target(kind="continuation", measure="error")
    with pytest.raises(ValidationError, match="'text', 'continuation', 'choices', 'contexts'"):
        target(kind="cloze")
    assert CONTINUATION.measure == "answer"
