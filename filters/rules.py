"""Families of rules as a recipe lists them: resolved, measured on a batch of texts, and judged from the numbers alone.

    families = resolve(["gopher_repetition", "gopher_quality", {"c4": {"terminal_punctuation": False}}, "fineweb"])
    signals, texts = measure(texts, families)
    verdicts = judge(families, signals, len(texts))

The list is a pipeline: a family that rewrites the text (c4 drops lines) does so for those after it. Measuring depends
on each family's `measuring` in this order, judging on the signals and each family's `bounds`; nothing else matters.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from filters import (
    bad_words,
    blocked_urls,
    c4,
    classifier_rule,
    datatrove_filters,
    decontamination,
    fineweb,
    gopher,
    mixed_language,
    personal_data,
    plain_counts,
    refinedweb,
)
from filters.family import Columns, Family, Rule
from filters.languages import load as load_languages
from filters.settings import nearest, with_settings
from kernels.texts import Texts

# How a signal's column is kept, by its type.
DTYPES: Mapping[type, type] = {int: np.int64, float: np.float64, str: np.object_}

FAMILIES = {
    family.name: family
    for family in (
        gopher.QUALITY,
        gopher.REPETITION,
        c4.FAMILY,
        fineweb.FAMILY,
        refinedweb.FAMILY,
        plain_counts.FAMILY,
        blocked_urls.FAMILY,
        bad_words.FAMILY,
        decontamination.FAMILY,
        mixed_language.FAMILY,
        personal_data.FAMILY,
    )
}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One entry per document. `first`: int16, the place in `rule_names` of the rule it was dropped by, -1 if it passes.

    `failed`: uint64, bit i is set where rule i fails, so that what a rule drops alone and together can be counted.
    """

    first: NDArray[np.int16]
    failed: NDArray[np.uint64]


def resolve(spec: object, check: bool = True) -> tuple[Family, ...]:
    """The families of a recipe's list: each entry a name, or {name: {parameter: value}}.

    A parameter is a bound ("min_words"; None switches that rule off) or one that measuring depends on
    ("terminal_punctuation" of c4). ValueError for an unknown name, a wrong type or a family named twice; and, with
    `check`, for files that cannot be used. Without it files are not looked at, which is enough to judge and not to
    measure.
    """
    if not isinstance(spec, list | tuple):
        raise ValueError(f"rules must be a list of families, not {spec!r}; known are {', '.join(FAMILIES)}")
    families = [_family(entry, check) for entry in spec]
    names = [family.name for family in families]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"rules name {name!r} twice; name each family once")
    return tuple(families)


def _family(entry: object, check: bool) -> Family:
    if isinstance(entry, str):
        entry = {entry: {}}
    if not (isinstance(entry, Mapping) and len(entry) == 1):
        raise ValueError(f"rules: {entry!r} is neither the name of a family nor {{name: {{parameter: value}}}}")
    [(name, settings)] = entry.items()
    if not isinstance(settings, Mapping):
        raise ValueError(f"rules: {name} takes {{parameter: value}}, not {settings!r}")
    if str(name).startswith(datatrove_filters.PREFIX):
        return datatrove_filters.family(name, settings, check)
    if str(name).startswith(classifier_rule.PREFIX):
        return classifier_rule.family(name, settings, check)
    if name not in FAMILIES:
        raise ValueError(f"rules: no family {name!r}; the nearest is {nearest(name, FAMILIES)!r}")
    return with_settings(FAMILIES[name], settings, check)


def measured(measuring: Sequence[Mapping[str, Any]]) -> tuple[Family, ...]:
    """The families that `Family.measuring` of each described; their bounds play no part in measuring."""
    return tuple(_measured(**described) for described in measuring)


def as_measured(families: Sequence[Family], measuring: Sequence[Mapping[str, Any]]) -> tuple[Family, ...]:
    """Families that `resolve` gave unchecked, with the parameters they were measured with: files by their names."""
    parameters = [{name: value for name, value in described.items() if name != "family"} for described in measuring]
    return tuple(replace(family, parameters=own) for family, own in zip(families, parameters, strict=True))


def _measured(family: str, **parameters: Any) -> Family:
    if family.startswith(datatrove_filters.PREFIX):
        known = datatrove_filters.family(family, parameters["settings"])
        # With the version that the run was started with: a worker with another one is to say so.
        return replace(known, parameters=parameters)
    if family.startswith(classifier_rule.PREFIX):
        return classifier_rule.measured(family, **parameters)
    return replace(FAMILIES[family], parameters=parameters)


