import gzip
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dedup import buckets
from dedup.lines import Keep, Repeated, answers, tally
from kernels.lines import Unit, find_units
from kernels.signatures import unit_hashes
from kernels.texts import Texts
from tests.kernels import twins

MEGA = 1_000_000
# Texts, which of them lost anything, and how many units went.
Found = tuple[list[str], list[bool], int]

every_unit = pytest.mark.parametrize("unit", get_args(Unit))
every_keep = pytest.mark.parametrize("keep", get_args(Keep))


def cut(items: Sequence[str], places: Sequence[int]) -> list[Sequence[str]]:
    """`items` in runs, one more than there are places, some of them empty."""
    bounds = [0, *sorted(min(place, len(items)) for place in places), len(items)]
    return [items[start:end] for start, end in itertools.pairwise(bounds)]


def hashes_of(documents: Sequence[str], unit: Unit) -> np.ndarray:
    texts = Texts.of(documents)
    return unit_hashes(texts, find_units(texts.lines, unit))


def tallied(chunk: Sequence[str], unit: Unit) -> np.ndarray:
    return tally(hashes_of(chunk, unit))


def split(rows: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
    return np.split(rows, np.cumsum(counts)[:-1])


def crawled(
    documents: Sequence[str], unit: Unit, keep: Keep, chunks: Sequence[int] = (), batches: Sequence[int] = ()
) -> Found:
    """The documents less what is repeated, by way of chunks, of which each is cut into batches."""
    parts = cut(documents, chunks)
    tallies = [tallied(part, unit) for part in parts]
    found = answers(np.concatenate(tallies), np.array([len(rows) for rows in tallies]), keep)
    return taken_out(parts, split(*found), unit, batches)


def taken_out(parts: Sequence[Sequence[str]], rows: Sequence[np.ndarray], unit: Unit, batches: Sequence[int]) -> Found:
    texts, lost, units = [], [], 0
    for part, of_chunk in zip(parts, rows, strict=True):
        repeated = Repeated(of_chunk, unit)
        for batch in cut(part, batches):
            left = repeated.without(Texts.of(batch))
            left.texts.validate(full=True)
            texts += left.texts.to_pylist()
            lost += left.lost.tolist()
            units += left.units
    return texts, lost, units


def plainly(documents: Sequence[str], unit: Unit, keep: Keep) -> Found:
    """The same with strings in place of hashes and one dictionary for the whole crawl."""
    parts = [twins.lines(text) if unit == "line" else twins.paragraphs(text) for text in documents]
    keys = [[twins.compared_unit(part) for part in of_text] for of_text in parts]
    counts = Counter(key for of_text in keys for key in of_text)
    seen: set[str] = set()
    texts, lost, units = [], [], 0
    for text, of_text, its_keys in zip(documents, parts, keys, strict=True):
        left = []
        for part, key in zip(of_text, its_keys, strict=True):
            if not key or counts[key] == 1 or (keep == "first" and key not in seen):
                left.append(part)
            seen.add(key)
        units += len(of_text) - len(left)
        lost.append(len(left) < len(of_text))
        texts.append("\n".join(left).strip() if lost[-1] else text)
    return texts, lost, units


def test_case_digits_and_punctuation_do_not_make_a_line_new() -> None:
    text = "Posted on 3 May, 2019\nposted on 7 may 2021 \nPosted on 12 May 2019"
    one, two, three = hashes_of([text], "line").tolist()
    assert one == two != three, "12 has two digits, and a digit stays a digit"


def test_all_copies_of_a_repeated_line_go() -> None:
    documents = ["Home: About\nThe story of a bridge.", "The tale of a river.\nhome about"]
    wanted = (["The story of a bridge.", "The tale of a river."], [True, True], 2)
    assert crawled(documents, "line", "none") == wanted


@pytest.mark.parametrize(("unit", "second"), [("line", "two\n\n\nthree"), ("paragraph", "two\n\nthree")])
def test_the_first_copy_stays_where_that_is_wanted(unit: Unit, second: str) -> None:
    documents = ["one", "two\n\ntwo\n\nthree", "Three.\n\nfour\n\nTWO", "two"]
    for chunks in [], [1], [2], [1, 1, 2, 3]:
        found = crawled(documents, unit, "first", chunks)
        assert found == (["one", second, "four", ""], [False, True, True, True], 4)


@every_unit
@every_keep
def test_units_without_content_are_never_repeated(unit: Unit, keep: Keep) -> None:
    documents = ["---\n\nwords\n\n---\n\n***", "---", "", "\n\n", " \u2028\r\n"]
    assert crawled(documents, unit, keep) == (documents, [False] * 5, 0)


@every_unit
@every_keep
def test_texts_without_repeats_are_untouched(unit: Unit, keep: Keep) -> None:
    documents = ["  spaces before\nand after  ", "\n\nblank lines\r\n\r\n\r\naround\n\n", "\ufeff\x00"]
    assert crawled(documents, unit, keep) == (documents, [False] * 3, 0)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("one\n\nAD\nAD\n\ntwo", "one\n\ntwo"),
        ("one\n \t\n\n\nAD\r\nAD\r\n\r\n\n\ntwo", "one\n \t\n\n\ntwo"),
        ("\n\nAD AD\n\n\n  two\n\nthree\n\n", "two\n\nthree"),
        ("one\ntwo\n\n\nad: ad", "one\ntwo"),
        ("AD\u2028AD", ""),
        ("one\nAD\nAD\n", "one\nAD\nAD\n"),
    ],
)
def test_a_paragraph_goes_with_the_blank_lines_after_it(text: str, left: str) -> None:
    others = ["ad\nad", "ad ad\n", "ad\u2028ad", "AD\u2028AD\u2028"]
    assert crawled([*others, text], "paragraph", "none")[0] == ["", "", "", "", left]


