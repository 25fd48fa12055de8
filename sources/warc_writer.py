"""WARC 1.1 files, one gzip member per record, as Common Crawl lays them out.

In: HTTP answers, byte for byte as they came over the wire. Out: a `.warc.gz` whose first record is a `warcinfo`.
What stays true: a record's block is the bytes that were received, its digests are of what was kept, and a file is
there under its final name only when it is whole.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from fastwarc.stream_io import GzipWriter
from fastwarc.warc import WarcRecord, WarcRecordType

from corpus import storage


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `head` ends with the empty line; `body` is cut short where `truncated` says so."""

    url: str
    date: datetime
    head: bytes
    body: bytes
    truncated: bool

    @property
    def status(self) -> int:
        """The code in the status line `HTTP/1.0 200 OK`."""
        return int(self.head.split(maxsplit=2)[1])


class WarcFile:
    """Records, one after the other; `open_warc` makes it."""

    def __init__(self, stream: GzipWriter, info_id: str) -> None:
        self._stream = stream
        self._info_id = info_id

    def write(self, answer: Answer) -> None:
        """Add a `response` record."""
        record = _record(WarcRecordType.response, answer.date)
        record.headers["WARC-Target-URI"] = answer.url
        record.headers["WARC-Warcinfo-ID"] = self._info_id
        record.is_http = True
        if answer.truncated:
            record.headers["WARC-Truncated"] = "length"
        record.set_bytes_content(answer.head + answer.body)
        # With the payload's digest given, FastWARC has no need to parse the head and writes it as it is.
        record.write(self._stream, checksum_data=True, payload_digest=hashlib.sha1(answer.body).digest())
        self._stream.finish()


@contextlib.contextmanager
def open_warc(path: str, software: str) -> Iterator[WarcFile]:
    """A WARC file to fill; it appears under `path` when the block ends without an exception, and else not at all.

    `software` is who wrote it, for the `warcinfo` record.
    """
    with storage.open_write(path) as file, GzipWriter(file, compression_level=6) as stream:
        info = _record(WarcRecordType.warcinfo, datetime.now(UTC))
        info.headers["WARC-Filename"] = path.rsplit("/", 1)[-1]
        info.headers["Content-Type"] = "application/warc-fields"
        info.set_bytes_content(f"software: {software}\r\nformat: WARC File Format 1.1\r\n".encode())
        info.write(stream, checksum_data=True)
        stream.finish()
        yield WarcFile(stream, info.headers["WARC-Record-ID"])


def _record(kind: WarcRecordType, date: datetime) -> WarcRecord:
    record = WarcRecord()
    record.init_headers(kind)
    record.record_date = date.replace(microsecond=0)
    return record
