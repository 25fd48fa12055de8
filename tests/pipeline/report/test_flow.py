"""Bands and ribbons: their numbers are the summary's, and their widths are shares of it."""

import re
from typing import Any

import pytest

from pipeline.report.flow import Band, levels
from pipeline.report.joining import joined

SOURCE: dict[str, Any] = {
    "read": 100,
    "kept": 20,
    "text_bytes": 500,
    "unique_tokens": 125,
    "funnel": [
        {"stage": "reading", "documents": 80, "text_bytes": 4000},
        {"stage": "language", "documents": 50, "text_bytes": 3900},
        {"stage": "repeated lines", "documents": 20, "text_bytes": 500},
    ],
}


def corners(band: Band) -> list[str]:
    """The widths at which a band's picture begins and ends."""
    return re.findall(r"H([\d.]+)", band.picture)


def test_levels_are_the_funnel_between_what_was_read_and_what_is_kept() -> None:
    found = levels(SOURCE)
    assert [level.stage for level in found] == ["read", "reading", "language", "repeated lines", "kept"]
    assert [level.documents.left for level in found] == [100, 80, 50, 20, 20]
    assert [level.documents.gone for level in found] == [0, 20, 30, 30, 0]
    assert [level.text and level.text.gone for level in found] == [None, 0, 100, 3400, 0]
    # A token has four bytes in what is kept, and is taken to have as many before.
    assert [level.tokens for level in found] == [None, 1000, 975, 125, 125]
    assert [level.exact for level in found] == [False, False, False, False, True]


def test_a_run_without_tokens_estimates_none() -> None:
    assert {level.tokens for level in levels({**SOURCE, "unique_tokens": None})} == {None}


def test_widths_are_shares_of_what_was_read() -> None:
    assert corners(Band(left=50, before=80, whole=100)) == ["50.00", "0", "80.00"]
    assert corners(Band(left=80, before=80, whole=100)) == ["80.00", "0"]
    assert corners(Band(left=0, before=0, whole=0)) == ["0.00", "0"]


def test_text_that_grows_leaves_nowhere() -> None:
    assert "leaves" not in Band(left=90, before=80, whole=100).picture


def mixed(tokens: int, held_out: int) -> dict[str, int]:
    return {"tokens": tokens, "validation_tokens": held_out}


def test_sources_join_in_the_mixture_and_its_shards() -> None:
    summary = {
        "sources": {
            name: {"unique_tokens": n} for name, n in (("a", 100), ("b", 300), ("unused", 600), ("none", None))
        },
        "mixture": {"a": mixed(140, 10), "b": mixed(40, 10)},
        "tokens": {"train": {"a": 140, "b": 40, "total": 180}, "validation": {"a": 10, "b": 10, "total": 20}},
    }
    found = joined(summary)
    assert found
    assert [(s.name, s.start, s.end) for s in found.kept] == [
        ("a", 0, 10),
        ("b", 10, 40),
        ("unused", 40, 100),
        ("none", 100, 100),
    ]
    assert [(s.name, s.tokens, s.end - s.start) for s in found.mixture] == [("a", 150, 75), ("b", 50, 25)]
    assert [(s.name, s.end - s.start) for s in found.shards] == [
        ("train: a", pytest.approx(70)),
        ("train: b", pytest.approx(20)),
        ("validation: a", pytest.approx(5)),
        ("validation: b", pytest.approx(5)),
    ]
    starts = [tuple(map(float, pair)) for pair in re.findall(r'd="M([\d.]+) 0H([\d.]+)', found.into_shards)]
    assert sorted(starts) == [(0, 70), (70, 75), (75, 95), (95, 100)]
    assert joined({**summary, "mixture": None}) is None