@every_unit
def test_where_everything_is_repeated_nothing_is_left_but_first_copies(unit: Unit) -> None:
    once = [f"line {'x' * n}\n\nZeile {'ü' * n}" for n in range(1, 50)]
    documents = [*once, *reversed(once)]
    nothing = crawled(documents, unit, "none", [7, 49, 60], [2, 3])
    assert nothing == ([""] * 98, [True] * 98, 196)
    first = crawled(documents, unit, "first", [7, 49, 60], [2, 3])
    assert first == (once + [""] * 49, [False] * 49 + [True] * 49, 98)


PIECES = ["a", "B", "b", "c c", "c\tc", "d.", "7", "8", "!", "É", "é", "漢字", " ", "\u2028", "\r", "\x1f", "\u00a0"]
NEW_LINES = ["\n", "\n", "\n\n", "\n\n", "\r\n", "\r\n\r\n", "\n \n"]
texts_of_few_units = st.lists(st.sampled_from(PIECES + NEW_LINES), max_size=12).map("".join)
places = st.lists(st.integers(0, 8), max_size=4)


@every_unit
@every_keep
@given(documents=st.lists(texts_of_few_units, max_size=8), chunks=places, batches=places)
@example(documents=[], chunks=[], batches=[])
@example(documents=["a\na", "", "a"], chunks=[0, 0, 1], batches=[0])
def test_what_goes_is_what_a_dictionary_of_the_whole_crawl_says_however_it_is_cut(
    unit: Unit, keep: Keep, documents: list[str], chunks: list[int], batches: list[int]
) -> None:
    assert crawled(documents, unit, keep, chunks, batches) == plainly(documents, unit, keep)


@given(st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1)))
def test_a_tally_counts_every_hash_but_0(hashes: list[int]) -> None:
    rows = tally(np.array(hashes, np.uint64))
    assert (rows.dtype, rows.shape[1]) == (np.uint64, 2)
    counts = Counter(value for value in hashes if value)
    assert list(map(tuple, rows.tolist())) == sorted(counts.items())


