"""JSON lines with one document each, plain or compressed by the file's ending (.gz, .zst, .bz2, .xz)."""

import contextlib
import io
import json
from collections.abc import Iterator
from typing import IO, Any

import fsspec
import pyarrow as pa

from corpus.storage import open_read
from sources.pages import Dropped, Found, Page, Unreadable, date_of


def read_jsonl(path: str, text_field: str) -> Iterator[Found]:
    """One `Page` of text/plain a line; `url` and `date` are taken where they are, `id` stands in for a missing url.

    A line that is no JSON object with a text is `Unreadable` at its offset in the uncompressed bytes, and a file
    whose compression breaks off is `Unreadable` from there on.
    """
    offset = 0
    with _opened(path) as file:
        lines = iter(file)
        while True:
            try:
                line = next(lines, None)
            # gzip raises EOFError and zlib.error (no OSError) on damage, other codecs OSError and ValueError.
            except Exception as error:
                yield Unreadable(path, offset, f"the compressed data is damaged from here on: {error}")
                return
            if line is None:
                return
            if line.strip():
                yield _document(path, offset, line, text_field)
            offset += len(line)


def read_again(path: str, offset: int, url: str, text_field: str) -> Page | None:
    """The page of that URL whose line starts at that byte of the uncompressed file; None where it cannot be read."""
    with _opened(path) as file:
        try:
            _pass_over(file, offset)
            line = file.readline()
        # As above: each codec has its own errors. The buffer may meet damage that lies behind the line.
        except Exception:
            return None
    found = _document(path, offset, line, text_field)
    return found if isinstance(found, Page) and found.url == url else None


@contextlib.contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    """The file, decompressed by its ending."""
    if not path.endswith(".zst"):
        with fsspec.open(path, "rb", compression="infer") as file:
            yield file
        return
    # fsspec knows zstd only where a package for it is there, and that one ends without a word where a file is cut.
    with open_read(path) as raw, pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd") as stream:
        # Arrow's streams have no lines.
        yield io.BufferedReader(stream)


def _pass_over(file: IO[bytes], size: int) -> None:
    if file.seekable():
        file.seek(size)
        return
    while size and (data := file.read(min(size, 1 << 20))):
        size -= len(data)


def _document(path: str, offset: int, line: bytes, text_field: str) -> Found:
    try:
        row: Any = json.loads(line)
    # Bytes that are no UTF-8 and text that is no JSON both raise ValueError.
    except ValueError as error:
        return Unreadable(path, offset, f"not a JSON line: {error}")
    if not isinstance(row, dict) or not isinstance(row.get(text_field), str):
        return Unreadable(path, offset, f'no "{text_field}" with a text on this line; name its field with text_field')
    url, said = str(row.get("url") or row.get("id") or ""), row.get("date")
    date = date_of(said) if isinstance(said, str) else None
    # A JSON escape can write half of a surrogate pair, which no UTF-8 file can hold.
    text = row[text_field].encode("utf-8", "replace").decode("utf-8")
    if not text.strip():
        return Dropped(offset, url, date, "empty_body")
    return Page(offset, url, date, "text/plain", text)
