"""Personal data: e-mail addresses, public IP addresses, telephone and card numbers, counted and replaced.

In come texts, out come how many there are of each kind, and the texts with `[email]`, `[ip]`, `[phone]` and `[card]` in
their place. All kinds are counted; `replace` says which are replaced, so that a recipe can also just drop what is full
of them. Names, postal addresses and numbers of documents are not looked for: that needs a model, not a pattern.
"""

from collections.abc import Sequence

from filters.family import Columns, Family, Rule, as_columns
from kernels import personal_data
from kernels.texts import Texts

_ORIGIN = "none: off unless the recipe sets it"


def check(*, replace: str | Sequence[str]) -> None:
    """Raise ValueError for a kind that is not known."""
    for kind in _kinds(replace):
        if kind not in personal_data.KINDS:
            raise ValueError(f"replace: no kind {kind!r}; known are {', '.join(personal_data.KINDS)}")


def _kinds(replace: str | Sequence[str]) -> Sequence[str]:
    return [replace] if isinstance(replace, str) else replace


def measure(texts: Texts, *, replace: str | Sequence[str]) -> tuple[Columns, Texts]:
    """Signals of `personal_data`, and the texts with placeholders: see `kernels.personal_data.replace`."""
    counts, replaced = personal_data.replace(texts, _kinds(replace))
    return as_columns(personal_data.COLUMNS, counts), replaced


FAMILY = Family(
    name="personal_data",
    measure=measure,
    signals=dict.fromkeys(personal_data.COLUMNS, int),
    rules=tuple(
        Rule(f"personal_data_too_many_{signal}", signal, "max", None, _ORIGIN) for signal in personal_data.COLUMNS
    ),
    parameters={"replace": list(personal_data.KINDS)},
    rewrites=True,
    check=check,
)
