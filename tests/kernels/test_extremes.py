"""Texts that no crawl should hold and some day one will: the numbers are right, in time that grows with the bytes."""

import numpy as np
import pytest

from kernels import bag_of_words, c4, quality, refinedweb, repetition, signatures, web_lines
from kernels.lines import find_units
from kernels.texts import Texts

MEGA = 1_000_000


def measured(text: str) -> tuple[dict[str, float], dict[str, float], dict[str, float], dict[str, float]]:
    """Quality, repetition, C4 and FineWeb; the other kernels only have to come through."""
    texts = Texts.of([text])
    tables = quality.stop_words([["the", "word"]])
    found = (
        dict(zip(quality.COLUMNS, quality.measure(texts, tables, np.zeros(1, np.int32))[0].tolist(), strict=True)),
        dict(zip(repetition.COLUMNS, repetition.measure(texts)[0].tolist(), strict=True)),
        dict(zip(c4.COLUMNS, c4.clean(texts, True, 3, 1000)[0][0].tolist(), strict=True)),
        dict(zip(web_lines.FINEWEB, web_lines.measure_fineweb(texts, np.full(1, 30))[0].tolist(), strict=True)),
    )
    refinedweb.clean(texts, 0.5)
    web_lines.count(texts)
    signatures.band_hashes(texts, 14, 8, 5)
    signatures.text_hashes(texts)
    signatures.unit_hashes(texts, find_units(texts.lines, "line"))
    signatures.unit_hashes(texts, find_units(texts.lines, "paragraph"))
    bag_of_words.word_sets(texts, 1 << 12)
    return found


def test_a_document_of_100_mb() -> None:
    n = 20 * MEGA
    good, repeated, cleaned, lines = measured("word " * n)
    assert (good["words"], good["mean_word_length"], good["stop_words"]) == (n, 4, 1)
    assert repeated["characters"] == 5 * n
    assert repeated["top_2_gram_ratio"] == 9 * (n - 1) / (5 * n)
    # The first five words, and then as many as are left in fives, are repeats of what was there before.
    assert repeated["duplicate_5_gram_ratio"] == pytest.approx(0.8, abs=1e-6)
    assert (cleaned["lines"], cleaned["unpunctuated_lines"]) == (1, 1)
    assert (lines["lines"], lines["newline_ratio"]) == (1, 0)


def test_one_word_of_10_mb() -> None:
    good, repeated, cleaned, lines = measured("x" * 10 * MEGA)
    assert (good["words"], good["mean_word_length"]) == (1, 10 * MEGA)
    assert repeated["characters"] == 10 * MEGA
    assert all(value == 0 for name, value in repeated.items() if name != "characters")
    assert cleaned["long_word_lines"] == 1
    assert lines["lines"] == 1


def test_10_million_lines() -> None:
    n = 10 * MEGA
    good, repeated, cleaned, lines = measured("a.\n" * n)
    assert good["words"] == n
    assert repeated["duplicate_line_ratio"] == (n - 1) / (n + 1)
    assert (cleaned["lines"], cleaned["short_lines"]) == (n, n)
    assert (lines["lines"], lines["punctuated_line_ratio"], lines["newline_ratio"]) == (n, 1, 1)
    assert lines["duplicate_character_ratio"] == 2 * (n - 1) / (2 * n)


@pytest.mark.parametrize("text", ["", "\0" * MEGA, "\n" * MEGA, "\u2028" * MEGA, "\u0301" * MEGA, "---- \n" * 1000])
def test_no_words_to_speak_of(text: str) -> None:
    good, repeated, cleaned, _ = measured(text)
    assert good["stop_words"] == good["alpha_word_ratio"] == 0
    assert repeated["characters"] == len(text)
    assert cleaned["sentences"] == 0


def test_lines_that_differ_in_the_middle_only() -> None:
    """A table whose rows start, end and are as long as each other: its lines must not be compared pair by pair."""
    rows = "".join(f"the same start {number:09d} the same end\n" for number in range(300_000))
    _, repeated, _, lines = measured(rows)
    assert repeated["duplicate_line_ratio"] == 0
    assert lines["duplicate_character_ratio"] == 0
