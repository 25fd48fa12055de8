"""WARC and WET files to pages.

What goes in: a WARC file on any fsspec path, plain or compressed (gzip, zstd, lz4). What comes out: one `Found` for
each of its records and one `Unreadable` for each damage, in the file's order. What stays true: no file is silently
empty, and nothing in one ends the reading of it but the file system.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from io import RawIOBase
from typing import IO, cast

from fastwarc.stream_io import Lz4Reader, ZstdReader

from corpus.storage import open_read
from sources import gzip_members
from sources.charset import decode
from sources.http_response import MAX_BODY, Fields, ResponseError, decode_body, parse_response
from sources.media_type import sniff_type
from sources.pages import Dropped, Found, OtherRecord, Page, Unreadable, date_of
from sources.pieces import LZ4_MAGIC, ZSTD_MAGICS, read_frames, read_plain
from sources.warc_records import Record, read_records

# The media types that are read, and what a `Page` calls them.
_MIMES = {"text/html": "text/html", "application/xhtml+xml": "text/html", "text/plain": "text/plain"}
# What crawlers also keep as responses.
_NO_HTTP = ("dns", "ftp", "whois")
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';,]+)""", re.I)


def read_warc(path: str) -> Iterator[Found]:
    """What is in the WARC file at `path`.

    Documents are `response` records with HTTP status 200 and HTML or plain text, and `conversion` records of plain
    text (WET). Others are `Dropped` as "http_status", "content_type", "empty_body" or "too_large" (over 16 MB).
    """
    with open_read(path) as file:
        empty = True
        for item in _records(path, file):
            empty = False
            yield _read(path, item) if isinstance(item, Record) else item
        if empty:
            yield Unreadable(path, 0, "the file holds no record; fetch it again, or take it out of the recipe")


def read_again(path: str, offset: int, url: str) -> Page | None:
    """The page of that URL whose record, or gzip member or frame, starts at byte `offset`; None where it is not there.

    Of the file nothing before it is read, and nothing behind what starts there.
    """
    with open_read(path) as file:
        for item in _records(path, cast(IO[bytes], _Tail(file, offset))):
            found = _read(path, item) if isinstance(item, Record) else item
            if item.offset > 0:
                return None
            if isinstance(found, Page) and found.url == url:
                return replace(found, offset=offset)
    return None


class _Tail(RawIOBase):
    """A file from one byte on, which is its byte 0."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        self.file, self.start = file, start
        self.seek(0)

    def read(self, size: int = -1) -> bytes:
        return self.file.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        return self.file.seek(position + (0 if whence else self.start), whence) - self.start

    def tell(self) -> int:
        return self.file.tell() - self.start


def _records(path: str, file: IO[bytes]) -> Iterator[Record | Unreadable]:
    start = file.read(5)
    file.seek(0)
    # A gzip file whose first bytes are damaged does not start like one.
    if start.startswith(gzip_members.MAGIC) or (path.endswith(".gz") and start and start != b"WARC/"):
        return read_records(path, gzip_members.read_members(path, file), partial(gzip_members.is_sound, file))
    if start.startswith(ZSTD_MAGICS):
        return read_records(path, read_frames(path, ZstdReader(file)))
    if start.startswith(LZ4_MAGIC):
        return read_records(path, read_frames(path, Lz4Reader(file)))
    return read_records(path, read_plain(file))


def _read(path: str, record: Record) -> Found:
    kind = record.fields.get("warc-type", "").lower()
    url = record.fields.get("warc-target-uri", "").removeprefix("<").removesuffix(">")
    date = date_of(record.fields.get("warc-date", ""))
    scheme = url.partition(":")[0].lower()
    if kind == "response" and scheme in _NO_HTTP:
        return OtherRecord(scheme)
    if kind not in ("response", "conversion"):
        return OtherRecord(kind or "unknown")
    try:
        if kind == "conversion":
            return _document(record, url, date, record.fields, record.content)
        status, fields, body = parse_response(record.content)
        if status != 200:
            return Dropped(record.offset, url, date, "http_status")
        return _document(record, url, date, fields, body)
    except ResponseError as error:
        return Unreadable(path, record.offset, str(error))


def _document(record: Record, url: str, date: datetime | None, fields: Fields, body: bytes) -> Page | Dropped:
    content_type = fields.get("content-type", "")
    stated = content_type.partition(";")[0].partition(",")[0].strip().lower()
    if stated and stated not in _MIMES:
        return Dropped(record.offset, url, date, "content_type")
    if record.length > len(record.content):
        return Dropped(record.offset, url, date, "too_large")
    body = decode_body(body, fields)
    if len(body) > MAX_BODY:
        return Dropped(record.offset, url, date, "too_large")
    mime = _MIMES.get(stated or sniff_type(body))
    if mime is None:
        return Dropped(record.offset, url, date, "content_type")
    charset = _CHARSET.search(content_type)
    text = decode(body, charset[1] if charset else None)
    if not text or text.isspace():
        return Dropped(record.offset, url, date, "empty_body")
    return Page(record.offset, url, date, mime, text)
