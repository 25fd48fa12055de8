"""What becomes of the records of whole files, made here and real."""

import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest
from fastwarc.stream_io import BrotliWriter, Lz4Writer, ZstdWriter
from fastwarc.warc import ArchiveIterator, WarcRecordType

from sources.pages import Dropped, Found, OtherRecord, Page, Unreadable
from sources.warc import read_again, read_warc

HTML = "<html><body><p>Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.</p></body></html>"
URL = "http://page.example/"


def warc(content: bytes, kind: str = "response", **fields: str) -> bytes:
    defaults = {"Target_URI": URL, "Date": "2026-01-02T03:04:05Z"}
    head = [f"WARC-{name.replace('_', '-')}: {value}" for name, value in (defaults | fields).items() if value]
    lines = ["WARC/1.1", f"WARC-Type: {kind}", *head, f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n\r\n"


def http(body: bytes | str = HTML, head: str = "Content-Type: text/html", status: str = "HTTP/1.1 200 OK") -> bytes:
    return f"{status}\r\n{head}\r\n\r\n".encode() + (body.encode() if isinstance(body, str) else body)


def brotli(data: bytes) -> bytes:
    file = io.BytesIO()
    with BrotliWriter(file) as writer:
        writer.write(data)
    return file.getvalue()


def zstd(data: bytes) -> bytes:
    file = io.BytesIO()
    with ZstdWriter(file) as writer:
        writer.write(data)
    return file.getvalue()


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[Found]]:
    def read(data: bytes, name: str = "a.warc") -> list[Found]:
        path = tmp_path / name
        path.write_bytes(data)
        return list(read_warc(str(path)))

    return read


def test_a_page_is_its_url_its_date_its_kind_and_its_text(read: Callable[..., list[Found]]) -> None:
    [page] = read(warc(http()))
    assert page == Page(0, URL, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "text/html", HTML)


@pytest.mark.parametrize(
    ("content", "mime", "body"),
    [
        (http(head="content-type:text/HTML;charset=UTF-8"), "text/html", HTML),
        (http(head="Content-Type: application/xhtml+xml"), "text/html", HTML),
        (http(head="Content-Type: text/html, text/html; charset=utf-8"), "text/html", HTML),
        (http("just text", "Content-Type: text/plain"), "text/plain", "just text"),
        (http(HTML.encode("latin-1"), 'Content-Type: text/html; charset="iso-8859-1"'), "text/html", HTML),
        (http(head="Content-Type:\r\n text/html"), "text/html", HTML),
        (http().replace(b"\r\n", b"\n"), "text/html", HTML),
        (http(status="HTTP/2 200"), "text/html", HTML),
        (http(head="Server: none"), "text/html", HTML),
        (http("just\r\ntëxt", head="Server: none"), "text/plain", "just\r\ntëxt"),
        (http("<p>nul\0s</p>"), "text/html", "<p>nuls</p>"),
        (
            http(gzip.compress(HTML.encode(), mtime=0), "Content-Type: text/html\r\nContent-Encoding: gzip"),
            "text/html",
            HTML,
        ),
        (http(brotli(HTML.encode()), "Content-Type: text/html\r\nContent-Encoding: br"), "text/html", HTML),
        (http(head="Content-Type: text/html\r\nContent-Encoding: gzip"), "text/html", HTML),
        (http("3\r\nabc\r\n0\r\n\r\n", "Content-Type: text/html\r\nTransfer-Encoding: chunked"), "text/html", "abc"),
    ],
)
def test_pages(content: bytes, mime: str, body: str, read: Callable[..., list[Found]]) -> None:
    assert [(page.mime, page.body) for page in read(warc(content)) if isinstance(page, Page)] == [(mime, body)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (http(status="HTTP/1.1 404 Not Found"), "http_status"),
        (http(status="HTTP/1.0 301 Moved Permanently", body=""), "http_status"),
        (http(head="Content-Type: image/png"), "content_type"),
        (http(head="Content-Type: image/png", body=""), "content_type"),
        (http(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", head="Server: none"), "content_type"),
        (http(body=""), "empty_body"),
        (http(body=" \r\n\0"), "empty_body"),
        (http(body="", head="Server: none"), "empty_body"),
        (http(body="", head="Content-Type: text/html\r\nContent-Encoding: gzip"), "empty_body"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", "empty_body"),
        (http(zlib.compress(bytes(1 << 25)), head="Content-Type: text/html\r\nContent-Encoding: deflate"), "too_large"),
    ],
)
def test_dropped(content: bytes, reason: str, read: Callable[..., list[Found]]) -> None:
    assert read(warc(content)) == [Dropped(0, URL, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), reason)]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (HTML.encode(), "no HTTP status line"),
        (http(status="HTTP/1.1 OK"), "no HTTP status line"),
        (b"", "no HTTP status line"),
        (http(b"\0\1\2\3", "Content-Type: text/html\r\nContent-Encoding: br"), "not encoded as its header says"),
        (
            http(gzip.compress(b"x" * 99, mtime=0)[:-8] + b"12345678", "Content-Encoding: gzip"),
            "the compressed body is damaged",
        ),
        (http("3\r\nabcd\r\n", "Transfer-Encoding: chunked"), "the chunked body is damaged at its byte 6"),
    ],
)
def test_unreadable_responses(content: bytes, cause: str, read: Callable[..., list[Found]]) -> None:
    first = warc(http())
    page, damage = read(first + warc(content))
    assert isinstance(page, Page)
    assert isinstance(damage, Unreadable)
    assert damage.offset == len(first)
    assert cause in damage.cause


