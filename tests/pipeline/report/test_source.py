"""Lists that are cut for a page still add up to the whole."""

from typing import Any

import pytest

from pipeline.report.source import COLUMNS, Room, by_date, by_length, shown


def days(names: list[str]) -> dict[str, dict[str, int]]:
    return {"read": dict.fromkeys(names, 3), "kept": dict.fromkeys(names[::2], 1)}


@pytest.mark.parametrize(
    ("names", "first", "columns"),
    [
        ([f"2026-01-{day:02}" for day in range(1, 29)], "2026-01-01", 28),
        ([f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)], "2026-01", 12),
        ([f"{year}-{month:02}-01" for year in range(1990, 2020) for month in range(1, 13)], "1990", 30),
        ([f"{year:04}-01-01" for year in range(1, 2001)], "earlier", COLUMNS + 1),
        (["unknown"], "unknown", 1),
    ],
)
def test_dates_are_folded_until_they_fit(names: list[str], first: str, columns: int) -> None:
    counts = days(names)
    found = by_date(counts)
    assert (found[0].label, len(found)) == (first, columns)
    assert sum(column.read for column in found) == 3 * len(names)
    assert sum(column.kept for column in found) == sum(counts["kept"].values())
    with_unknown = by_date({**counts, "read": {**counts["read"], "unknown": 5}})
    assert with_unknown[-1].label == "unknown"


def test_lengths_are_powers_of_two_without_a_gap() -> None:
    found = by_length({"read": {"0": 4, "512": 1, "4096": 2}, "kept": {"4096": 1}})
    assert [(c.tick, c.read, c.kept) for c in found] == [
        ("0", 4, 0),
        ("512", 1, 0),
        ("1 Ki", 0, 0),
        ("2 Ki", 0, 0),
        ("4 Ki", 2, 1),
    ]
    assert found[1].label == "512 to 1,023 bytes"
    assert by_length({"read": {}, "kept": {}}) == []


def test_rarer_languages_are_summed_and_examples_cut() -> None:
    source: dict[str, Any] = {
        "dropped": {"few": 1, "many": 9},
        "statistics": {"days": {"read": {}, "kept": {}}, "lengths": {"read": {}, "kept": {}}},
        "reference": None,
        "bands": None,
        "languages": {f"l{n:02}": n for n in range(1, 61)},
        "kept_languages": {"l60": 5, "l01": 1},
        "hosts": [],
        "files": [{"file": str(n), "documents": 1, "unreadable": n % 3} for n in range(60)],
    }
    found = shown(source, {"many": [{"id": n} for n in range(10)]}, Room(examples=4, characters=10, rows=50))
    assert [(name, count, len(examples)) for name, count, examples in found.reasons] == [("many", 9, 4), ("few", 1, 0)]
    assert len(found.languages) == 41
    assert found.languages[-1].name == "20 other languages"
    assert sum(language.read for language in found.languages) == sum(range(1, 61))
    assert (found.languages[0].kept, found.languages[-1].kept) == (5, 1)
    assert [file["unreadable"] for file in found.files] == [2] * 20 + [1] * 20 + [0] * 10
