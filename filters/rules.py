"""Families of rules as a recipe lists them: resolved, measured on a batch of texts, and judged from the numbers alone.

    families = resolve(["gopher_repetition", "gopher_quality", {"c4": {"terminal_punctuation": False}}, "fineweb"])
    signals, texts = measure(texts, families)
    verdicts = judge(families, signals, len(texts))

The list is a pipeline: a family that rewrites the text (c4 drops lines) does so for those after it. Measuring depends
on each family's `measuring` in this order, judging on the signals and each family's `bounds`; nothing else matters.
"""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from filters import c4, fineweb, gopher
from filters.family import Family
from filters.text import Text

FAMILIES = {family.name: family for family in (gopher.QUALITY, gopher.REPETITION, c4.FAMILY, fineweb.FAMILY)}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One entry per document. `first`: int16, the place in `rule_names` of the rule it was dropped by, -1 if it passes.

    `failed`: uint64, bit i is set where rule i fails, so that what a rule drops alone and together can be counted.
    """

    first: NDArray[np.int16]
    failed: NDArray[np.uint64]


def resolve(spec: object) -> tuple[Family, ...]:
    """The families of a recipe's list: each entry a name, or {name: {parameter: value}}.

    A parameter is a bound ("min_words"; None switches that rule off) or one that measuring depends on
    ("terminal_punctuation" of c4). ValueError for an unknown name, a wrong type or a family named twice.
    """
    if not isinstance(spec, list | tuple):
        raise ValueError(f"rules must be a list of families, not {spec!r}; known are {', '.join(FAMILIES)}")
    families = [_family(entry) for entry in spec]
    names = [family.name for family in families]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"rules name {name!r} twice; name each family once")
    return tuple(families)


def _family(entry: object) -> Family:
    if isinstance(entry, str):
        entry = {entry: {}}
    if not (isinstance(entry, Mapping) and len(entry) == 1):
        raise ValueError(f"rules: {entry!r} is neither the name of a family nor {{name: {{parameter: value}}}}")
    [(name, settings)] = entry.items()
    if name not in FAMILIES:
        raise ValueError(f"rules: no family {name!r}; the nearest is {_nearest(name, FAMILIES)!r}")
    if not isinstance(settings, Mapping):
        raise ValueError(f"rules: {name} takes {{parameter: value}}, not {settings!r}")
    return _with_settings(FAMILIES[name], settings)


def _with_settings(family: Family, settings: Mapping[Any, Any]) -> Family:
    known = [*family.parameters, *(rule.parameter for rule in family.rules)]
    for name, value in settings.items():
        if name not in known:
            raise ValueError(
                f"rules: {family.name} has no parameter {name!r}; the nearest is {_nearest(name, known)!r}"
            )
        if name in family.parameters:
            wanted = type(family.parameters[name])
            if type(value) is not wanted:
                raise ValueError(f"rules: {family.name} {name} must be of type {wanted.__name__}, not {value!r}")
        elif not (value is None or _is_number(value)):
            raise ValueError(f"rules: {family.name} {name} must be a number, or null for no such rule, not {value!r}")
    rules = (replace(rule, bound=settings.get(rule.parameter, rule.bound)) for rule in family.rules)
    return replace(
        family,
        rules=tuple(rule for rule in rules if rule.bound is not None),
        parameters={name: settings.get(name, default) for name, default in family.parameters.items()},
    )


def _is_number(value: object) -> bool:
    # bool is an int to Python, and a bound that is not finite is a rule that is off or a mistake.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _nearest(name: object, known: Iterable[str]) -> str:
    return difflib.get_close_matches(str(name), known, n=1, cutoff=0)[0]


def measure(
    texts: pa.LargeStringArray, families: Sequence[Family]
) -> tuple[dict[str, NDArray[Any]], pa.LargeStringArray]:
    """Every signal of every family as a column (int64 or float64, never NaN), and the texts the last family leaves."""
    columns = {
        family.column(signal): np.zeros(len(texts), dtype)
        for family in families
        for signal, dtype in family.signals.items()
    }
    finals = []
    for row, value in enumerate(texts):
        text = Text(value.as_py())
        for family in families:
            values, text = family.measure(text, **family.parameters)
            for signal, number in values.items():
                columns[family.column(signal)][row] = number
        finals.append(text.content)
    if not any(family.rewrites for family in families):
        return columns, texts
    return columns, pa.array(finals, pa.large_string())


def judge(families: Sequence[Family], signals: Mapping[str, NDArray[Any]] | pa.Table, n: int) -> Verdicts:
    """The verdicts on `n` documents from their signals, by column name in a mapping or an Arrow table."""
    rules = [(family.column(rule.signal), rule) for family in families for rule in family.rules]
    assert len(rules) <= 64, "a rule is a bit of a uint64"
    first = np.full(n, -1, np.int16)
    failed = np.zeros(n, np.uint64)
    # Where in the text the reason was found, 0 where the reason is no place.
    place = np.zeros(n, np.int64)
    for index, (column, rule) in enumerate(rules):
        values = np.asarray(signals[column])
        fails = values < rule.bound if rule.side == "min" else values > rule.bound
        failed |= fails.astype(np.uint64) << np.uint64(index)
        is_first = fails & (first == -1)
        if rule.is_place:
            is_first |= fails & (values < place)
            place[is_first] = values[is_first]
        first[is_first] = index
    return Verdicts(first, failed)


def rule_names(families: Sequence[Family]) -> list[str]:
    """The names that the numbers in `Verdicts` stand for, in the order in which rules give the reason."""
    return [rule.name for family in families for rule in family.rules]