def test_records_that_are_no_documents_are_counted_by_kind(read: Callable[..., list[Found]]) -> None:
    kinds = ["warcinfo", "request", "metadata", "revisit", "resource", "continuation", "new"]
    data = b"".join(warc(b"x", kind) for kind in kinds) + warc(b"2026 a.example", Target_URI="dns:a.example")
    assert read(data) == [OtherRecord(kind) for kind in [*kinds, "dns"]]


def test_wet(read: Callable[..., list[Found]]) -> None:
    data = warc(b"x", "warcinfo") + warc("Wörter\n".encode(), "conversion", Refers_To="<x>")
    data += warc(b"%PDF-1.4 \x00\x01", "conversion")
    info, page, dropped = read(data.replace(b"Content-Length", b"Content-Type: text/plain\r\nContent-Length", 2))
    assert isinstance(page, Page)
    assert (page.mime, page.body) == ("text/plain", "Wörter\n")
    assert isinstance(info, OtherRecord)
    assert isinstance(dropped, Dropped)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-01-02T03:04:05.123456Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02t05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("blue monday", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("", None),
    ],
)
def test_dates(text: str, date: datetime | None, read: Callable[..., list[Found]]) -> None:
    [page] = read(warc(http(), Date=text))
    assert isinstance(page, Page)
    assert page.date == date


def test_addresses_in_angle_brackets_and_in_bad_utf8_are_read(read: Callable[..., list[Found]]) -> None:
    data = warc(http(), Target_URI="<http://a.example/>") + warc(http()).replace(b"page", b"p\xffge")
    assert [page.url for page in read(data) if isinstance(page, Page)] == [
        "http://a.example/",
        "http://p\ufffdge.example/",
    ]


@pytest.mark.parametrize("writer", [Lz4Writer, ZstdWriter])
def test_zstd_and_lz4(writer: type[ZstdWriter], read: Callable[..., list[Found]]) -> None:
    file = io.BytesIO()
    for n in range(3):
        with writer(file) as frame:
            frame.write(warc(http(f"{HTML} {n}")))
            frame.finish()
    data = file.getvalue()
    bodies = [page.body for page in read(data) if isinstance(page, Page)]
    assert bodies == [f"{HTML} {n}" for n in range(3)]
    *before, damage = read(data[:-20])
    assert isinstance(damage, Unreadable)
    assert all(isinstance(page, Page) for page in before)


@pytest.mark.parametrize(
    ("data", "name", "cause"),
    [
        (b"", "a.warc.gz", "the file holds no record"),
        (bytes(5000), "a.warc", "the file holds no record"),
        (gzip.compress(b"", mtime=0), "a.warc.gz", "the file holds no record"),
        (HTML.encode(), "a.warc", "text/html"),
        (HTML.encode(), "a.warc.gz", "no gzip member starts here; the bytes look like text/html"),
        (
            gzip.compress(HTML.encode(), mtime=0),
            "a.warc.gz",
            "no WARC record starts here; the bytes look like text/html",
        ),
        (b"filedesc://a.arc 0.0.0.0 20260102030405 text/plain 9\n1 0 x\n", "a.arc", "this is an ARC file"),
        (b"WA", "a.warc", "no WARC record starts here"),
        (b"\x1f\x8b", "a.warc.gz", "the file ends within the gzip member"),
    ],
)
def test_what_is_no_warc_says_so_once(data: bytes, name: str, cause: str, read: Callable[..., list[Found]]) -> None:
    [damage] = read(data, name)
    assert isinstance(damage, Unreadable)
    assert damage.offset == 0
    assert cause in damage.cause
    assert damage.file.endswith(name)


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        list(read_warc("/nowhere/a.warc.gz"))


