"""The page, and the tables in the terminal, on two runs held against each other. No network, no script.

What goes in: a `Comparison`. What comes out: HTML with what differs first, then the numbers and the documents behind
it. What stays true: the numbers are the comparison's and no others; a URL and a text never become markup, and what
cannot be seen in them is made visible.
"""

from collections.abc import Callable, Sequence
from typing import Any

import yaml
from rich.markup import escape
from rich.table import Table

from corpus import storage
from pipeline.compare.comparison import Amount, Comparison, Number, Setting, compare
from pipeline.compare.moves import NOT_READ, Moves
from pipeline.console import table
from pipeline.report.page_text import environment
from pipeline.summary import of_finished
from pipeline.verdicts import KEPT

NONE = "–"
FATES = (KEPT, "dropped", NOT_READ)


def write(root: str, other_root: str, progress: Callable[[int, int], None]) -> tuple[Comparison, str]:
    """Hold the run in `root` against the one in `other_root`; returns what differs and the page's path.

    Raises `ValueError` for a folder that holds no finished run whose steps are all there.
    """
    summaries = of_finished(root), of_finished(other_root)
    comparison = compare(root, summaries[0], other_root, summaries[1], progress)
    page = storage.join(root, f"against-{_last_part(other_root)}.html")
    storage.write_bytes(page, render(comparison).encode())
    return comparison, page


def _last_part(folder: str) -> str:
    return (storage.local_path(folder) or folder).rstrip("/").rsplit("/", 1)[-1]


def render(comparison: Comparison) -> str:
    """The page for a comparison: the same comparison, the same bytes."""
    template = environment().get_template("compare/page.html.j2")
    return template.render(
        title=f"{_last_part(comparison.here)} against {_last_part(comparison.there)}",
        comparison=comparison,
        verdict=verdict(comparison),
        sources=[
            {
                "name": source.name,
                "counts": _rows(source.counts),
                "funnel": _rows(source.funnel),
                "reasons": _rows(source.reasons),
                "languages": _rows(source.languages),
                "documents": source.documents,
                "fates": crosstab(source.documents),
            }
            for source in comparison.sources
        ],
        mixture=_rows(comparison.mixture),
        shares=_rows(comparison.shares),
        proxy=_rows(comparison.proxy),
        fate_names=FATES,
        warnings=[],
        config=yaml.safe_dump(
            {"here": comparison.recipes[0], "there": comparison.recipes[1]}, sort_keys=False, allow_unicode=True
        ),
    )


def verdict(comparison: Comparison) -> str:
    """What differs, in a sentence."""
    if not comparison.differs:
        return "Nothing differs: recipes, versions, counts and documents are the same."
    keys = len(comparison.settings)
    here = sum(source.documents.kept_only_here for source in comparison.sources)
    there = sum(source.documents.kept_only_there for source in comparison.sources)
    both = sum(source.documents.count(KEPT, KEPT) for source in comparison.sources)
    return (
        f"{keys:,} {'key' if keys == 1 else 'keys'} of the recipe {'differs' if keys == 1 else 'differ'}. "
        f"Of sources that both have, {both:,} documents are kept by both, {here:,} only here, {there:,} only there."
    )


def crosstab(moves: Moves) -> list[dict[str, Any]]:
    """A row for each fate here, with documents by their fate there and in all; a last row of sums."""
    rows = []
    for here, title in [*((fate, f"{fate} here") for fate in FATES), (None, "all")]:
        # What neither has read nobody has counted.
        cells = [None if here == there == NOT_READ else moves.count(here, there) for there in FATES]
        rows.append({"title": title, "cells": cells, "all": moves.count(here)})
    return rows


def _rows(amounts: Sequence[Amount]) -> list[dict[str, Any]]:
    """Numbers in words, and a bar from the middle of its cell: to the right where there is more here."""
    most = max((abs(amount.difference or 0) for amount in amounts), default=0) or 1
    rows = []
    for amount in amounts:
        width = round(50 * abs(amount.difference or 0) / most, 2)
        more = (amount.difference or 0) > 0
        rows.append({**_words(amount), "more": more, "left": 50 if more else round(50 - width, 2), "width": width})
    return rows


def _words(amount: Amount) -> dict[str, str]:
    difference, there = amount.difference, amount.there
    return {
        "name": amount.name,
        "here": _number(amount.here),
        "there": _number(there),
        "difference": NONE if difference is None else _number(difference, "+") if difference else "0",
        "percent": f"{100 * difference / there:+.1f} %" if difference and there else "0" if difference == 0 else NONE,
    }


def _number(value: Number | None, sign: str = "") -> str:
    if value is None:
        return NONE
    return f"{value:{sign},}" if isinstance(value, int) else f"{value:{sign}.3f}"


def tables(comparison: Comparison) -> list[Table]:
    """What a person reads in the terminal: what was asked for, what came of it, and which documents are kept."""
    made = []
    for title, found in (("Recipe", comparison.settings), ("Versions", comparison.versions)):
        if found:
            made.append(table(title, ["key", "here", "there"], [_setting(setting) for setting in found]))
    counts, kept = [], []
    for source in comparison.sources:
        for words in map(_words, source.counts):
            counts.append((source.name, *words.values()))
        moves = source.documents
        neither = moves.count("dropped", "dropped")
        kept.append((source.name, moves.count(KEPT, KEPT), moves.kept_only_here, moves.kept_only_there, neither))
    if counts:
        made.append(table("Counts", ["source", "", "here", "there", "difference", "% of there"], counts))
        made.append(table("Documents kept", ["source", "by both", "only here", "only there", "by neither"], kept))
    alone = [(name, "only here") for name in comparison.only_here]
    alone += [(name, "only there") for name in comparison.only_there]
    if alone:
        made.append(table("Sources of one run", ["source", ""], alone))
    return made


def _setting(setting: Setting) -> tuple[str, str, str]:
    here, there = (NONE if value is None else escape(value) for value in (setting.here, setting.there))
    return escape(setting.name), here, there
