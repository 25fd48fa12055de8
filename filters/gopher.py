"""The rules of Gopher (Rae et al. 2021, arXiv:2112.11446, section A1): quality of the prose, and repetition in it.

In come texts, out come their numbers; the texts are not changed. What the paper leaves open (what a line is, what
counts as a word, what a ratio is of) is as in datatrove 0.10.1, so that pages get the verdicts FineWeb's pipeline gave.
A ratio of nothing is 0: a document without words or lines has no share of them that could be bad.
"""

from collections.abc import Iterator
from functools import cache
from operator import attrgetter

import numpy as np

from filters import languages
from filters.family import Columns, Family, Rule, as_columns
from kernels import quality, repetition
from kernels.texts import Texts

_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_DUPLICATE = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
_ORIGIN = "Gopher, arXiv:2112.11446"
_TABLE_A1 = f"{_ORIGIN}, table A1"


@cache
def _stop_words() -> tuple[quality.StopWords, dict[str | None, int]]:
    """The table of every language there are stop words for, and which of its rows each label has."""
    known = languages.load()
    return quality.stop_words([language.stop_words for language in known.values()]), {
        label: row for row, label in enumerate(known)
    }


def measure_quality(texts: Texts, *, by_language: bool) -> tuple[Columns, Texts]:
    """Signals of `gopher_quality`: see `kernels.quality.measure`.

    Stop words are those of the text's language where it is known and `by_language`, English ones otherwise.
    """
    tables, rows = _stop_words()
    english = rows["en"]
    lists = [rows.get(label, english) if by_language else english for label in texts.languages]
    return as_columns(quality.COLUMNS, quality.measure(texts, tables, np.array(lists, np.int32))), texts


def measure_repetition(texts: Texts) -> tuple[Columns, Texts]:
    """Signals of `gopher_repetition`: see `kernels.repetition.measure`."""
    return as_columns(repetition.COLUMNS, repetition.measure(texts)), texts


QUALITY = Family(
    name="gopher_quality",
    measure=measure_quality,
    signals={
        "words": int,
        "mean_word_length": float,
        "hash_ratio": float,
        "ellipsis_ratio": float,
        "bullet_line_ratio": float,
        "ellipsis_line_ratio": float,
        "alpha_word_ratio": float,
        "stop_words": int,
    },
    rules=(
        Rule("gopher_too_few_words", "words", "min", 50, _ORIGIN, by_language=attrgetter("words")),
        Rule("gopher_too_many_words", "words", "max", 100_000, _ORIGIN, by_language=attrgetter("words")),
        Rule("gopher_words_too_short", "mean_word_length", "min", 3, _ORIGIN, by_language=attrgetter("word_length")),
        Rule("gopher_words_too_long", "mean_word_length", "max", 10, _ORIGIN, by_language=attrgetter("word_length")),
        Rule("gopher_too_many_hashes", "hash_ratio", "max", 0.1, _ORIGIN),
        Rule("gopher_too_many_ellipses", "ellipsis_ratio", "max", 0.1, _ORIGIN),
        Rule("gopher_too_many_bullet_lines", "bullet_line_ratio", "max", 0.9, _ORIGIN),
        Rule("gopher_too_many_ellipsis_lines", "ellipsis_line_ratio", "max", 0.3, _ORIGIN),
        Rule("gopher_too_few_alpha_words", "alpha_word_ratio", "min", 0.8, _ORIGIN),
        Rule("gopher_too_few_stop_words", "stop_words", "min", 2, _ORIGIN),
    ),
    parameters={"by_language": True},
)


def _repetition_rules() -> Iterator[Rule]:
    yield Rule("gopher_empty", "characters", "min", 1, "datatrove 0.10.1")
    for kind in "paragraph", "line":
        yield Rule(f"gopher_duplicate_{kind}s", f"duplicate_{kind}_ratio", "max", 0.30, _TABLE_A1)
        yield Rule(f"gopher_duplicate_{kind}_characters", f"duplicate_{kind}_character_ratio", "max", 0.20, _TABLE_A1)
    for n, bound in _TOP.items():
        yield Rule(f"gopher_dominant_{n}_gram", f"top_{n}_gram_ratio", "max", bound, _TABLE_A1)
    for n, bound in _DUPLICATE.items():
        yield Rule(f"gopher_duplicate_{n}_grams", f"duplicate_{n}_gram_ratio", "max", bound, _TABLE_A1)


_REPETITION_RULES = tuple(_repetition_rules())

REPETITION = Family(
    name="gopher_repetition",
    measure=measure_repetition,
    signals={rule.signal: int if rule.signal == "characters" else float for rule in _REPETITION_RULES},
    rules=_REPETITION_RULES,
)
