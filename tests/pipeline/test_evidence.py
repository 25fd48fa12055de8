"""The passage is of the text that the rule saw, also where a later family took it out."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from filters import rules
from kernels.texts import Texts
from pipeline import evidence
from sources.jsonl import read_jsonl

TEXT = "A first line of prose, with an end.\n# # # menu\nA last line of prose, with an end.\n"
SOURCE: dict[str, Any] = {"kind": "jsonl", "text_field": "text", "dedup": {"lines": None}}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "in.jsonl.gz"
    rows = [{"url": "one", "text": "Something else."}, {"url": "two", "text": TEXT}]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return str(path)


def row(file: str, spec: list[Any]) -> dict[str, Any]:
    """As the read step would have it."""
    page = list(read_jsonl(file, "text"))[1]
    signals, texts = rules.measure(Texts.of([TEXT], ["en"], ["two"]), rules.resolve(spec))
    known = {"url": "two", "language": "en", "language_score": 0.98, "offset": page.offset, "text": texts.to_list()[0]}
    return {**known, **{name: values[0] for name, values in signals.items()}}


def marked(shown: evidence.Shown) -> list[str]:
    return [shown.text[start:end] for start, end in shown.marks]


def test_what_c4_took_out_is_found_in_the_input(file: str) -> None:
    spec = ["gopher_quality", "c4"]
    document = row(file, spec)
    assert "#" not in document["text"]
    shown = evidence.explain(SOURCE, rules.resolve(spec), file, document, "gopher_too_many_hashes")
    assert marked(shown) == ["#", "#", "#"]
    assert evidence.GONE not in shown.note


def test_where_the_input_is_gone_that_is_said(file: str) -> None:
    spec = ["gopher_quality", "c4"]
    document = row(file, spec)
    Path(file).unlink()
    shown = evidence.explain(SOURCE, rules.resolve(spec), file, document, "gopher_too_many_hashes")
    assert (marked(shown), shown.text) == ([], document["text"])
    assert shown.note.endswith(evidence.GONE)


def test_where_repeated_lines_went_first_the_input_is_not_what_the_rule_saw(file: str) -> None:
    spec = ["gopher_quality", "c4"]
    document = {**row(file, spec), "text": "A last line of prose, with an end."}
    source = {**SOURCE, "dedup": {"lines": {"unit": "line", "first": True}}}
    shown = evidence.explain(source, rules.resolve(spec), file, document, "gopher_too_few_words")
    assert (shown.text, shown.note) == (document["text"], f"8 words; {evidence.LINES_FIRST}")


def test_a_family_behind_one_that_rewrites_has_what_that_left(file: str) -> None:
    spec = ["c4", "gopher_quality"]
    document = row(file, spec)
    Path(file).unlink()
    shown = evidence.explain(SOURCE, rules.resolve(spec), file, document, "gopher_too_few_words")
    assert shown.text == document["text"]
    assert shown.note.startswith("16 words"), "the input is not asked for"


def test_reasons_that_are_no_rules_have_their_number(file: str) -> None:
    document = {**row(file, []), "reference_score": 0.125, "perplexity": None}
    notes = {
        reason: evidence.explain(SOURCE, (), file, document, reason).note
        for reason in ("language_uncertain", "reference_low_score", "perplexity_too_high", "http_status")
    }
    assert notes == {
        "language_uncertain": "language en, probability 0.98",
        "reference_low_score": "reference score 0.125",
        "perplexity_too_high": "",
        "http_status": "",
    }


def test_a_page_that_was_not_extracted_is_for_this(file: str) -> None:
    document = {**row(file, []), "text": ""}
    assert evidence.explain(SOURCE, (), file, document, "html_language_not_wanted").text == TEXT.rstrip("\n") + "\n"
