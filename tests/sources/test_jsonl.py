import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

from sources.jsonl import read_jsonl
from sources.pages import Dropped, Page, Unreadable


def write(path: Path, *lines: bytes) -> str:
    path.write_bytes(b"\n".join(lines) + b"\n")
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
    assert found[:3] == [
        Page("https://a.example/", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "text/plain", "one"),
        Page("7", None, "text/plain", "two"),
        Dropped("", None, "empty_body"),
    ]
    damage = [item for item in found if isinstance(item, Unreadable)]
    assert len(damage) == 4
    lines = Path(path).read_bytes().splitlines(keepends=True)
    assert [item.offset for item in damage] == [sum(map(len, lines[:n])) for n in (4, 5, 6, 7)]
    assert 'no "text"' in damage[0].cause
    assert found[-1] == Page("", None, "text/plain", "half ? pair")


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
