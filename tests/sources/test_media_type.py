import codecs

import pytest

from sources.media_type import sniff_type


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (b"<!DOCTYPE html><html>", "text/html"),
        (b"\r\n <HTML lang=en>", "text/html"),
        (b"<!-- comment --><p>", "text/html"),
        (b"<p>text", "text/html"),
        (b"<div class=a>", "text/html"),
        (b"<?xml version='1.0'?>\n<html xmlns='http://www.w3.org/1999/xhtml'>", "text/html"),
        (codecs.BOM_UTF8 + b"<html>", "text/html"),
        (codecs.BOM_UTF16_LE + "<html>".encode("utf-16-le"), "text/html"),
        ("<title>日本</title>".encode("shift_jis"), "text/html"),
        (b"<?xml version='1.0'?><rss>", "application/xml"),
        (b"<particle>", "text/plain"),
        (b"", "text/plain"),
        (b"a\r\nb\tc\r\n", "text/plain"),
        ("žluťoučký kůň".encode(), "text/plain"),
        ("日本".encode("shift_jis"), "text/plain"),
        (codecs.BOM_UTF16_BE + "just text".encode("utf-16-be"), "text/plain"),
        (b"%PDF-1.7\n%", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\x1f\x8b\x08\x00", "application/gzip"),
        (b"ELF\x00\x01\x02", "application/octet-stream"),
    ],
)
def test_what_bytes_look_like(data: bytes, mime: str) -> None:
    assert sniff_type(data) == mime
    assert sniff_type(data + b"x" * 5000) == mime
