"""What a family of rules is: signals measured together, and the bounds on them.

A signal is a number, kept as a column of its own for every document, dropped ones too. A rule is a bound on one signal
and nothing else, so that a new threshold costs a scan of that column and no second look at the text. A signal may also
be a string that tells more about a number; no rule bounds it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from filters.languages import Language
from kernels.texts import Texts

# A signal's values, one a document; objects are strings.
Columns = dict[str, NDArray[Any]]


def as_columns(names: Sequence[str], rows: NDArray[Any]) -> Columns:
    """One column for each name, of a matrix with one row for each document."""
    return dict(zip(names, rows.T, strict=True))


@dataclass(frozen=True, slots=True)
class Rule:
    """A bound on a signal: a document fails below a "min" or above a "max"; one that is equal to its bound passes.

    `name` says what was wrong with what the rule drops, `origin` which paper or system the bound is from. A `bound` of
    None is a rule that is off.
    `is_place` marks a signal that is a place in the text (1 is the first line, 0 nowhere): where several such rules of
    a family fail, the one met first by a reader is the reason. `detail` is a signal of strings that says what exactly
    was wrong where the rule fails, "" where it has no more to say: the reason is then "name.detail".
    `by_language` is what the bound, meant for English, is multiplied by for another language.
    """

    name: str
    signal: str
    side: Literal["min", "max"]
    bound: float | None
    origin: str
    is_place: bool = False
    detail: str | None = None
    by_language: Callable[[Language], float] | None = None

    @property
    def parameter(self) -> str:
        """What a recipe calls the bound: "min_words"."""
        return f"{self.side}_{self.signal}"


@dataclass(frozen=True, slots=True)
class Family:
    """Signals that are measured in one go, with the rules on them in the order in which they give the reason.

    `measure(texts, **parameters)` gives a column for each of `signals` (numbers, or strings in an object array) and the
    texts that later families measure: the same object, unless `rewrites`. `parameters` are JSON.
    `files` are those parameters that name files: when resolved they are lists of files that exist, and one more
    parameter, `fingerprints`, says of each file what changes when it does. `check(**parameters)` raises ValueError for
    parameters with which nothing can be measured.
    """

    name: str
    measure: Callable[..., tuple[Columns, Texts]]
    signals: Mapping[str, type[int] | type[float] | type[str]]
    rules: tuple[Rule, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rewrites: bool = False
    files: tuple[str, ...] = ()
    check: Callable[..., None] | None = None

    def column(self, signal: str) -> str:
        """The name under which a signal is kept: "gopher_quality_words"."""
        return f"{self.name}_{signal}"

    @property
    def measuring(self) -> dict[str, object]:
        """What the signals depend on, as JSON. A family that rewrites also decides what those after it measure."""
        return {"family": self.name, **self.parameters}

    @property
    def bounds(self) -> dict[str, float]:
        """What the verdicts depend on beside the signals, as JSON; a rule that is off is not in it."""
        return {rule.parameter: rule.bound for rule in self.rules if rule.bound is not None}
