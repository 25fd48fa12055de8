"""The bytes of an archive, in pieces: a plain file's as they are, a zstd or lz4 file's decompressed.

What goes in: an open file. What comes out: `Piece`s in order, and an `Unreadable` where the file is damaged. What
stays true: a piece has at most a megabyte, and knows where in the file it is from.
"""

from collections.abc import Iterator
from typing import IO, NamedTuple

from fastwarc.stream_io import Lz4Reader, ZstdReader

from sources.media_type import sniff_type
from sources.pages import Unreadable

LZ4_MAGIC = b"\x04\x22\x4d\x18"
# The second starts the dictionary that zstd WARCs may begin with.
ZSTD_MAGICS = (b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18")

_PIECE_BYTES = 1 << 18
# A read that fails takes with it what it had read, so it is a small one.
_FRAME_PIECE_BYTES = 1 << 13


class Piece(NamedTuple):
    """`offset` is where in the file `data` starts; if `inflated`, where the gzip member or frame it is from does."""

    data: bytes
    offset: int
    inflated: bool


def read_plain(file: IO[bytes]) -> Iterator[Piece]:
    """The bytes of an uncompressed file."""
    offset = 0
    while data := file.read(_PIECE_BYTES):
        yield Piece(data, offset, inflated=False)
        offset += len(data)


def read_frames(path: str, reader: Lz4Reader | ZstdReader) -> Iterator[Piece | Unreadable]:
    """The decompressed bytes of a zstd or lz4 file, up to the first damage.

    That an lz4 file ends within the few bytes of a frame's header is not seen by FastWARC, and so not here.
    """
    while True:
        offset = reader.frame_start_position() or 0
        try:
            data = reader.read(_FRAME_PIECE_BYTES)
        except OSError as error:
            yield Unreadable(path, offset, f"the compressed frame that starts here is damaged ({error})")
            return
        if not data:
            return
        yield Piece(data, offset, inflated=True)


def looks_like(data: bytes) -> str:
    """What bytes that should have been a WARC record seem to be, for the user."""
    if data.startswith(b"filedesc://"):
        return "this is an ARC file, the format before WARC; convert it, for example with `warcio recompress`"
    return f"the bytes look like {sniff_type(data)}; see that it is the right file, and fetch it again if it is"
