"""Eval sets as they are read: what they are called, what can be found of them, and whose a shared n-gram is."""

import bz2
import gzip
import json
from pathlib import Path

import pytest

from filters import eval_sets
from filters.eval_sets import EvalSet, EvalSets

LONG = "seven small ships sailed slowly south past nine tall towers before the sun had set".split()


def load(*files: Path, fields: tuple[str, ...] = (), ngram: int = 13, shortest: int = 8) -> EvalSets:
    names = tuple(map(str, files))
    return eval_sets.load(names, tuple(str(file.stat().st_mtime_ns) for file in files), fields, ngram, shortest)


def write(path: Path, *items: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    data = "\n\n".join(map(json.dumps, items)).encode()
    compressed = {".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)(data)
    path.write_bytes(compressed)
    return path


def test_what_can_be_found_is_counted(tmp_path: Path) -> None:
    items = [
        # 15 words: three n-grams.
        {"text": " ".join(LONG)},
        # Of 9 words, found whole.
        {"text": " ".join(LONG[:9])},
        # Of 6 and 7, in either order one n-gram.
        {"question": " ".join(LONG[:6]), "answer": " ".join(LONG[8:15])},
        # Of 3 and 4, nothing.
        {"question": " ".join(LONG[:3]), "answer": " ".join(LONG[3:7])},
        {"number": 7, "nothing": None},
    ]
    found = load(write(tmp_path / "ships.jsonl", *items))
    assert found.sets == (EvalSet("ships", items=5, whole=2, unfindable=2, grams=6),)


def test_a_shared_n_gram_is_the_first_sets(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl.gz", {"text": " ".join(LONG[:14])})
    other = write(tmp_path / "other.v2.json.bz2", {"deep": [{"er": " ".join(LONG)}]}, {"text": " ".join(LONG)})
    found = load(one, other)
    assert [(each.name, each.items, each.grams) for each in found.sets] == [("one", 1, 2), ("other.v2", 2, 1)]
    assert found.benchmark.tolist() == [0, 1, 1]
    assert [each.grams for each in load(other, one).sets] == [3, 0]


def test_strings_of_one_field_do_not_follow_each_other(tmp_path: Path) -> None:
    one, other = " ".join(LONG[:7]), " ".join(LONG[7:])
    assert load(write(tmp_path / "list.jsonl", {"choices": [one, other]})).sets[0].grams == 1
    # 15 words in either order, beside the second by itself.
    assert load(write(tmp_path / "fields.jsonl", {"choices": one, "more": other})).sets[0].grams == 7


def test_labels_are_no_part_of_a_question(tmp_path: Path) -> None:
    text = " ".join(LONG[:8])
    bare = load(write(tmp_path / "bare.jsonl", {"q": text}))
    for number, labelled in enumerate((f"Question: {text}", f"{text}\nAnswer:", f" Question:\n{text} Answer: ")):
        found = load(write(tmp_path / f"labelled{number}.jsonl", {"q": labelled}))
        assert found.index.hashes.tolist() == bare.index.hashes.tolist()


def test_fields_are_names_of_the_item(tmp_path: Path) -> None:
    file = write(tmp_path / "set.jsonl", {"q": " ".join(LONG), "id": "x", "a": {"text": " ".join(LONG[::-1])}})
    assert load(file, fields=("q",)).sets[0].grams == 3
    assert load(file, fields=("a", "none")).sets[0].grams == 3


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/gsm8k_test.jsonl.gz", "s3://b/mmlu-5.1.ndjson"], ["gsm8k_test", "mmlu-5.1"]),
        (["gsm8k/test.jsonl", "mmlu/test.jsonl.zst", "mmlu/dev.jsonl"], ["gsm8k_test", "mmlu_test", "dev"]),
        (["test.jsonl", "mmlu/test.jsonl"], ["test", "mmlu_test"]),
    ],
)
def test_names(files: list[str], names: list[str]) -> None:
    assert eval_sets.names(files) == names


def test_two_sets_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a/mmlu/test\.jsonl: another eval set is called 'mmlu_test'"):
        eval_sets.names(["a/mmlu/test.jsonl", "b/mmlu/test.jsonl"])


def test_half_of_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text('{"q": "\\ud800 ' + " ".join(LONG) + '"}')
    assert load(file).sets[0].grams == 3


def test_more_brackets_than_python_reads(tmp_path: Path) -> None:
    deep = tmp_path / "deep.jsonl"
    deep.write_text(f'{{"a": {"[" * 100_000}{"]" * 100_000}}}')
    with pytest.raises(ValueError, match=r"deep.jsonl, line 1: .* is no JSON .*recursion"):
        load(deep)
