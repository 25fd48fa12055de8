"""The rules of C4 (Raffel et al. 2020, arXiv:1910.10683, section 2.2): which lines to keep, and which pages.

In come texts, out come their numbers and the texts again with only the lines that are prose, freed of Wikipedia's
citation marks. Order and detail are as in datatrove 0.10.1, except that a page with "lorem ipsum" or "{" is read to its
end all the same, so that its other numbers are whole. The paper's bad words are a family by themselves (`bad_words`),
with a list of one's own.
"""

from filters.family import Columns, Family, Rule, as_columns
from kernels import c4
from kernels.texts import Texts

_ORIGIN = "C4, arXiv:1910.10683"


def measure(
    texts: Texts, *, terminal_punctuation: bool, min_words_per_line: int, max_word_length: int
) -> tuple[Columns, Texts]:
    """Signals of `c4`, and the texts of the lines it keeps: see `kernels.c4.clean`."""
    counts, cleaned = c4.clean(texts, terminal_punctuation, min_words_per_line, max_word_length)
    return as_columns(c4.COLUMNS, counts), cleaned


FAMILY = Family(
    name="c4",
    measure=measure,
    signals={
        "lines": int,
        "long_word_lines": int,
        "unpunctuated_lines": int,
        "short_lines": int,
        "lorem_ipsum": int,
        "javascript_lines": int,
        "curly_bracket": int,
        "policy_lines": int,
        "sentences": int,
    },
    rules=(
        Rule("c4_lorem_ipsum", "lorem_ipsum", "max", 0, _ORIGIN, is_place=True),
        Rule("c4_curly_bracket", "curly_bracket", "max", 0, _ORIGIN, is_place=True),
        Rule("c4_too_few_sentences", "sentences", "min", 5, _ORIGIN),
    ),
    parameters={"terminal_punctuation": True, "min_words_per_line": 3, "max_word_length": 1000},
    rewrites=True,
)
