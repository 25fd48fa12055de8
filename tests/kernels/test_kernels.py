"""Every kernel against its plain-Python twin: on made-up text, on real pages, and on real pages with damage."""

import gzip
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kernels import c4, quality, refinedweb, repetition, signatures, web_lines
from kernels.lines import find_units
from kernels.texts import Texts
from tests.kernels import twins

GROUND_TRUTH = Path(__file__).parents[2].parent / "shared/data/pages/ground_truth.jsonl.gz"
STOP = quality.stop_words([["the", "be", "to", "of", "and", "that", "have", "with"]])

Check = Callable[[Sequence[str]], None]


def rows(names: Sequence[str], matrix: np.ndarray) -> Iterator[dict[str, float]]:
    for row in matrix.tolist():
        yield dict(zip(names, row, strict=True))


def check_words(texts: Sequence[str]) -> None:
    batch = Texts.of(texts)
    words, data = batch.words, bytes(batch.data)
    for i, text in enumerate(texts):
        found = range(words.first[i], words.first[i + 1])
        strings = [data[words.start[w] : words.start[w] + words.size[w]].decode() for w in found]
        assert strings == twins.words(text)
        assert [words.points[w] for w in found] == [len(word) for word in strings]
        assert [words.normal[w] for w in found] == [
            twins.hashed_word(twins.normal(word)) if twins.normal(word) else 0 for word in strings
        ]


def check_quality(texts: Sequence[str]) -> None:
    found = quality.measure(Texts.of(texts), STOP, np.zeros(len(texts), np.int32))
    assert list(rows(quality.COLUMNS, found)) == [twins.quality(text) for text in texts]


def check_repetition(texts: Sequence[str]) -> None:
    found = repetition.measure(Texts.of(texts))
    assert list(rows(repetition.COLUMNS, found)) == [twins.repetition(text) for text in texts]


def check_c4(texts: Sequence[str]) -> None:
    for wanted in (True, 3, 1000), (False, 3, 10), (False, 0, 1000):
        counts, cleaned = c4.clean(Texts.of(texts), *wanted)
        for row, rewritten, text in zip(rows(c4.COLUMNS, counts), cleaned.to_list(), texts, strict=True):
            values, wanted_text = twins.c4(text, *wanted)
            assert (rewritten, row) == (wanted_text, {name: values[name] for name in c4.COLUMNS})


def check_fineweb(texts: Sequence[str]) -> None:
    found = web_lines.measure_fineweb(Texts.of(texts), np.full(len(texts), 30))
    assert list(rows(web_lines.FINEWEB, found)) == [twins.fineweb(text) for text in texts]


def check_refinedweb(texts: Sequence[str]) -> None:
    counts, cleaned = refinedweb.clean(Texts.of(texts), 0.5)
    for row, rewritten, text in zip(rows(refinedweb.COLUMNS, counts), cleaned.to_list(), texts, strict=True):
        faults, removed, wanted = twins.refinedweb(text, 0.5)
        assert (rewritten, row.pop("removed_word_ratio")) == (wanted, removed)
        assert row == {name: faults[name] for name in row}


def check_counts(texts: Sequence[str]) -> None:
    assert list(rows(web_lines.COUNTS, web_lines.count(Texts.of(texts)))) == [twins.counts(text) for text in texts]


def check_signatures(texts: Sequence[str]) -> None:
    batch = Texts.of(texts)
    assert [s.tolist() for s in signatures.shingles(batch, 5)] == [twins.shingles(text, 5) for text in texts]
    bands = signatures.band_hashes(batch, 3, 2, 5).tolist()
    assert bands == [twins.band_hashes(text, 3, 2, 5) for text in texts]


def check_text_hashes(texts: Sequence[str]) -> None:
    found = [tuple(row) for row in signatures.text_hashes(Texts.of(texts)).tolist()]
    same_text: dict[str, tuple[int, ...]] = {}
    for text, row in zip(texts, found, strict=True):
        assert same_text.setdefault(twins.compared_text(text), row) == row
    assert len(set(found)) == len(same_text)


