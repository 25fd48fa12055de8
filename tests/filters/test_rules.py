import json
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from filters import rules
from filters.family import Family, Rule
from kernels.texts import Texts

FINEWEB = ["gopher_repetition", "gopher_quality", {"c4": {"terminal_punctuation": False}}, "fineweb"]


def texts(*values: str) -> Texts:
    return Texts.of(values)


def test_rule_names_are_unique_and_begin_with_their_system() -> None:
    names = rules.rule_names(rules.resolve(FINEWEB))
    assert len(names) == len(set(names)) == 32
    assert {name.split("_")[0] for name in names} == {"gopher", "c4", "fineweb"}


def test_every_rule_has_a_signal_and_an_origin() -> None:
    for family in rules.FAMILIES.values():
        assert all(rule.signal in family.signals and rule.origin for rule in family.rules)


def test_one_column_per_signal_with_its_type() -> None:
    families = rules.resolve(FINEWEB)
    columns, finals = rules.measure(texts("One.", "Two words."), families)
    assert list(columns) == [f"{family.name}_{signal}" for family in families for signal in family.signals]
    assert columns["gopher_quality_words"].dtype == np.int64
    assert columns["gopher_quality_words"].tolist() == [1, 2]
    assert columns["gopher_quality_mean_word_length"].dtype == np.float64
    assert columns["gopher_quality_mean_word_length"].tolist() == [4.0, 4.5]
    empty, none = rules.measure(texts(), families)
    assert {name: column.dtype for name, column in empty.items()} == {n: c.dtype for n, c in columns.items()}
    assert len(finals) == 2
    assert len(none) == 0


def test_measuring_sets_every_signal_and_no_other() -> None:
    for family in rules.FAMILIES.values():
        values, _ = family.measure(texts("A line. And another."), **family.parameters)
        assert set(values) == set(family.signals)


def test_the_texts_are_the_same_unless_a_family_rewrites() -> None:
    given = texts("One.")
    assert rules.measure(given, rules.resolve(["gopher_quality", "fineweb"]))[1] is given
    assert rules.measure(given, [])[1] is given


def test_a_bound_is_judged_on_and_not_measured_with() -> None:
    [family] = rules.resolve(["c4"])
    [looser] = rules.resolve([{"c4": {"min_sentences": 3}}])
    [other] = rules.resolve([{"c4": {"terminal_punctuation": False}}])
    assert looser.measuring == family.measuring != other.measuring
    assert looser.bounds != family.bounds == other.bounds
    assert json.loads(json.dumps([family.measuring, family.bounds])) == [
        {"family": "c4", "terminal_punctuation": True, "min_words_per_line": 3, "max_word_length": 1000},
        {"max_lorem_ipsum": 0, "max_curly_bracket": 0, "min_sentences": 5},
    ]


def test_a_bound_of_none_takes_its_rule_out() -> None:
    families = rules.resolve([{"gopher_quality": {"min_words": None, "max_words": 70}}])
    assert "gopher_too_few_words" not in rules.rule_names(families)
    assert "min_words" not in families[0].bounds
    assert families[0].bounds["max_words"] == 70
    # The families that others get are as they were.
    assert rules.resolve(["gopher_quality"])[0].bounds["min_words"] == 50


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("c4", "must be a list of families, not 'c4'; known are gopher_quality, gopher_repetition, c4, fineweb, "),
        (["gopher_qualty"], "no family 'gopher_qualty'; the nearest is 'gopher_quality'"),
        ([{"C4": {}}], "no family 'C4'; the nearest is 'c4'"),
        ([3], "3 is neither the name of a family nor"),
        ([{"c4": {}, "fineweb": {}}], "is neither the name of a family nor"),
        ([{"c4": None}], "c4 takes {parameter: value}, not None"),
        (["c4", {"c4": {}}], "name 'c4' twice"),
        ([{"c4": {"min_sentence": 3}}], "c4 has no parameter 'min_sentence'; the nearest is 'min_sentences'"),
        ([{"c4": {7: 3}}], "c4 has no parameter 7; the nearest is"),
        ([{"fineweb": {"min_words": 3}}], "fineweb has no parameter 'min_words'; the nearest is 'min_lines'"),
        ([{"c4": {"min_sentences": True}}], "min_sentences must be a number, or null for no such rule, not True"),
        ([{"c4": {"min_sentences": "5"}}], "min_sentences must be a number, or null for no such rule, not '5'"),
        ([{"c4": {"min_sentences": float("nan")}}], "min_sentences must be a number"),
        ([{"c4": {"min_words_per_line": True}}], "min_words_per_line must be of type int, not True"),
        ([{"c4": {"min_words_per_line": 2.5}}], "min_words_per_line must be of type int, not 2.5"),
        ([{"c4": {"max_word_length": None}}], "max_word_length must be of type int, not None"),
        ([{"refinedweb": {"max_uppercase_ratio": float("nan")}}], "max_uppercase_ratio must be of type float, not nan"),
        ([{"refinedweb": {"max_uppercase_ratio": True}}], "max_uppercase_ratio must be of type float, not True"),
        ([{"gopher_quality": {"by_language": 3}}], "by_language must be of type bool, not 3"),
        ([{"c4": {"terminal_punctuation": 0}}], "terminal_punctuation must be of type bool, not 0"),
    ],
)
def test_a_mistake_is_named_with_the_nearest(spec: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        rules.resolve(spec)


def unmeasured(texts: Texts) -> tuple[dict[str, Any], Texts]:
    raise NotImplementedError


FIRST = Family(
    "first", unmeasured, {"a": int, "b": float}, (Rule("low", "a", "min", 2, "-"), Rule("high", "b", "max", 0.5, "-"))
)
PLACES = Family(
    "places",
    unmeasured,
    {"x": int, "y": int},
    (Rule("x", "x", "max", 0, "-", is_place=True), Rule("y", "y", "max", 0, "-", is_place=True)),
)


def test_verdicts() -> None:
    signals = {
        "first_a": np.array([2, 1, 2, 1, 2, 2, 2, 1]),
        "first_b": np.array([0.5, 0.5, 0.6, 0.6, 0, 0, 0, 0]),
        "places_x": np.array([0, 0, 0, 0, 7, 7, 7, 7]),
        "places_y": np.array([0, 0, 0, 1, 0, 3, 7, 3]),
    }
    verdicts = rules.judge([FIRST, PLACES], signals, 8)
    assert verdicts.first.dtype == np.int16
    assert verdicts.failed.dtype == np.uint64
    names = [*rules.rule_names([FIRST, PLACES]), "passes"]
    assert [names[first] for first in verdicts.first] == ["passes", "low", "high", "low", "x", "y", "x", "low"]
    assert verdicts.failed.tolist() == [0, 0b1, 0b10, 0b1011, 0b100, 0b1100, 0b1100, 0b1101]


def test_signals_may_be_an_arrow_table() -> None:
    families = rules.resolve(FINEWEB)
    columns, _ = rules.measure(texts("", "One.", "lorem ipsum { dolor." * 20), families)
    table = pa.concat_tables([pa.table(columns).slice(0, 1), pa.table(columns).slice(1)])
    by_array, by_table = rules.judge(families, columns, 3), rules.judge(families, table, 3)
    assert by_array.first.tolist() == by_table.first.tolist()
    assert by_array.failed.tolist() == by_table.failed.tolist()


def test_without_rules_all_pass() -> None:
    verdicts = rules.judge([], {}, 3)
    assert verdicts.first.tolist() == [-1, -1, -1]
    assert verdicts.failed.tolist() == [0, 0, 0]