@every_keep
@given(st.lists(st.dictionaries(st.integers(1, 6) | st.integers(1, 2**64 - 1), st.integers(1, 3)), max_size=6))
def test_answers_are_what_a_dictionary_says(keep: Keep, tallies: list[dict[int, int]]) -> None:
    total: Counter[int] = Counter()
    for counts in tallies:
        total.update(counts)
    wanted, seen = [], set()
    for counts in tallies:
        repeated = [key for key in sorted(counts) if total[key] > 1]
        wanted.append([[key, int(keep == "first" and key not in seen)] for key in repeated])
        seen |= counts.keys()
    rows = np.array([row for counts in tallies for row in sorted(counts.items())], np.uint64).reshape(-1, 2)
    found, sizes = answers(rows, np.array(list(map(len, tallies)), np.int64), keep)
    assert found.dtype == np.uint64
    assert sizes.tolist() == list(map(len, wanted))
    assert found.tolist() == [row for of_chunk in wanted for row in of_chunk]


@every_unit
def test_a_slice_of_an_array_is_its_own_texts(unit: Unit) -> None:
    array = pa.array(["before", "one\n\ntwo", "", "Three\n\none", "after"], pa.large_string()).slice(1, 3)
    rows, _ = answers(tallied(array.to_pylist(), unit), np.array([3]), "none")
    left = Repeated(rows, unit).without(Texts.of(array))
    assert left.texts.to_pylist() == ["two", "", "Three"]


@every_unit
def test_10_mb_of_one_repeated_line(unit: Unit) -> None:
    line = "spam\n\n" if unit == "paragraph" else "spam\n"
    text = line * (10 * MEGA // len(line))
    copies = 10 * MEGA // len(line)
    assert crawled([text], unit, "none") == ([""], [True], copies)
    assert crawled([text, "spam"], unit, "first") == (["spam", ""], [True, True], copies)


@pytest.fixture(scope="module")
def real_texts(shared_data: Path) -> list[str]:
    """Pages of which some are there twice, some without their first line, and one with other new lines."""
    with gzip.open(shared_data / "pages/ground_truth.jsonl.gz", "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file][::40]
    again = [text.partition("\n")[2] for text in texts[::4]]
    return [*texts, *again, *texts[::5], *(text.replace("\n", "\r\n") for text in texts[:3])]


def through_files(
    documents: Sequence[str], unit: Unit, keep: Keep, chunks: Sequence[int], ranges: Sequence[int], folder: Path
) -> Iterator[tuple[Sequence[str], np.ndarray]]:
    """Each chunk and its rows, by way of files of which several ranges of buckets are answered one by one."""
    parts = cut(documents, chunks)
    paths = [str(folder / f"{unit}-{keep}-{number}") for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        buckets.write_by_key(path, tallied(part, unit))
    bounds = [0, *ranges, buckets.KEY_BUCKETS]
    answered = [
        split(*answers(*buckets.read(paths, first, last, 2), keep)) for first, last in itertools.pairwise(bounds)
    ]
    for part, *rows in zip(parts, *answered, strict=True):
        yield part, np.concatenate(rows)


@every_unit
@every_keep
def test_real_texts_by_way_of_bucket_files(unit: Unit, keep: Keep, real_texts: list[str], tmp_path: Path) -> None:
    wanted = plainly(real_texts, unit, keep)
    assert 0 < sum(wanted[1]) < len(real_texts)
    for chunks, ranges in ([], []), ([5, 9, 9, 40], [1, 1000, 1000, 3000]):
        found = list(through_files(real_texts, unit, keep, chunks, ranges, tmp_path))
        parts, rows = zip(*found, strict=True)
        assert taken_out(parts, rows, unit, [3, 10]) == wanted