def check_units(texts: Sequence[str]) -> None:
    batch = Texts.of(texts)
    data = bytes(batch.data)
    for unit, parts in ("line", twins.lines), ("paragraph", twins.paragraphs):
        units = find_units(batch.lines, unit)
        hashes = signatures.unit_hashes(batch, units).tolist()
        assert len(units.start) == len(units.size) == len(hashes) == units.first[-1]
        for i, text in enumerate(texts):
            found = range(units.first[i], units.first[i + 1])
            strings = [data[units.start[k] : units.start[k] + units.size[k]].decode() for k in found]
            assert strings == parts(text)
            compared = [twins.compared_unit(string) for string in strings]
            assert [hashes[k] for k in found] == [twins.hashed(list(map(ord, string))) for string in compared]


CHECKS: dict[str, Check] = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}

# Web text in small: what the rules look for, every kind of white space, letters of one to four bytes, scripts without
# spaces, marks, and lines and words that come back.
PIECES = [
    *[
        "the",
        "be",
        "alpha",
        "Straße",
        "İstanbul",
        "ΛΌΓΟΣ",
        "naïve",
        "漢字",
        "日本語。",
        "コンピュータ",
        "ไทยกำลัง",
        "ខ្មែរ",
        "한국어",
    ],
    *[
        "🙂",
        "👩\u200d👧",
        "e\u0301",
        "\u0301",
        "12",
        "½",
        "٣",
        "3.14",
        "e.g.",
        "ǅ",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\x00",
        "\x9f",
    ],
    *[
        "#",
        "...",
        "…",
        "....",
        "-",
        "•",
        "{",
        "»",
        "１",
        "!?",
        '."',
        ".)]",
        "[1]",
        "[٣]",
        "[edit]",
        "[citation needed]",
        "[1",
        "1]",
    ],
    *[
        "lorem ipsum",
        "Lorem",
        " ipsum",
        "java",
        "SCRIPT",
        "terms of use",
        "use of coo\u212aies",
        "uses cookies",
        "privacy policy",
    ],
    *["3 likes", "1.2K views", "Sign-in", "Read more...", "items in cart", "ABC", "a", "b", "ab", "x" * 12],
    *[" ", " ", " ", "  ", "\t", "\u00a0", "\u3000", "\x1f", "\u2003"],
    *["\n", "\n", "\n\n", "\n \n\n\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"],
]
pieces = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=30).map("".join)
# A short list of pieces many times over: what repeats, repeats.
repeating = st.tuples(st.lists(st.sampled_from(PIECES), min_size=1, max_size=3), st.integers(1, 30)).map(
    lambda pair: "".join(pair[0] * pair[1])
)
few_letters = st.text(alphabet="ab \n", max_size=120)


@pytest.mark.parametrize("name", sorted(CHECKS))
@settings(max_examples=300)
@given(st.lists(pieces | repeating | few_letters | st.text(), max_size=5))
@example(["", " ", "\n", "\n\n", "a", "\x00", "."])
@example(["a b " * 40, "ab " * 80, "a bc ab c " * 30])
def test_made_up_text(name: str, texts: list[str]) -> None:
    CHECKS[name](texts)


@pytest.fixture(scope="module")
def real_texts() -> list[str]:
    if not GROUND_TRUTH.exists():
        pytest.skip(f"no texts at {GROUND_TRUTH}")
    with gzip.open(GROUND_TRUTH, "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file][::7]


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_real_text(name: str, real_texts: list[str]) -> None:
    CHECKS[name](real_texts)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_real_text_with_damage(name: str, real_texts: list[str]) -> None:
    """Bytes flipped, cut and moved, and what is then no UTF-8 replaced as a reader would."""
    luck = random.Random(0)
    damaged = []
    for text in real_texts[::5]:
        data = bytearray(text.encode())
        for _ in range(max(1, len(data) // 20)):
            data[luck.randrange(len(data))] = luck.randrange(256)
        cut = luck.randrange(len(data))
        damaged.append((data[cut:] + data[:cut]).decode(errors="replace"))
    CHECKS[name](damaged)
