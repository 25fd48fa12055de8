"""Bodies as servers and crawlers leave them."""

import contextlib
import gzip
import io
import zlib

import pytest
from fastwarc.stream_io import BrotliWriter, ZstdWriter
from hypothesis import given
from hypothesis import strategies as st

from sources.http_response import MAX_BODY, ResponseError, decode_body, parse_fields, parse_response

PAGE = "".join(f"<p>Kapitel {n * n} über Füße</p>" for n in range(200)).encode()
HTML = b"<html>" + PAGE


def written(writer: type[BrotliWriter | ZstdWriter], data: bytes) -> bytes:
    file = io.BytesIO()
    with writer(file) as stream:
        # A write takes 8 MB at most.
        for at in range(0, len(data), 1 << 20):
            stream.write(data[at : at + (1 << 20)])
    return file.getvalue()


def chunked(data: bytes, size: int = 1000) -> bytes:
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x;note=1\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\nExpires: never\r\n\r\n"


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


ENCODED = {
    "gzip": gzip.compress(HTML),
    "x-gzip": gzip.compress(HTML),
    "deflate": zlib.compress(HTML),
    "br": written(BrotliWriter, HTML),
    "zstd": written(ZstdWriter, HTML),
    "identity": HTML,
    "": HTML,
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_bodies_are_decoded(encoding: str) -> None:
    assert decode_body(ENCODED[encoding], {"content-encoding": encoding}) == HTML
    fields = {"content-encoding": encoding.upper(), "transfer-encoding": "Chunked"}
    assert decode_body(chunked(ENCODED[encoding]), fields) == HTML


def test_deflate_without_its_header_is_decoded() -> None:
    assert decode_body(raw_deflate(HTML), {"content-encoding": "deflate"}) == HTML


def test_encodings_are_undone_in_reverse() -> None:
    assert decode_body(zlib.compress(gzip.compress(HTML)), {"content-encoding": "gzip, deflate"}) == HTML


@pytest.mark.parametrize("encoding", [*ENCODED, "utf-8", "none", "gzip, br"])
def test_a_page_that_the_crawler_has_decoded_stays_as_it_is(encoding: str) -> None:
    fields = {"content-encoding": encoding, "transfer-encoding": "chunked"}
    assert decode_body(HTML, fields) == HTML
    assert decode_body(PAGE, fields) == PAGE


def test_of_a_chunked_body_that_breaks_off_the_beginning_is_kept() -> None:
    body = chunked(HTML)
    for cut in range(20, len(body), 7):
        page = decode_body(body[:cut], {"transfer-encoding": "chunked"})
        assert HTML.startswith(page)
        assert len(page) > cut * 0.95 - 20


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_compressed_body_that_breaks_off_is_an_error(encoding: str) -> None:
    body = ENCODED[encoding]
    for cut in range(10, len(body)):
        with pytest.raises(ResponseError, match="body"):
            decode_body(body[:cut], {"content-encoding": encoding})


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@given(at=st.integers(0), flip=st.integers(1, 255))
def test_a_damaged_body_is_never_a_page(encoding: str, at: int, flip: int) -> None:
    body = bytearray(ENCODED[encoding])
    body[at % len(body)] ^= flip
    try:
        page = decode_body(bytes(body), {"content-encoding": encoding})
    except ResponseError:
        return
    # Brotli has no checksum: some flips give another text.
    assert page == HTML or encoding == "br"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"\x1f\x8b\x08\x00", {"content-encoding": "gzip"}),
        (b"\x89PNG\r\n\x1a\n\0\0", {"content-encoding": "gzip"}),
        (b"\0\1\2\3", {"content-encoding": "unheard-of"}),
        (chunked(HTML).replace(b"<p>", b"<p><p>", 1), {"transfer-encoding": "chunked"}),
    ],
)
def test_what_is_neither_as_said_nor_text_is_an_error(body: bytes, fields: dict[str, str]) -> None:
    with pytest.raises(ResponseError, match="body"):
        decode_body(body, fields)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_decoded_up_to_a_limit(encoding: str) -> None:
    zeros = bytes(MAX_BODY * 4)
    bombs = {
        "gzip": lambda: gzip.compress(zeros),
        "deflate": lambda: zlib.compress(zeros),
        "br": lambda: written(BrotliWriter, zeros),
        "zstd": lambda: written(ZstdWriter, zeros),
    }
    assert len(decode_body(bombs[encoding](), {"content-encoding": encoding})) == MAX_BODY + 1


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd", "chunked", "gzip, chunked"]))
def test_any_bytes_are_decoded_or_a_response_error(body: bytes, encoding: str) -> None:
    with contextlib.suppress(ResponseError):
        assert len(decode_body(body, {"transfer-encoding": encoding})) <= MAX_BODY + 1


@given(st.binary(max_size=300))
def test_any_bytes_are_a_response_or_a_response_error(data: bytes) -> None:
    status, _, body = parse_response(b"HTTP/1.1 200 OK\r\n" + data)
    assert status == 200
    assert data.endswith(body)
    with contextlib.suppress(ResponseError):
        parse_response(data)


def test_fields() -> None:
    head = b"HTTP/1.0 200 OK\r\nA: 1\r\nb : two\r\n\tlines\r\nno field\r\nA:3\nC:x:y\r\n\xff: \xff"
    assert parse_fields(head) == ("HTTP/1.0 200 OK", {"a": "3", "b": "two lines", "c": "x:y", "\ufffd": "\ufffd"})
