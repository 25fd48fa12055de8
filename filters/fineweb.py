"""The rules FineWeb adds to Gopher's and C4's (Penedo et al. 2024, arXiv:2406.17557, section 3.6): pages of lists.

In come texts, out come their numbers; the texts are not changed. Detail is as in datatrove 0.10.1.
"""

import numpy as np

from filters import languages
from filters.family import Columns, Family, Rule, as_columns
from filters.languages import Language
from kernels import web_lines
from kernels.texts import Texts

_SHORT_LINE = 30
_ORIGIN = "FineWeb, arXiv:2406.17557"


def measure(texts: Texts, *, by_language: bool) -> tuple[Columns, Texts]:
    """Signals of `fineweb`: see `kernels.web_lines.measure_fineweb`.

    A line is short that has at most 30 code points, or as many as say the same in the text's language.
    """
    known = languages.load()
    stretch = {label: language.characters for label, language in known.items()} if by_language else {}
    short_line = [round(_SHORT_LINE * stretch.get(label or "en", 1.0)) for label in texts.languages]
    return as_columns(web_lines.FINEWEB, web_lines.measure_fineweb(texts, np.array(short_line, np.int64))), texts


def _per_word(language: Language) -> float:
    return 1 / language.words


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
        Rule("fineweb_too_many_newlines", "newline_ratio", "max", 0.3, _ORIGIN, by_language=_per_word),
    ),
    parameters={"by_language": True},
)
