"""Plain counts of a text: how long it is and what it is made of. No bound is set unless a recipe sets one."""

from filters.family import Columns, Family, Rule, as_columns
from kernels import web_lines
from kernels.texts import Texts

_ORIGIN = "none: off unless the recipe sets it"


def measure(texts: Texts) -> tuple[Columns, Texts]:
    """Signals of `counts`: see `kernels.web_lines.count`."""
    return as_columns(web_lines.COUNTS, web_lines.count(texts)), texts


FAMILY = Family(
    name="counts",
    measure=measure,
    signals={name: float if name.endswith("_ratio") else int for name in web_lines.COUNTS},
    rules=(
        Rule("counts_too_few_characters", "characters", "min", None, _ORIGIN),
        Rule("counts_too_many_characters", "characters", "max", None, _ORIGIN),
        Rule("counts_too_few_words", "words", "min", None, _ORIGIN),
        Rule("counts_too_many_words", "words", "max", None, _ORIGIN),
        Rule("counts_too_few_lines", "lines", "min", None, _ORIGIN),
        Rule("counts_too_many_lines", "lines", "max", None, _ORIGIN),
        Rule("counts_too_many_digits", "digit_ratio", "max", None, _ORIGIN),
        Rule("counts_too_many_uppercase", "uppercase_ratio", "max", None, _ORIGIN),
        Rule("counts_too_much_punctuation", "punctuation_ratio", "max", None, _ORIGIN),
        Rule("counts_too_much_space", "space_ratio", "max", None, _ORIGIN),
    ),
)
