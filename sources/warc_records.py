"""WARC records out of the pieces of an archive, one after the other, and on past damage.

What goes in: `Piece`s, with an `Unreadable` wherever the archive itself is damaged. What comes out: a `Record` for
each whole record, and one `Unreadable` for each damage. What stays true: a record is handed on only when what follows
it has been seen to be right (another record, or the end), so never one that ends elsewhere than it says.

FastWARC does not tell the whole from the broken: it takes a Content-Length it cannot read for 0, hands out a body
that is cut off as if it were all, and raises at what is no record without a way on.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from sources.http_response import Fields, parse_fields
from sources.pages import Unreadable
from sources.pieces import Piece, looks_like

# Common Crawl cuts pages off at 5 MB. What is larger than this (a video, mostly) is passed over without being kept.
MAX_CONTENT = 1 << 24

_MAX_HEAD = 1 << 16
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_PADDING = re.compile(rb"[\r\n\0]*")

# A line that starts a record; no longer than the bytes below.
_VERSION = re.compile(rb"WARC/\d{1,2}\.\d{1,3}\r?\n")
_VERSION_BYTES = 13
_TYPE = re.compile(rb"^WARC-Type[ \t]*:", re.I | re.M)


@dataclass(frozen=True, slots=True)
class Record:
    """A record. `content` is all `length` bytes of it, or the first 64 KB if there are more than `MAX_CONTENT`."""

    offset: int
    fields: Fields
    content: bytes
    length: int


class _DamageError(Exception):
    """No record can be read; the text is for the user. `cut` is set where the bytes ran out."""

    def __init__(self, cause: str, *, cut: bool = False) -> None:
        super().__init__(cause)
        self.cut = cut


class _Run:
    """The bytes up to the next damage of the archive, of which those from `start` to `end` are in `data`.

    Positions count the bytes of all pieces. `damage` is what the run ended with, None at the end of the archive.
    """

    def __init__(self, pieces: Iterator[Piece | Unreadable], start: int) -> None:
        self._pieces = pieces
        self.data, self.start = b"", start
        self.over = False
        self.damage: Unreadable | None = None
        # Position, offset in the file, and whether it is a gzip member (that the bytes from there on are all from).
        self._marks: deque[tuple[int, int, bool]] = deque()

    @property
    def end(self) -> int:
        return self.start + len(self.data)

    def extend(self, keep: int) -> bool:
        """Get more bytes, and let go of those before `keep`; False when there are no more."""
        piece = None if self.over else next(self._pieces, None)
        if not isinstance(piece, Piece):
            self.damage = self.damage or piece
            self.over = True
            return False
        if not self._marks or (piece.inflated and piece.offset != self._marks[-1][1]):
            self._marks.append((self.end, piece.offset, piece.inflated))
        keep = min(max(keep, self.start), self.end)
        self.data, self.start = self.data[keep - self.start :] + piece.data, keep
        return True

    def reach(self, position: int, keep: int) -> bool:
        """Have all bytes from `keep` up to `position`; False when there are not as many."""
        while self.end < position and self.extend(keep):
            pass
        return self.end >= position

    def bytes_at(self, start: int, end: int) -> bytes:
        return self.data[start - self.start : end - self.start]

    def after_padding(self, position: int) -> int:
        """Where behind newlines and zeros something comes; `end` if nothing does."""
        while True:
            padding = _PADDING.match(self.data, position - self.start)
            assert padding
            position = self.start + padding.end()
            if position < self.end or not self.extend(position):
                return position

    def offset(self, position: int) -> int:
        """The byte in the file where `position` is, or where the gzip member that holds it starts."""
        mark, offset, inflated = next(m for m in reversed(self._marks) if m[0] <= position)
        return offset if inflated else offset + position - mark

    def forget_marks(self, position: int) -> None:
        while len(self._marks) > 1 and self._marks[1][0] <= position:
            self._marks.popleft()

    def is_damaged_from(self) -> int:
        """Where the bytes of the damaged gzip member start that the run ended with."""
        assert self.damage
        return next((mark for mark, offset, _ in self._marks if offset == self.damage.offset), self.end)

    def head(self, position: int) -> bytes | None:
        """The header that starts at `position`, with the empty line behind it; None if it does not end."""
        while True:
            at = position - self.start
            found = _HEAD_END.search(self.data, at, at + _MAX_HEAD)
            if found:
                return self.data[at : found.end()]
            if self.end - position >= _MAX_HEAD or not self.extend(position):
                return None

    def find_record(self, position: int, limit: int | None = None) -> int | None:
        """Where from `position` on (and before `limit`) the next record starts: at a line, or a gzip member."""
        ...
