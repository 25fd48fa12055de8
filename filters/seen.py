"""One text as a family of rules saw it, for whoever marks in it what a rule was measured on.

In comes a text with its family, language and URL; out come places in it, in characters (kernels count bytes), and the
family's signals of the text and of its parts. What stays true: words, lines and numbers are those of the kernels.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.family import Columns, Family
from kernels.texts import Texts

# Where something starts, and where it has ended.
Span = tuple[int, int]


@dataclass(frozen=True)
class Seen:
    """The text as the family got it, before it rewrote it."""

    family: Family
    text: str
    language: str | None
    url: str

    @cached_property
    def texts(self) -> Texts:
        return Texts.of([self.text], [self.language], [self.url])

    @cached_property
    def signals(self) -> dict[str, Any]:
        """The family's signals of the text."""
        measured, _ = self.family.measure(self.texts, **self.family.parameters)
        return {name: column[0] for name, column in measured.items()}

    def signals_of(self, spans: Sequence[Span]) -> Columns:
        """The family's signals of each part of the text, as if it were the whole."""
        parts = Texts.of([self.text[start:end] for start, end in spans], [self.language] * len(spans))
        return self.family.measure(parts, **self.family.parameters)[0]

    @cached_property
    def words(self) -> list[Span]:
        """The words, as `kernels.words` finds them."""
        found = self.texts.words
        return self.spans(found.start, found.start + found.size)

    @cached_property
    def lines(self) -> list[Span]:
        """The lines that new lines part."""
        return list(parted(self.text, re.compile("\n"), 0, len(self.text)))

    @cached_property
    def any_lines(self) -> list[Span]:
        """The lines of `str.splitlines`, without what ends them."""
        found, start = [], 0
        for line in self.text.splitlines(keepends=True):
            found.append((start, start + len(line.splitlines()[0])))
            start += len(line)
        return found

    def spans(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> list[Span]:
        """Places in bytes as places in characters."""
        before = np.concatenate([[0], np.cumsum(self.texts.data & 0xC0 != 0x80)])
        return list(zip(before[starts].tolist(), before[ends].tolist(), strict=True))


# What marks the text for one rule: places in any order, and a sentence, "" where they say it all.
Finder = Callable[[Seen], tuple[Iterable[Span], str]]


def parted(text: str, separator: re.Pattern[str], start: int, end: int) -> Iterator[Span]:
    """What `re.split` gives of `text[start:end]`."""
    for match in separator.finditer(text, start, end):
        yield start, match.start()
        start = match.end()
    yield start, end


def stripped(text: str, span: Span) -> Span:
    """What `str.strip` leaves of it."""
    start, end = span
    part = text[start:end]
    return end - len(part.lstrip()), start + len(part.rstrip())


def repeated(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Those whose text an earlier one has."""
    known = set()
    for start, end in spans:
        part = text[start:end]
        if part in known:
            yield start, end
        known.add(part)


def counted(number: int, thing: str) -> str:
    """ "no word", "1 word", "1,200 words"."""
    return f"{number or 'no'} {thing}" if number < 2 else f"{number:,} {thing}s"


def said(signal: str, thing: str) -> Finder:
    """A rule on how much there is of something, which is no place: how much that is."""
    return lambda seen: ((), counted(int(seen.signals[signal]), thing))
