"""What the report shows of one source, as lists that are short enough for a page.

What goes in: a source of a run's summary, and its examples. What comes out: rows for tables, and charts. What stays
true: what has no room is summed or counted, so that a table still adds up to the whole.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pipeline.report.columns import Column, columns
from pipeline.report.reference_curves import Curves, curves
from pipeline.verdicts import KEPT

# More columns than these are folded: days to months, months to years.
COLUMNS = 60
UNKNOWN, EARLIER = "unknown", "earlier"


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a run is shown: examples of a reason, characters of each, rows of a table; whether the signals, and
    the tables behind their charts; how many sources have more than a row in a table, None for all.
    """

    examples: int
    characters: int
    rows: int
    tables: bool = True
    signals: bool = True
    sources: int | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """`name`'s documents: read and kept."""

    name: str
    read: int
    kept: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A source on the page. `files` are as summary.json has them, those with most unreadable records first."""

    reasons: Sequence[tuple[str, int, Sequence[Mapping[str, Any]]]]
    examples: Sequence[Mapping[str, Any]]
    languages: Sequence[Split]
    hosts: Sequence[Split]
    lengths: Sequence[Column]
    length_chart: Markup | None
    dates: Sequence[Column]
    date_chart: Markup | None
    files: Sequence[Mapping[str, Any]]
    bands: Sequence[Mapping[str, Any]]
    curves: Curves | None


def shown(source: Mapping[str, Any], examples: Mapping[str, Sequence[Mapping[str, Any]]], room: Room) -> Shown:
    statistics, reference = source["statistics"], source["reference"]
    ordered = sorted(source["dropped"].items(), key=lambda item: (-item[1], item[0]))
    dates, lengths = by_date(statistics["days"]), by_length(statistics["lengths"])
    return Shown(
        reasons=[(reason, count, examples.get(reason, [])[: room.examples]) for reason, count in ordered],
        examples=examples.get(KEPT, [])[: room.examples],
        languages=_most(source["languages"], source["kept_languages"], min(room.rows, 40), "other languages"),
        hosts=[Split(*row) for row in source["hosts"][: room.rows]],
        lengths=lengths,
        length_chart=columns(lengths, "text, bytes", "documents by the length of their text") if lengths else None,
        dates=dates,
        date_chart=columns(dates, _unit_of(dates), "documents by the date of the crawl") if _known(dates) else None,
        files=sorted(source["files"], key=lambda row: -row["unreadable"])[: room.rows],
        bands=_bands(source["bands"] or [], room),
        curves=curves(reference["figures"]) if reference and reference["figures"] else None,
    )


def _most(read: Mapping[str, int], kept: Mapping[str, int], most: int, others: str) -> list[Split]:
    """The `most` with the most documents, and all others as one."""
    rows = sorted(
        (Split(name, count, kept.get(name, 0)) for name, count in read.items()), key=lambda r: (-r.read, r.name)
    )
    rest = rows[most:]
    if not rest:
        return rows
    return [*rows[:most], Split(f"{len(rest)} {others}", sum(r.read for r in rest), sum(r.kept for r in rest))]


def by_length(lengths: Mapping[str, Mapping[str, int]]) -> list[Column]:
    """A column for each power of two between the shortest and the longest text, and one for texts without any byte."""
    sizes = sorted(map(int, lengths["read"]))
    powers = [size for size in sizes if size]
    wanted = [0] if 0 in sizes else []
    if powers:
        wanted += [1 << n for n in range(powers[0].bit_length() - 1, powers[-1].bit_length())]
    return [
        Column(
            _power(size),
            f"{size:,} to {2 * size - 1:,} bytes" if size else "0 bytes",
            lengths["read"].get(str(size), 0),
            lengths["kept"].get(str(size), 0),
        )
        for size in wanted
    ]


def _power(size: int) -> str:
    """A power of two in the units that have it whole."""
    for shift, unit in ((30, " Gi"), (20, " Mi"), (10, " Ki")):
        if size >= 1 << shift:
            return f"{size >> shift}{unit}"
    return str(size)


def by_date(days: Mapping[str, Mapping[str, int]]) -> list[Column]:
    """A column for each day with documents; beyond COLUMNS of them for each month, or each year."""
    for characters in (len("2026-01-02"), len("2026-01"), len("2026")):
        read, kept = (_folded(days[name], characters) for name in ("read", "kept"))
        if len(read) <= COLUMNS:
            return _dated(read, kept, sorted(read))
    # Dates that servers made up reach from the year 1 to the year 9999.
    known = sorted(read.keys() - {UNKNOWN})
    early, late = known[:-COLUMNS], known[-COLUMNS:]
    read[EARLIER], kept[EARLIER] = (sum(counts[year] for year in early) for counts in (read, kept))
    ends = [EARLIER] if early else [], [UNKNOWN] if UNKNOWN in read else []
    return _dated(read, kept, [*ends[0], *late, *ends[1]])


def _folded(days: Mapping[str, int], characters: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for day, count in days.items():
        found[day if day == UNKNOWN else day[:characters]] += count
    return found


def _dated(read: Mapping[str, int], kept: Mapping[str, int], names: Iterable[str]) -> list[Column]:
    return [Column(name, name, read[name], kept[name]) for name in names]


def _known(dates: Sequence[Column]) -> list[str]:
    return [column.label for column in dates if column.label not in (UNKNOWN, EARLIER)]


def _unit_of(dates: Sequence[Column]) -> str:
    """What a column of dates is one of."""
    return {4: "years with documents", 7: "months with documents", 10: "days with documents"}[len(_known(dates)[0])]


def _bands(bands: Sequence[Mapping[str, Any]], room: Room) -> list[dict[str, Any]]:
    return [{**band, **{end: band[end][: room.examples] for end in ("best", "worst")}} for band in bands]
