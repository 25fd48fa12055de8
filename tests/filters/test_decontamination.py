"""Eval items planted in pages, found and named; and what is cut out of the text, and what stays."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.hashing import keyed
from filters import rules
from filters.family import Columns
from kernels.texts import Texts
from sources.extract import extract
from sources.pages import Page
from sources.warc import read_warc
from tests.conftest import prose
from tests.kernels import twins

QUESTION = "A baker in the old town sells ninety loaves of rye bread every single morning, how many in May?"
ANSWER = "In the thirty-one days of May the baker sells 31 times 90 loaves, which is 2790 loaves of bread."


def write(path: Path, *items: object) -> str:
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return str(path)


@pytest.fixture
def bakery(tmp_path: Path) -> str:
    return write(tmp_path / "bakery.jsonl", {"question": QUESTION, "answer": ANSWER, "level": 3})


def measured(texts: Sequence[str], against: object, **parameters: object) -> tuple[Columns, list[str], list[Any]]:
    """The signals, the texts that are left, and the reasons (None for what passes)."""
    families = rules.resolve([{"decontamination": {"against": against, **parameters}}])
    signals, left = rules.measure(Texts.of(texts), families)
    verdicts = rules.judge(families, signals, len(texts))
    columns = {name.removeprefix("decontamination_"): column for name, column in signals.items()}
    return columns, left.to_list(), rules.reasons(families, verdicts, signals).to_pylist()


def test_the_benchmark_and_the_span_are_named(bakery: str) -> None:
    page, other = prose(2)
    shouted = re.sub(r"\W+", " - ", QUESTION.upper())
    texts = [page, f"{page} {QUESTION} {other}", f"{page}\n{shouted}\n{other}", ""]
    signals, left, reasons = measured(texts, bakery)
    assert reasons == [None, "contaminated.bakery", "contaminated.bakery", None]
    assert signals["shared"].tolist() == [0, 7, 7, 0]
    assert signals["items"].tolist() == [0, 1, 1, 0]
    assert signals["benchmark"].tolist() == ["", "bakery", "bakery", ""]
    assert signals["span"].tolist() == ["", QUESTION, shouted.rstrip(" -"), ""]
    assert left == texts


def test_an_answer_after_its_question_is_found_across_the_two(bakery: str) -> None:
    question, answer = QUESTION.split()[-8:], ANSWER.split()[:7]
    signals, _, _ = measured([" ".join(question + answer), " ".join(answer + question)], bakery)
    assert signals["shared"].tolist() == [3, 0]
    assert signals["span"][0] == " ".join(question + answer)


def test_twelve_words_are_not_thirteen(bakery: str) -> None:
    words = QUESTION.split()
    texts = [" ".join(words[:12]), " ".join(words[:13]), " ".join([*words[:12], "weekday", *words[13:]])]
    assert measured(texts, bakery)[0]["shared"].tolist() == [0, 1, 0]
    assert measured(texts, bakery, ngram=6, shortest=6)[0]["shared"].tolist() == [7, 8, 8]


def test_short_items_are_found_whole(tmp_path: Path) -> None:
    short = {"query": "Question: Which of the planets has the largest moon?", "choices": ["Mars", "Jupiter"]}
    shortest = {"query": "Question: Who sang?", "choices": ["a man", "seven little birds in a tree"]}
    file = write(tmp_path / "short.jsonl", short, shortest, {"query": "Why not?", "choices": ["no"]})
    texts = [
        "They asked which of the planets has the largest moon, and left.",
        "Which of the planets has the largest moons?",
        "Who sang? Seven little birds in a tree.",
        "Why not? No.",
    ]
    assert measured(texts, file)[2] == ["contaminated.short", None, "contaminated.short", None]
    assert measured(texts, file, shortest=13)[2] == [None] * 4


def test_counting_is_no_evidence(tmp_path: Path) -> None:
    numbers = " ".join(map(str, range(2, 40)))
    file = write(tmp_path / "code.jsonl", {"prompt": f"This list of numbers is to be sorted in order: {numbers}"})
    texts = [numbers, f"This list of numbers is to be sorted in order: {numbers}"]
    signals, _, reasons = measured(texts, file)
    assert reasons == [None, "contaminated.code"]
    # Of 13 words at least 7 with letters.
    assert signals["shared"][1] == 4


def test_a_character_of_a_script_without_spaces_is_half_a_word(tmp_path: Path) -> None:
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 26)))
    file = write(tmp_path / "han.jsonl", {"question": f"{characters}？"})
    texts = [f"丠{characters[:13]}，{characters[13:]}。丠", characters[:25], characters[1:]]
    assert measured(texts, file)[0]["shared"].tolist() == [1, 0, 0]


def test_only_named_fields_are_looked_at(bakery: str) -> None:
    texts = [QUESTION, ANSWER, f"{QUESTION} {ANSWER}"]
    assert measured(texts, bakery, fields="answer")[0]["shared"].tolist() == [0, 7, 7]
    assert measured(texts, bakery, fields=["answer", "question"])[0]["shared"].tolist() == [7, 7, 26]


def test_the_longest_run_of_words_gives_the_benchmark(tmp_path: Path, bakery: str) -> None:
    longer = " ".join(prose(1)[0].split()[:40])
    file = write(tmp_path / "longer.jsonl", {"text": [{"deep": longer}]})
    signals, _, _ = measured([f"{QUESTION} However. {longer}", f"{longer} And {QUESTION}"], [bakery, file])
    assert signals["benchmark"].tolist() == ["longer", "longer"]
    assert signals["items"].tolist() == [2, 2]
    assert [len(span) for span in signals["span"]] == [200, 200]
    assert longer.startswith(signals["span"][0])


def test_a_changed_file_is_read_again(bakery: str) -> None:
    assert measured([QUESTION], bakery)[2] == ["contaminated.bakery"]
    write(Path(bakery), {"question": "An entirely different thing that is asked here, of at least thirteen words."})
    assert measured([QUESTION], bakery)[2] == [None]


def test_cutting_takes_the_span_and_a_margin_and_leaves_the_rest(bakery: str) -> None:
    before, after = (" ".join(text.split()) for text in prose(2))
    text = f"{before} {QUESTION} {after}"
    signals, [left], [reason] = measured([text], bakery, action="cut")
    assert reason is None
    assert {name: column[0] for name, column in signals.items() if name != "span"} == {
        "shared": 0,
        "items": 1,
        "cuts": 1,
        "benchmark": "bakery",
    }
    first, last = left.split("\n\n")
    assert before.startswith(first + " ")
    assert after.endswith(" " + last)
    # Less than one word more than the margin.
    for whole, part in ((before, first), (after, last)):
        assert 200 <= len(whole) - len(part) < 200 + max(map(len, whole.split()))
    signals, [left], _ = measured([text], bakery, action="cut", margin=0)
    assert left == f"{before}\n\n{after}"


def test_of_what_nothing_would_be_left_nothing_is_cut(bakery: str) -> None:
    text = f"So: {QUESTION} Yes."
    signals, left, reasons = measured([text], bakery, action="cut")
    assert (left, reasons) == ([text], ["contaminated.bakery"])
    assert (signals["shared"].tolist(), signals["cuts"].tolist()) == ([7], [0])


def test_what_is_cut_too_often_drops(bakery: str) -> None:
    pieces = prose(12)
    texts = [f" {QUESTION} ".join(pieces[:n]) for n in (11, 12)]
    signals, _, reasons = measured(texts, bakery, action="cut")
    assert signals["cuts"].tolist() == [10, 11]
    assert reasons == [None, "contaminated_throughout.bakery"]


def test_cuts_that_touch_are_one(bakery: str) -> None:
    first, middle, last = prose(3)
    close = f"{first} {QUESTION} {middle[:350]} {QUESTION} {last}"
    signals, [left], _ = measured([close], bakery, action="cut")
    assert signals["cuts"].tolist() == [1]
    assert len(left.split("\n\n")) >= 2
    assert middle[150:200] not in left


def test_a_batch_may_be_empty_or_a_part_of_a_larger_one(bakery: str) -> None:
    before, after = prose(2)
    texts = pa.array([after, f"{before} {QUESTION} {after}", ""], pa.large_string())
    [family] = rules.resolve([{"decontamination": {"against": bakery, "action": "cut"}}])
    whole, whole_left = family.measure(Texts.of(texts), **family.parameters)
    part, part_left = family.measure(Texts.of(texts[1:]), **family.parameters)
    assert {name: column[1:].tolist() for name, column in whole.items()} == {
        name: column.tolist() for name, column in part.items()
    }
    assert part_left.to_list() == whole_left.to_list()[1:]
    none, none_left = family.measure(Texts.of([]), **family.parameters)
    assert (len(none["shared"]), len(none_left)) == (0, 0)


@given(
    st.lists(st.sampled_from([QUESTION, "漢字", "the end.", "é", "\n", " ", "x" * 30, ANSWER[:40]]), max_size=12),
    st.sampled_from([0, 3, 40]),
)
def test_cutting_leaves_pieces_of_the_text_in_order(tmp_path_factory: Any, parts: list[str], margin: int) -> None:
    folder = tmp_path_factory.getbasetemp() / "cutting"
    folder.mkdir(exist_ok=True)
    file = folder / "bakery.jsonl"
    if not file.exists():
        write(file, {"question": QUESTION})
    text = " ".join(parts)
    signals, [left], _ = measured(
        [text],
        str(file),
        action="cut",
        margin=margin,
    )
    assert (signals["span"][0] == "") == (QUESTION not in text)
    if not signals["cuts"][0]:
        assert left == text
        return
    place = 0
    for piece in left.split("\n\n"):
        place = text.index(piece, place) + len(piece)
    assert QUESTION not in left


@pytest.mark.parametrize(
    ("content", "parameters", "message"),
    [
        ("not json\n", {}, "{file}, line 1: b'not json\\n' is no JSON (Expecting value"),
        ('{"a": "b"}\n[1]\n', {}, "{file}, line 2: b'[1]\\n' is no JSON object; an eval set has one JSON object"),
        ('{"a": 3, "b": []}\n', {}, "{file}: no text in any field; its items have the fields 'a', 'b'"),
        ('{"a": "x", "b": "y"}\n', {"fields": "c"}, "{file}: no text in 'c'; its items have the fields 'a', 'b'"),
        ("\n", {}, "{file}: no text in any field; it has no items"),
        ('{"a": "b"}\n', {"action": "mark"}, "no action 'mark'; there are drop and cut"),
        ('{"a": "b"}\n', {"ngram": 4}, "ngram 4 is too short: 5 words is the least"),
        ('{"a": "b"}\n', {"shortest": 14}, "shortest 14 is not from 5 to ngram, 13"),
        ('{"a": "b"}\n', {"margin": -1}, "margin -1 is less than 0"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, content: str, parameters: dict[str, object], message: str) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text(content)
    with pytest.raises(ValueError, match=re.escape(message.format(file=file))):
        rules.resolve([{"decontamination": {"against": str(file), **parameters}}])


def test_without_eval_sets_there_is_nothing_to_do() -> None:
    with pytest.raises(ValueError, match="against: no eval sets; name their files"):
        rules.resolve(["decontamination"])


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"a": "b"}\n' * 10_000)[:-20])
    with pytest.raises(ValueError, match=re.escape(f"{file}, line ") + r"\d+: the file is damaged: "):
        rules.resolve([{"decontamination": {"against": str(file)}}])


# Real pages and eval sets.
PAGES = "pages/pages-dev-00003.warc.gz"
PER_SET = 4
KINDS = ("whole", "reworded", "first half", "second half")


def pages_of(path: Path, most: int) -> list[str]:
    pages = (page for page in read_warc(str(path)) if isinstance(page, Page) and page.mime == "text/html")
    texts = (extract(page.body, "resiliparse") for page in islice(pages, most))
    return [text for text in texts if text.strip()]


def rendered(item: dict[str, Any]) -> str:
    """The item as a page would show it: what is asked, then what is right."""
    asked = next(item[name] for name in ("question", "query", "context", "prompt", "context_options") if name in item)
    right = [item[name] for name in ("choices", "continuation", "answer", "canonical_solution") if name in item]
    parts = [asked[item["gold"]] if isinstance(asked, list) else asked]
    parts += [part[item["gold"]] if isinstance(part, list) else part for part in right]
    return " ".join(re.sub(r"\A\w+:\s|\w+:\s*\Z", "", part) for part in parts)


def variant(text: str, kind: str) -> str:
    words = text.split()
    middle = len(words) // 2
    match kind:
        case "reworded":
            words[middle] = "notwithstanding"
        case "first half":
            words = words[:middle]
        case "second half":
            words = words[middle:]
    return " ".join(words)


def chosen(file: Path, count: int) -> list[dict[str, Any]]:
    """`count` items of a set, by hashes of their numbers."""
    items = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    order = np.argsort(keyed(np.arange(len(items), dtype=np.uint64), "decontamination", file.name))
    return [items[number] for number in order[:count]]


def planted(pages: Sequence[str], files: Sequence[Path], count: int) -> list[tuple[str, str, str, str]]:
    """Set, kind, what is planted and the page with it, between two lines of the page."""
    found = []
    for file in files:
        for number, item in enumerate(chosen(file, count)):
            page = pages[int(keyed(np.array([number], np.uint64), file.name)[0]) % len(pages)].split("\n")
            for kind in KINDS:
                text = variant(rendered(item), kind)
                middle = len(page) // 2
                found.append((file.name.split(".")[0], kind, text, "\n".join([*page[:middle], text, *page[middle:]])))
    return found


def words_of(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(twins.normal, twins.words(text))))


def thirteens(text: str) -> list[tuple[str, ...]]:
    words = words_of(text)
    return [words[i : i + 13] for i in range(len(words) - 12)]


@pytest.fixture(scope="module")
def real_pages(shared_data: Path) -> list[str]:
    return pages_of(shared_data / PAGES, 150)


def test_planted_items_are_found_and_named_in_real_pages(shared_data: Path, real_pages: list[str]) -> None:
    files = sorted((shared_data / "evals").glob("*.jsonl.gz"))
    plants = planted(real_pages, files, PER_SET)
    _, _, reasons = measured([page for *_, page in plants], [str(file) for file in files])
    missed, of = Counter(), Counter()
    for (name, kind, text, _), reason in zip(plants, reasons, strict=True):
        size = len(words_of(text))
        if (kind == "whole" and size >= 8) or ("half" in kind and size >= 13):
            of[kind] += 1
            missed[kind] += reason != f"contaminated.{name}"
    assert not +missed
    assert of["whole"] > 50
    assert of["first half"] > 25


def test_what_is_counted_is_what_a_set_of_tuples_counts(shared_data: Path, real_pages: list[str]) -> None:
    file = shared_data / "evals/gsm8k_test.jsonl.gz"
    questions = [json.loads(line)["question"] for line in gzip.decompress(file.read_bytes()).splitlines()]
    grams = {
        gram
        for question in questions
        for gram in thirteens(question)
        if sum(any(map(str.isalpha, word)) for word in gram) >= 7
    }
    texts = [*real_pages, *(page for *_, page in planted(real_pages, [file], 15))]
    signals, _, _ = measured(texts, str(file), fields="question", shortest=13)
    assert signals["shared"].tolist() == [sum(gram in grams for gram in thirteens(text)) for text in texts]
    # No clean page shares anything, and planted ones do.
    assert not signals["shared"][: len(real_pages)].any()
    assert signals["shared"].sum() > 500