def test_files_on_other_file_systems_are_read() -> None:
    with fsspec.open("memory://crawl/a.warc.gz", "wb") as file:
        file.write(gzip.compress(warc(http())) + b"junk" + gzip.compress(warc(http())))
    assert [type(item) for item in read_warc("memory://crawl/a.warc.gz")] == [Page, Unreadable, Page]


def test_every_real_page_is_found_in_order(shared_data: Path) -> None:
    with gzip.open(shared_data / "pages/index.jsonl.gz") as file:
        rows = [json.loads(line) for line in file]
    found = [item for path in sorted((shared_data / "pages").glob("*.warc.gz")) for item in read_warc(str(path))]
    assert Counter(type(item) for item in found) == {Page: 2790, OtherRecord: 6}
    assert [page.url for page in found if isinstance(page, Page)] == [row["url"] for row in rows]


def test_real_odd_files_are_read_and_none_is_silently_empty(shared_data: Path) -> None:
    for path in [*(shared_data / "warc").iterdir(), *(shared_data / "warc-bad").iterdir()]:
        assert list(read_warc(str(path))), path


def test_real_pages_sent_plain_gzipped_and_brotli_are_the_same(shared_data: Path) -> None:
    paths = sorted((shared_data / "warc").glob("*transfer_compression*"))
    pages = [item for path in paths for item in read_warc(str(path)) if isinstance(item, Page)]
    assert len(pages) == 3
    assert len({page.body for page in pages}) == 1


# Of these FastWARC makes less than they hold: folded fields, lower-case names, lines without CR.
FASTWARC_CANNOT = (
    "valid-warcfile-fields",
    "valid-warcfile-upper",
    "valid-warcfile-utf8",
    "httpTrailors",
    "example.arc",
)


def test_real_sound_files_have_the_records_that_fastwarc_finds(shared_data: Path) -> None:
    for path in (shared_data / "warc").iterdir():
        if any(name in path.name for name in FASTWARC_CANNOT):
            continue
        found = list(read_warc(str(path)))
        with path.open("rb") as file:
            types = [record.record_type for record in ArchiveIterator(file, parse_http=False)]
        documents = sum(kind in (WarcRecordType.response, WarcRecordType.conversion) for kind in types)
        no_http = sum(item.kind in ("dns", "whois") for item in found if isinstance(item, OtherRecord))
        assert len(found) == len(types), path
        assert sum(not isinstance(item, OtherRecord) for item in found) + no_http == documents, path


@pytest.mark.parametrize("kind", ["members", "one member", "plain", "zstd"])
def test_a_page_is_read_again_by_its_offset_and_url(kind: str, tmp_path: Path) -> None:
    records = [warc(http(f"<p>page {n}</p>"), Target_URI=f"https://a.example/{n}") for n in range(5)]
    name, data = {
        "members": ("a.warc.gz", b"".join(map(gzip.compress, records))),
        "one member": ("a.warc.gz", gzip.compress(b"".join(records))),
        "plain": ("a.warc", b"".join(records)),
        "zstd": ("a.warc.zst", b"".join(map(zstd, records))),
    }[kind]
    path = tmp_path / name
    path.write_bytes(data)
    pages = [item for item in read_warc(str(path)) if isinstance(item, Page)]
    # Small frames are inflated together.
    together = kind in ("one member", "zstd")
    assert len({page.offset for page in pages}) == (1 if together else 5)
    assert [read_again(str(path), page.offset, page.url) for page in pages] == pages
    if not together:
        assert read_again(str(path), pages[1].offset, pages[0].url) is None, "another record starts there"


def test_damage_behind_a_page_does_not_keep_it_from_being_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    members = [gzip.compress(warc(http(f"<p>page {n}</p>"), Target_URI=f"https://a.example/{n}")) for n in range(3)]
    path.write_bytes(members[0] + members[1][:-30] + members[2])
    pages = [item for item in read_warc(str(path)) if isinstance(item, Page)]
    assert [read_again(str(path), page.offset, page.url) for page in pages] == pages
    assert read_again(str(path), len(members[0]), "https://a.example/1") is None