def measure(texts: Texts, families: Sequence[Family]) -> tuple[Columns, Texts]:
    """Every signal of every family as a column (int64, float64 and never NaN, or strings as objects), and the texts
    the last family leaves.
    """
    columns: Columns = {}
    for family in families:
        measured, texts = family.measure(texts, **family.parameters)
        for signal, kind in family.signals.items():
            columns[family.column(signal)] = measured[signal].astype(DTYPES[kind])
    return columns, texts


def judge(
    families: Sequence[Family],
    signals: Mapping[str, NDArray[Any]] | pa.Table,
    n: int,
    languages: Sequence[str | None] | pa.ChunkedArray | None = None,
) -> Verdicts:
    """The verdicts on `n` documents from their signals, by column name in a mapping or an Arrow table.

    Where a family goes by language, the bounds on a document are those for its entry in `languages`, if there is one
    and it is known, and English's otherwise.
    """
    rules = [(family, rule) for family in families for rule in family.rules]
    assert len(rules) <= 64, "a rule is a bit of a uint64"
    spoken = None if languages is None else _encoded(languages)
    first = np.full(n, -1, np.int16)
    failed = np.zeros(n, np.uint64)
    # Where in the text the reason was found, 0 where the reason is no place.
    place = np.zeros(n, np.int64)
    for index, (family, rule) in enumerate(rules):
        values = np.asarray(signals[family.column(rule.signal)])
        bounds = _bounds(family, rule, n, spoken)
        fails = values < bounds if rule.side == "min" else values > bounds
        failed |= fails.astype(np.uint64) << np.uint64(index)
        is_first = fails & (first == -1)
        if rule.is_place:
            is_first |= fails & (values < place)
            place[is_first] = values[is_first]
        first[is_first] = index
    return Verdicts(first, failed)


def _encoded(languages: Sequence[str | None] | pa.ChunkedArray) -> pa.DictionaryArray:
    array = languages.combine_chunks() if isinstance(languages, pa.ChunkedArray) else pa.array(languages, pa.string())
    return array.dictionary_encode()


def _bounds(family: Family, rule: Rule, n: int, languages: pa.DictionaryArray | None) -> NDArray[np.float64]:
    """The rule's bound for each document."""
    assert rule.bound is not None, "resolve leaves out the rules that are off"
    if languages is None or rule.by_language is None:
        return np.full(n, rule.bound, np.float64)
    by_label = [bound_for(family, rule, label) for label in languages.dictionary.to_pylist()]
    of_each = languages.indices.fill_null(len(by_label)).to_numpy(zero_copy_only=False)
    bounds: NDArray[np.float64] = np.array([*by_label, rule.bound], np.float64)[of_each]
    return bounds


def bound_for(family: Family, rule: Rule, language: str | None) -> float | None:
    """The rule's bound for documents in a language; None where the rule is off."""
    known = load_languages().get(language or "")
    if rule.bound is None or rule.by_language is None or known is None or not family.parameters["by_language"]:
        return rule.bound
    return rule.bound * rule.by_language(known)


def reasons(
    families: Sequence[Family], verdicts: Verdicts, signals: Mapping[str, NDArray[Any]] | pa.Table
) -> pa.StringArray:
    """What each document is dropped for: the first rule's name, with its detail where it has one; null if it passes."""
    rules = [(family, rule) for family in families for rule in family.rules]
    names = pa.array(rule_names(families), pa.string())
    found = names.take(pa.array(verdicts.first, mask=verdicts.first < 0))
    for index, (family, rule) in enumerate(rules):
        if rule.detail:
            detail = pa.array(np.asarray(signals[family.column(rule.detail)]), pa.string())
            told = pc.and_(pa.array(verdicts.first == index), pc.not_equal(detail, ""))
            found = pc.if_else(told, pc.binary_join_element_wise(rule.name, detail, "."), found)
    return found


def fails(failed: NDArray[np.uint64], number: int) -> NDArray[np.bool_]:
    """Which documents fail the rule of that number, from `Verdicts.failed`."""
    return np.asarray((failed >> np.uint64(number)) & np.uint64(1) == 1)


def rule_names(families: Sequence[Family]) -> list[str]:
    """The names that the numbers in `Verdicts` stand for, in the order in which rules give the reason."""
    return [rule.name for family in families for rule in family.rules]


def rule_of(reason: str, names: Iterable[str]) -> str | None:
    """The rule out of `names` that gives this reason, which may have a detail behind the rule's name; None for none."""
    found = [name for name in names if reason == name or reason.startswith(f"{name}.")]
    return max(found, key=len) if found else None
