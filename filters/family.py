"""What a family of rules is: signals measured together, and the bounds on them.

A signal is a number, kept as a column of its own for every document, dropped ones too. A rule is a bound on one signal
and nothing else, so that a new threshold costs a scan of that column and no second look at the text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from filters.text import Text

Values = dict[str, float]


@dataclass(frozen=True, slots=True)
class Rule:
    """A bound on a signal: a document fails below a "min" or above a "max"; one that is equal to its bound passes.

    `name` says what was wrong with what the rule drops, `origin` which paper or system the bound is from.
    `is_place` marks a signal that is a place in the text (1 is the first line, 0 nowhere): where several such rules of
    a family fail, the one met first by a reader is the reason.
    """

    name: str
    signal: str
    side: Literal["min", "max"]
    bound: float
    origin: str
    is_place: bool = False

    @property
    def parameter(self) -> str:
        """What a recipe calls the bound: "min_words"."""
        return f"{self.side}_{self.signal}"


@dataclass(frozen=True, slots=True)
class Family:
    """Signals that are measured in one go, with the rules on them in the order in which they give the reason.

    `measure(text, **parameters)` gives a number for each of `signals` (int or float, the type of its column) and the
    text that later families measure: the same object, unless `rewrites`.
    """

    name: str
    measure: Callable[..., tuple[Values, Text]]
    signals: Mapping[str, type[int] | type[float]]
    rules: tuple[Rule, ...]
    parameters: Mapping[str, bool | int] = field(default_factory=dict)
    rewrites: bool = False

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
        return {rule.parameter: rule.bound for rule in self.rules}
