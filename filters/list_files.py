"""Lists that a user keeps, an entry a line: of domains, of words.

In come files, plain or gzip; out come their lines with numbers, for errors that say where. What stays true: an empty
line and one that starts with "#" say nothing, and every other line is an entry or an error.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from corpus import storage

_GZIP, _MARK = b"\x1f\x8b", b"\xef\xbb\xbf"


def read(file: str) -> bytes:
    """The file's bytes, inflated if they are gzip, without a byte order mark. Raises ValueError for damaged gzip."""
    data = storage.read_bytes(file)
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{file} is damaged gzip ({error}); fetch it again") from error
    return data.removeprefix(_MARK)


def entries(file: str) -> Iterator[tuple[int, str]]:
    """The entries, with the numbers of their lines from 1. Raises ValueError for a line that is not UTF-8."""
    for number, line in enumerate(read(file).splitlines(), start=1):
        text = decoded(line, file, number)
        if text:
            yield number, text


def decoded(line: bytes, file: str, number: int) -> str:
    """The entry on a line, "" if there is none. Raises ValueError for bytes that are not UTF-8."""
    try:
        text = line.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}, line {number}: {line!r} is not UTF-8; convert the file to UTF-8") from error
    return "" if text.startswith("#") else text


def name(file: str) -> str:
    """What a list is called: its file's name without folders and without .txt and .gz."""
    return PurePosixPath(file).name.removesuffix(".gz").removesuffix(".txt")


def folder(file: str) -> str:
    """The name of the folder that the file is in, "" where it has none."""
    return PurePosixPath(file).parent.name
