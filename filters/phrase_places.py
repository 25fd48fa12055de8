"""Where in a text the phrases stand that `kernels.phrases` counts, which says how many and not where.

In come a text and a trie of phrases, out come places. What stays true: as many as the kernel counts; only this is for
a page somebody looks at, and not for a crawl.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from filters.seen import Span
from kernels.characters import MARK, PUNCTUATION, SCRIPT, SPACE, SYMBOL, UNSPACED, WORD, characters
from kernels.phrase_trie import BLANK, ROOT, Phrases

_POINT_BITS = 21
_SIGN = PUNCTUATION | SYMBOL
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


@dataclass(frozen=True)
class Trie:
    """`Phrases` for Python: `steps` has them by `node << 21 | point`; a phrase ends at the nodes of `ends`."""

    steps: Mapping[int, int]
    ends: frozenset[int]

    @classmethod
    def of(cls, phrases: Phrases) -> Self:
        steps = dict(zip(phrases.keys.tolist(), phrases.to.tolist(), strict=True))
        steps.pop(0, None)
        return cls(steps, frozenset(np.flatnonzero(phrases.ends >= 0).tolist()))


@dataclass(frozen=True)
class _Letter:
    """A character that counts: where it is, without case, and what kernels know of it."""

    place: int
    folded: int
    flags: int


def places(text: str, trie: Trie) -> Iterator[Span]:
    """Where phrases stand, from left to right, the longest one at each place, none inside another."""
    letters = _letters(text)
    at, before = 0, 0
    while at < len(letters):
        flags = letters[at].flags
        end, kind = at, 0
        if _is_parted(before, flags, _kind(0, flags), starts=True):
            end, kind = _longest(letters, at, trie)
        if end > at:
            yield letters[at].place, letters[end - 1].place + 1
            at, before = end, kind
        else:
            at, before = at + 1, _kind(before, flags)


def _letters(text: str) -> list[_Letter]:
    """The characters without those that count for nothing: format characters and variation selectors."""
    tables = characters()
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    entries = tables.block[points >> 8].astype(np.int64) << 8 | points & 255
    flags = tables.flags[entries].astype(np.int64)
    counts = flags & (MARK | WORD) != MARK
    for selectors in _SELECTORS:
        counts &= (points < selectors.start) | (points >= selectors.stop)
    folded = points + tables.fold[entries]
    shown = np.flatnonzero(counts)
    columns = (shown.tolist(), folded[shown].tolist(), flags[shown].tolist())
    return [_Letter(*letter) for letter in zip(*columns, strict=True)]


def _longest(letters: list[_Letter], start: int, trie: Trie) -> tuple[int, int]:
    """Where the longest phrase from `start` on ends and the kind of its end; `start` if none stands there."""
    best, best_kind = start, 0
    node, kind, at = ROOT, 0, start
    while at < len(letters):
        letter = letters[at]
        at += 1
        point = BLANK if letter.flags & SPACE else letter.folded
        node = trie.steps.get(node << _POINT_BITS | point, 0)
        if not node:
            break
        # Not before it is known that the phrase goes on: a page of nothing but new lines would take hours.
        while letter.flags & SPACE and at < len(letters) and letters[at].flags & SPACE:
            at += 1
        kind = _kind(kind, letter.flags)
        if node in trie.ends and _may_end(letters, at, kind):
            best, best_kind = at, kind
    return best, best_kind


def _may_end(letters: list[_Letter], end: int, kind: int) -> bool:
    if end == len(letters):
        return True
    outside = letters[end].flags
    if outside & MARK and kind:
        return False
    return _is_parted(_kind(0, outside), letters[end - 1].flags, kind, starts=False)


def _kind(before: int, flags: int) -> int:
    """WORD with its script of a character of a word, a mark having that of the letter before it; 0 of any other."""
    if not flags & WORD:
        return 0
    return before if flags & MARK and before else flags & SCRIPT | WORD


def _is_parted(outside: int, flags: int, kind: int, starts: bool) -> bool:
    """Whether a phrase's edge, a character of these flags and kind, may stand beside one of kind `outside`."""
    if not outside:
        return True
    if not kind:
        return not flags & _SIGN or outside != WORD
    if starts and flags & MARK:
        return False
    return outside & SCRIPT == UNSPACED or outside != kind
