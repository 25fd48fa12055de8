"""A moving window over the bytes of an archive, for who looks for records in them.

What goes in: `Piece`s. What comes out: the bytes at a position, and where in the file that is. What stays true: a
position counts the bytes of all pieces that ever came, so it stays good as the window moves on.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator

from sources.pages import Unreadable
from sources.pieces import Piece

_PADDING = re.compile(rb"[\r\n\0]*")


class ByteRun:
    """The bytes up to the next damage of the archive, of which those from `start` to `end` are at hand.

    When the run is over (`extend` says so), `damage` is what it ended with, None for the end of the archive.
    """

    def __init__(self, pieces: Iterator[Piece | Unreadable], start: int, is_sound: Callable[[int], bool]) -> None:
        self._pieces = pieces
        self._is_sound = is_sound
        self._found_sound: int | None = None
        self.data = b""
        self.start = self.end = start
        self.damage: Unreadable | None = None
        self._over = False
        # Position and offset in the file, of the start of the file or of each gzip member that is still of interest.
        self._marks: deque[tuple[int, int]] = deque()
        self._inflated = False

    def extend(self, keep: int) -> bool:
        """Get more bytes, and let go of those before `keep`; False when there are no more."""
        piece = None if self._over else next(self._pieces, None)
        if not isinstance(piece, Piece):
            self._over = True
            self.damage = self.damage or piece
            return False
        self._inflated = piece.inflated
        if not self._marks or (piece.inflated and piece.offset != self._marks[-1][1]):
            self._marks.append((self.end, piece.offset))
        keep = min(max(keep, self.start), self.end)
        # If nothing is kept, nothing is copied here: the usual case, a record that fills its gzip member.
        self.data, self.start = self.data[keep - self.start :] + piece.data, keep
        self.end = keep + len(self.data)
        return True

    def reach(self, position: int, keep: int) -> bool:
        """Get the bytes up to `position`; False when there are not as many."""
        while self.end < position:
            if not self.extend(keep):
                return False
        return True

    def rewind(self, data: bytes, start: int) -> None:
        """Put back what `data` and `start` were before."""
        self.data = data[: self.start - start] + self.data
        self.start = start

    def bytes_at(self, position: int, end: int) -> bytes:
        return self.data[position - self.start : end - self.start]

    def after_padding(self, position: int) -> int:
        """Where something else than newlines and zeros comes; `end`, and the run is over, if nothing does."""
        while True:
            padding = _PADDING.match(self.data, position - self.start)
            assert padding
            position = self.start + padding.end()
            if position < self.end or not self.extend(position):
                return position

    def offset(self, position: int) -> int:
        """The byte in the file that is at `position`, or the first one of the gzip member that holds it."""
        mark, offset = next(mark for mark in reversed(self._marks) if mark[0] <= position)
        return offset if self._inflated else offset + position - mark

    def forget(self, position: int) -> None:
        """Nobody will ask for the offset of anything before `position`."""
        while len(self._marks) > 1 and self._marks[1][0] <= position:
            self._marks.popleft()

    def checked_until(self) -> int:
        """Up to where checksums have been found right: `end`, or where a gzip member starts that is not done yet."""
        member, offset = self._marks[-1]
        undone = not self._over or (self.damage is not None and self.damage.offset == offset)
        return member if self._inflated and undone else self.end

    def is_doubtful(self, position: int) -> bool:
        """Whether the gzip member at `position` turns out to be damaged, here or further on."""
        if position < self.checked_until() or self._marks[-1][1] == self._found_sound:
            return False
        if self._over or not self._is_sound(self._marks[-1][1]):
            return True
        self._found_sound = self._marks[-1][1]
        return False

    def finish(self) -> None:
        """Let go of all there is up to the end of the run."""
        while self.extend(keep=self.end):
            pass
