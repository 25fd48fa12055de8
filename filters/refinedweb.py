"""The line rules of RefinedWeb (Penedo et al. 2023, arXiv:2306.01116, G.2), with DCLM's bounds (arXiv:2406.11794).

In come texts, out come their numbers and the texts again without the lines that are no prose: shouted, numbers,
counters, single words, remains of navigation. A page that loses much that way was never prose.
"""

from filters.family import Columns, Family, Rule, as_columns
from kernels import refinedweb
from kernels.texts import Texts


def measure(texts: Texts, *, max_uppercase_ratio: float) -> tuple[Columns, Texts]:
    """Signals of `refinedweb`, and the texts of the lines it keeps: see `kernels.refinedweb.clean`."""
    counts, cleaned = refinedweb.clean(texts, max_uppercase_ratio)
    return as_columns(refinedweb.COLUMNS, counts), cleaned


FAMILY = Family(
    name="refinedweb",
    measure=measure,
    signals={name: float if name == "removed_word_ratio" else int for name in refinedweb.COLUMNS},
    rules=(
        Rule(
            "refinedweb_too_many_words_removed",
            "removed_word_ratio",
            "max",
            0.05,
            "RefinedWeb, arXiv:2306.01116, section G.2",
        ),
    ),
    parameters={"max_uppercase_ratio": 0.5},
    rewrites=True,
)
