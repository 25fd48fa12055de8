"""Queries and answers as ids, against the evaluation harness's way and the tokenizer's own text."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from corpus import shards
from kernels.texts import Texts
from mixtures import json_tokenizer, options
from mixtures.json_tokenizer import JsonTokenizer
from mixtures.options import Options, encode, seam, wilson
from mixtures.targets import ChoicesTarget, Item
from tests.conftest import prose

EOS = "<|endoftext|>"


@pytest.fixture(scope="module")
def loaded() -> JsonTokenizer:
    trained = json_tokenizer.train(iter(prose(20)), 700, EOS)
    return JsonTokenizer(trained.to_str().encode(), "own", EOS)


def target(between: str = " ") -> ChoicesTarget:
    return ChoicesTarget(kind="choices", paths=["x"], between=between)


def encoded(loaded: JsonTokenizer, folder: Path, items: list[Item], between: str = " ") -> tuple[Options, int]:
    table, apart = encode(loaded, items, target(between))
    shards.write(str(folder / f"set{options.ENDING}"), table)
    return Options.load(str(folder), "set"), apart


def parts(found: Options) -> list[tuple[list[int], list[int]]]:
    rows = [found.ids[a:b].tolist() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]
    return [(row[: len(row) - n], row[len(row) - n :]) for row, n in zip(rows, found.answer.tolist(), strict=True)]


def ids(loaded: JsonTokenizer, text: str) -> list[int]:
    found: list[int] = loaded.encode_by_reference([text])[0].tolist()
    return found


@pytest.mark.parametrize(
    ("query", "answer", "between", "split"),
    [
        ("Why?", "So.", " ", ("Why?", " So.")),
        ("Why?\n", "  So. ", " ", ("Why?", " So. ")),
        ("Why?\n", "So.", "\nAnswer: ", ("Why?\nAnswer:", " So.")),
        ("Why?", "So.", "", ("Why?", "So.")),
        ("", "So.", " ", ("", "So.")),
        (" ", "So.", "\nAnswer: ", ("", "So.")),
    ],
)
def test_white_space_between_goes_with_the_answer(
    query: str, answer: str, between: str, split: tuple[str, str]
) -> None:
    assert seam(query, answer, between) == split


def test_items_become_rows(loaded: JsonTokenizer, tmp_path: Path) -> None:
    items = [Item(("Is it?", "Is it?"), ("yes", "né"), 1), Item(("A", "B", "C"), ("z",) * 3, 0)]
    found, apart = encoded(loaded, tmp_path, items)
    assert apart == 0
    assert found.measure == "answer"
    assert found.items == 2
    assert found.item.tolist() == [0, 0, 1, 1, 1]
    assert found.gold.tolist() == [False, True, True, False, False]
    assert found.text_bytes.tolist() == [3, 3, 1, 1, 1]
    texts = [("Is it?", " yes"), ("Is it?", " né"), ("A", " z"), ("B", " z"), ("C", " z")]
    assert parts(found) == [(ids(loaded, query), ids(loaded, rest)) for query, rest in texts]


def test_a_token_across_the_seam_has_both_encoded_apart(loaded: JsonTokenizer, tmp_path: Path) -> None:
    assert len(ids(loaded, " the")) == 1
    found, apart = encoded(loaded, tmp_path, [Item(("a t", "a"), ("he", "."), 0)], between="")
    assert parts(found) == [(ids(loaded, "a t"), ids(loaded, "he")), (ids(loaded, "a"), ids(loaded, "."))]
    assert apart == 1


WORDS = st.text(st.sampled_from("the an is of.\n é1"), min_size=1, max_size=12)


@given(st.lists(st.tuples(WORDS, WORDS.filter(str.strip)), min_size=1, max_size=4), st.sampled_from(["", " ", ": "]))
def test_query_and_answer_spell_the_whole_text(
    loaded: JsonTokenizer, pairs: list[tuple[str, str]], between: str
) -> None:
    table, apart = encode(loaded, [Item((query,), (answer,), 0) for query, answer in pairs], target(between))
    count = 0
    for (query, answer), row, length in zip(pairs, table["ids"].to_pylist(), table["answer"].to_pylist(), strict=True):
        before, rest = seam(query, answer, between)
        assert loaded.decode(row[len(row) - length :]) == rest
        assert loaded.decode(row) == before + rest
        # As the harness splits them, where it can.
        whole = ids(loaded, before + rest)
        if whole[: len(ids(loaded, before))] == ids(loaded, before):
            assert row == whole
        else:
            count += 1
            assert row == ids(loaded, before) + ids(loaded, rest)
    assert apart == count


def test_the_first_items_are_what_a_limit_leaves(loaded: JsonTokenizer, tmp_path: Path) -> None:
    items = [Item(("one", "one"), ("two", "three"), 0), Item(("four",), ("five",), 0), Item(("six",), ("six",), 0)]
    found, _ = encoded(loaded, tmp_path, items)
    ends = found.offsets[[2, 3, 4]].tolist()
    for most, count in [(1, 1), (ends[0], 1), (ends[1] - 1, 1), (ends[1], 2), (ends[2], 3), (10**6, 3)]:
        part = found.first(most)
        assert part.items == count
        assert len(part.ids) == ends[count - 1] == part.offsets[-1]
        assert parts(part) == parts(found)[: len(part.item)]
        assert len(part.gold) == len(part.answer) == len(part.text_bytes) == len(part.item)


def test_equal_items_are_equal_bytes(loaded: JsonTokenizer, tmp_path: Path) -> None:
    for name in "ab":
        table, _ = encode(loaded, [Item(("one", "two"), ("three", "four"), 1)] * 50, target())
        shards.write(str(tmp_path / name), table)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_set_that_is_not_there_names_those_that_are(loaded: JsonTokenizer, tmp_path: Path) -> None:
    encoded(loaded, tmp_path, [Item(("a",), ("b",), 0)])
    with pytest.raises(ValueError, match=r"other.options.parquet is missing; .* has the options of: set"):
        Options.load(str(tmp_path), "other")


def test_an_answer_without_ids_is_refused(loaded: JsonTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a SentencePiece model makes of characters that its normaliser takes out."""

    def nothing(self: JsonTokenizer, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        return np.empty(0, np.uint32), np.zeros(len(texts) + 1, np.int64)

    monkeypatch.setattr(JsonTokenizer, "encode_batch", nothing)
    monkeypatch.setattr(options.tokenizer, "check", lambda loaded, texts: None)
    with pytest.raises(ValueError, match="the tokenizer makes no id of the answer ' b'"):
        encode(loaded, [Item(("a",), ("b",), 0)], target())


@pytest.mark.parametrize(("right", "items"), [(0, 1), (1, 1), (3, 10), (299, 1127), (500, 500)])
def test_the_interval_is_wilsons(right: int, items: int) -> None:
    theirs = stats.binomtest(right, items).proportion_ci(0.95, "wilson")
    assert wilson(right, items) == pytest.approx((theirs.low, theirs.high), abs=1e-6)
