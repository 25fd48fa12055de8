"""Lines and paragraphs, as the rules of Gopher, C4, FineWeb and RefinedWeb are measured on them.

In comes a text as a family saw it, out come the places that its signal counts. What stays true: where a family judges
line by line, it is the family itself that says which line it is; nothing of its rules is written down again here.
"""

import re
from collections.abc import Iterable
from itertools import chain

import numpy as np

from filters.seen import Finder, Seen, Span, counted, parted, repeated, stripped

_NEW_LINES, _BLANK_LINES = re.compile("\n+"), re.compile("\n{2,}")
_BULLETS, _ELLIPSES = ("•", "-"), ("...", "…")
# Wikipedia's marks, which c4 takes out of a line before it looks at it.
_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
_LOREM_IPSUM = re.compile("lorem ipsum", re.IGNORECASE | re.ASCII)
_CURLY_BRACKET = re.compile(r"\{")
# Where a boundary between sentences starts, with the quotes and brackets that close there, or a line ends.
_SENTENCE_END = re.compile(r"""[.!?]["'”’»)\]]*(?=\s|\Z)|\S\Z""")


def duplicate_paragraphs(seen: Seen) -> tuple[Iterable[Span], str]:
    return repeated(seen.text, parted(seen.text, _BLANK_LINES, *stripped(seen.text, (0, len(seen.text))))), ""


def duplicate_lines(seen: Seen) -> tuple[Iterable[Span], str]:
    return repeated(seen.text, parted(seen.text, _NEW_LINES, 0, len(seen.text))), ""


def duplicate_filled_lines(seen: Seen) -> tuple[Iterable[Span], str]:
    return repeated(seen.text, (line for line in seen.lines if seen.text[slice(*line)].strip())), ""


def bullet_lines(seen: Seen) -> tuple[Iterable[Span], str]:
    lines = [stripped(seen.text, line) for line in seen.any_lines]
    return _share([line for line in lines if seen.text.startswith(_BULLETS, *line)], lines)


def ellipsis_lines(seen: Seen) -> tuple[Iterable[Span], str]:
    lines = [stripped(seen.text, line) for line in seen.any_lines]
    return _share([line for line in lines if seen.text.endswith(_ELLIPSES, *line)], lines)


def _share(found: list[Span], lines: list[Span]) -> tuple[list[Span], str]:
    return found, f"{len(found):,} of {counted(len(lines), 'line')}"


def lines_whose(signal: str, value: int) -> Finder:
    """The lines of fineweb's that are not blank, and whose `signal` alone is `value`."""

    def find(seen: Seen) -> tuple[Iterable[Span], str]:
        columns = seen.signals_of(seen.lines)
        filled, hits = columns["lines"] > 0, columns[signal] == value
        lines = [line for line, is_filled in zip(seen.lines, filled.tolist(), strict=True) if is_filled]
        found = [line for line, hit in zip(lines, hits[filled].tolist(), strict=True) if hit]
        return _share(found, lines)

    return find


def new_lines(seen: Seen) -> tuple[Iterable[Span], str]:
    """A new line can hardly be seen when it is marked, so the numbers are said as well."""
    found = [(end, end + 1) for _, end in seen.lines[:-1]]
    return found, f"{counted(len(found), 'new line')}, {counted(len(seen.words), 'word')}"


def removed_lines(seen: Seen) -> tuple[Iterable[Span], str]:
    """Those that refinedweb takes out, and for what."""
    kinds = [name for name in seen.family.signals if name.endswith("_lines")]
    columns = seen.signals_of(seen.lines)
    removed = np.any([columns[kind] > 0 for kind in kinds], axis=0).tolist()
    found = [stripped(seen.text, line) for line, is_removed in zip(seen.lines, removed, strict=True) if is_removed]
    said = [
        counted(int(seen.signals[kind]), kind.removesuffix("_lines").replace("_", "-") + " line")
        for kind in kinds
        if seen.signals[kind]
    ]
    return found, ", ".join(said)


def lorem_ipsum(seen: Seen) -> tuple[Iterable[Span], str]:
    return _in_lines(seen, "lorem_ipsum", _LOREM_IPSUM), ""


def curly_brackets(seen: Seen) -> tuple[Iterable[Span], str]:
    return _in_lines(seen, "curly_bracket", _CURLY_BRACKET), ""


def sentence_ends(seen: Seen) -> tuple[Iterable[Span], str]:
    lines = int((seen.signals_of(seen.any_lines)["sentences"] > 0).sum())
    kept = (
        f"{counted(int(seen.signals['sentences']), 'sentence')} in {counted(lines, 'line')} of {len(seen.any_lines):,}"
    )
    return _in_lines(seen, "sentences", _SENTENCE_END), kept


def _in_lines(seen: Seen, signal: str, pattern: re.Pattern[str]) -> Iterable[Span]:
    """What a pattern finds in the lines that add to `signal`, as c4 sees them."""
    counts = seen.signals_of(seen.any_lines)[signal].tolist()
    lines = (line for line, count in zip(seen.any_lines, counts, strict=True) if count)
    return chain.from_iterable(_in_line(seen.text, line, pattern) for line in lines)


def _in_line(text: str, line: Span, pattern: re.Pattern[str]) -> Iterable[Span]:
    """Places in the line that the pattern finds in what is left of it without citation marks."""
    pieces = list(parted(text, _CITATION, *line))
    left = "".join(text[start:end] for start, end in pieces)
    places = [place for start, end in pieces for place in range(start, end)]
    for match in pattern.finditer(left, *stripped(left, (0, len(left)))):
        yield places[match.start()], places[match.end() - 1] + 1
