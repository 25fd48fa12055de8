import bz2
import gzip
import hashlib
import json
import lzma
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from sources.jsonl import read_again, read_jsonl
from sources.pages import Dropped, Page, Unreadable

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}


def write(path: Path, *lines: bytes) -> str:
    data = b"\n".join(lines) + b"\n"
    path.write_bytes(COMPRESS.get(path.suffix, bytes)(data))
    return str(path)


def test_every_line_is_a_page_a_reason_or_damage(tmp_path: Path) -> None:
    path = write(
        tmp_path / "in.jsonl",
        b'{"text": "one", "url": "https://a.example/", "date": "2026-01-02T03:04:05+00:00"}',
        b'{"text": "two", "id": 7, "date": "yesterday"}',
        b"",
        b'{"text": "  "}',
        b'{"body": "no text"}',
        b"{broken",
        b'{"text": "\xff"}',
        b'["text"]',
        b'{"text": "half \\ud83d pair"}',
    )
    found = list(read_jsonl(path, "text"))
    lines = Path(path).read_bytes().splitlines(keepends=True)
    at = [sum(map(len, lines[:n])) for n in range(len(lines))]
    assert found[:3] == [
        Page(0, "https://a.example/", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "text/plain", "one"),
        Page(at[1], "7", None, "text/plain", "two"),
        Dropped(at[3], "", None, "empty_body"),
    ]
    damage = [item for item in found if isinstance(item, Unreadable)]
    assert len(damage) == 4
    assert [item.offset for item in damage] == at[4:8]
    assert 'no "text"' in damage[0].cause
    assert found[-1] == Page(at[8], "", None, "text/plain", "half ? pair")


@pytest.mark.parametrize(
    ("date", "found"),
    [
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("9999-12-31T23:59:59-05:00", None),
        ("0001-01-01T00:00:00+05:00", None),
    ],
)
def test_a_date_is_one_that_utc_has(date: str, found: datetime | None, tmp_path: Path) -> None:
    """Others would be read from a run's files as an error, so that one page would end a whole run."""
    path = write(tmp_path / "in.jsonl", json.dumps({"text": "one", "date": date}).encode())
    assert list(read_jsonl(path, "text")) == [Page(0, "", found, "text/plain", "one")]


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.gz", "in.jsonl.bz2", "in.jsonl.xz", "in.jsonl.zst"])
def test_a_page_is_read_again_by_its_offset(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, b'{"text": "one"}', b'{"text": "two", "id": 2}', b"{broken")
    pages = [item for item in read_jsonl(path, "text") if isinstance(item, Page)]
    assert [read_again(path, page.offset, page.url, "text") for page in pages] == pages
    assert read_again(path, pages[-1].offset + 25, "", "text") is None, "the broken line"
    assert read_again(path, pages[0].offset, "2", "text") is None, "another document stands there"


@pytest.mark.parametrize("ending", COMPRESS)
def test_what_lies_behind_damage_is_not_read_again(ending: str, tmp_path: Path) -> None:
    """gzip raises EOFError (which click takes for a person who gives up), others their own errors."""
    words = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(900)]
    rows = [json.dumps({"text": word}).encode() for word in words]
    path = Path(write(tmp_path / f"in.jsonl{ending}", *rows))
    whole = path.read_bytes()
    at = 2 * len(whole) // 3
    for damaged in (whole[:at], whole[:at] + bytes(60) + whole[at + 60 :]):
        path.write_bytes(damaged)
        assert read_again(str(path), sum(len(row) + 1 for row in rows[:-1]), "", "text") is None


def test_the_texts_field_is_by_choice(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", b'{"content": "words"}')
    assert [item.body for item in read_jsonl(path, "content") if isinstance(item, Page)] == ["words"]


def test_a_cut_gzip_file_gives_what_comes_before_the_cut(tmp_path: Path) -> None:
    rows = [json.dumps({"text": f"text {n} " * 50}).encode() for n in range(200)]
    whole = gzip.compress(b"\n".join(rows))
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(whole)
    assert len(list(read_jsonl(str(path), "text"))) == 200
    path.write_bytes(whole[: len(whole) // 2])
    *pages, last = read_jsonl(str(path), "text")
    assert 0 < len(pages) < 200
    assert isinstance(last, Unreadable)
    assert last.offset == sum(len(row) + 1 for row in rows[: len(pages)])
