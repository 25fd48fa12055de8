"""A gzip file, inflated member after member, and on past damage.

What goes in: an open file; a crawl's .warc.gz has one gzip member per record, but any gzip will do. What comes out:
`Piece`s of inflated bytes in order, and an `Unreadable` where there is damage. What stays true: when a piece of the
next member comes, the checksum of the one before was right; and no more than a few MB are in memory.
"""

import zlib
from collections.abc import Iterator
from typing import IO, cast

from isal import isal_zlib

from sources.pages import Unreadable
from sources.pieces import Piece, looks_like

MAGIC = b"\x1f\x8b\x08"

# What is left of a chunk behind each member is copied, so it should not hold many members; a crawl's have 5 to 40 KB.
_CHUNK = 1 << 16
_MAX_PIECE = 1 << 20

# isal's type stubs take the class for an instance.
_INFLATE_ERROR = cast(type[Exception], isal_zlib.error)


class _DamageError(Exception):
    """The member being read is damaged; the text is what a user is told."""


class _Source:
    """A file read in chunks. `rest` is what of the chunk has not been used, `position` the byte it starts at."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.seek(0)

    def seek(self, position: int) -> None:
        self.file.seek(position)
        self.position = position
        self.rest = b""

    def fill(self) -> bool:
        """Make sure of a `rest`; False at the end of the file."""
        self.rest = self.rest or self.file.read(_CHUNK)
        return bool(self.rest)

    def use_up_to(self, rest: bytes) -> None:
        self.position += len(self.rest) - len(rest)
        self.rest = rest


def read_members(path: str, file: IO[bytes]) -> Iterator[Piece | Unreadable]:
    """The inflated bytes of the gzip `file`, and one `Unreadable` for each stretch of damage.

    What can be had of a damaged member comes before its `Unreadable`; then reading goes on at the next member that
    starts with a WARC record. Zeros between and behind members are padding, and harm nobody.
    """
    source = _Source(file)
    while _skip_zeros(source):
        member = source.position
        try:
            yield from (Piece(data, member, inflated=True) for data in _inflate(source))
        except _DamageError as damage:
            yield Unreadable(path, member, str(damage))
            source.seek(_next_member(file, member + 1))


def is_sound(file: IO[bytes], member: int) -> bool:
    """Whether the gzip member at byte `member` inflates to its end and has the right checksum. `file` is not moved."""
    position = file.tell()
    source = _Source(file)
    source.seek(member)
    try:
        for _ in _inflate(source):
            pass
        return True
    except _DamageError:
        return False
    finally:
        file.seek(position)


def _skip_zeros(source: _Source) -> bool:
    """Whether something else follows."""
    while source.fill():
        source.use_up_to(source.rest.lstrip(b"\0"))
        if source.rest:
            return True
    return False


def _inflate(source: _Source) -> Iterator[bytes]:
    """The member at `source`, leaving `source` behind it; `_DamageError` where there is no more of it to be had."""
    member, inflated = source.position, 0
    inflater = isal_zlib.decompressobj(wbits=31)
    while not inflater.eof:
        more = source.fill()
        try:
            data = inflater.decompress(source.rest, _MAX_PIECE)
        except _INFLATE_ERROR as error:
            yield from _salvage(source.file, member, inflated)
            raise _DamageError(_cause(source.file, member, error)) from error
        source.use_up_to(inflater.unused_data if inflater.eof else inflater.unconsumed_tail)
        inflated += len(data)
        if data:
            yield data
        elif not (more or inflater.eof):
            raise _DamageError("the file ends within the gzip member that starts here")


def _cause(file: IO[bytes], member: int, error: Exception) -> str:
    file.seek(member)
    start = file.read(4096)
    if start.startswith(MAGIC):
        return f"the gzip member that starts here is damaged ({error})"
    return f"no gzip member starts here; {looks_like(start)}"


def _salvage(file: IO[bytes], member: int, inflated: int) -> Iterator[bytes]:
    """What there is of the damaged `member` behind its first `inflated` bytes.

    An inflater that fails keeps what it had made of its last input to itself, so that input is made ever smaller.
    It is zlib's because, other than isal's, that one can be copied, and so be set back to before it failed.
    """
    file.seek(member)
    inflater = zlib.decompressobj(wbits=31)
    for size in (4096, 64, 1):
        while not inflater.eof and (compressed := file.read(size)):
            before = inflater.copy()
            try:
                data = inflater.decompress(compressed)
            except zlib.error:
                inflater = before
                file.seek(-len(compressed), 1)
                break
            if len(data) > inflated:
                yield data[inflated:]
            inflated = max(0, inflated - len(data))


def _next_member(file: IO[bytes], position: int) -> int:
    """Where from `position` on a gzip member with a WARC record starts; the end of the file if none does."""
    file.seek(position)
    window = b""
    while chunk := file.read(_CHUNK):
        window += chunk
        at = window.find(MAGIC)
        while at >= 0:
            if _starts_record(file, position + at):
                return position + at
            at = window.find(MAGIC, at + 1)
        # The last two bytes may be the start of one.
        position += max(0, len(window) - 2)
        window = window[-2:]
        file.seek(position + len(window))
    return position + len(window)


def _starts_record(file: IO[bytes], member: int) -> bool:
    file.seek(member)
    try:
        return isal_zlib.decompressobj(wbits=31).decompress(file.read(4096), 5).upper() == b"WARC/"
    except _INFLATE_ERROR:
        return False
