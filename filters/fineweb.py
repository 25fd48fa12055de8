"""The rules FineWeb adds to Gopher's and C4's (Penedo et al. 2024, arXiv:2406.17557, section 3.6): pages of lists.

In comes a text, out come its numbers; the text is not changed. A line is what new lines part and is not blank; detail
is as in datatrove 0.10.1. Without a line every ratio is 0.
"""

from filters.family import Family, Rule, Values
from filters.text import TERMINALS, Text, duplicates

_SHORT_LINE = 30
_ORIGIN = "FineWeb, arXiv:2406.17557"


def measure(text: Text) -> tuple[Values, Text]:
    """Signals of `fineweb`.

    lines. punctuated_line_ratio: lines whose last character ends a sentence in some script, to all lines.
    short_line_ratio: lines of at most 30 code points to all lines. duplicate_character_ratio: code points of lines that
    repeat an earlier one, to those of the text without its new lines. newline_ratio: new lines to words.
    """
    newlines = text.content.count("\n")
    lines = [line for line in text.content.split("\n") if line and not line.isspace()]
    n_lines = max(len(lines), 1)
    return {
        "lines": len(lines),
        "punctuated_line_ratio": sum(line[-1] in TERMINALS for line in lines) / n_lines,
        "short_line_ratio": sum(len(line) <= _SHORT_LINE for line in lines) / n_lines,
        "duplicate_character_ratio": duplicates(lines)[1] / max(len(text.content) - newlines, 1),
        "newline_ratio": newlines / len(text.words) if text.words else 0.0,
    }, text


FAMILY = Family(
    name="fineweb",
    measure=measure,
    signals={
        "lines": int,
        "punctuated_line_ratio": float,
        "short_line_ratio": float,
        "duplicate_character_ratio": float,
        "newline_ratio": float,
    },
    rules=(
        Rule("fineweb_empty", "lines", "min", 1, "datatrove 0.10.1"),
        Rule("fineweb_too_few_punctuated_lines", "punctuated_line_ratio", "min", 0.12, _ORIGIN),
        Rule("fineweb_too_many_short_lines", "short_line_ratio", "max", 0.67, _ORIGIN),
        Rule(
            "fineweb_too_many_duplicate_characters",
            "duplicate_character_ratio",
            "max",
            0.01,
            f"datatrove 0.10.1, by which FineWeb was made; {_ORIGIN} says 0.1",
        ),
        Rule("fineweb_too_many_newlines", "newline_ratio", "max", 0.3, _ORIGIN),
    ),
)
