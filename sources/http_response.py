"""HTTP responses as crawls keep them: the header's fields, and the body with its encodings undone.

What goes in: the bytes of a response. What comes out: its status, its fields and the bytes of the page. What stays
true: bytes that do not decode as their header says never pass for a page, unless they plainly are one already, for
crawlers often decode a body and keep its header.
"""

import io
import re
import zlib

from fastwarc.stream_io import BrotliReader, ZstdReader

from sources.media_type import sniff_type

# Name, in lower case, to value.
Fields = dict[str, str]

# Common Crawl cuts pages off at 5 MB; what inflates to more than this is a bomb, or no page.
MAX_BODY = 1 << 24

# The end of a header's last line, and the empty line behind it.
HEAD_END = re.compile(rb"\n\r?\n")
_MAX_HEAD = 1 << 16
_STATUS = re.compile(r"HTTP/\d(?:\.\d)?[ \t]+(\d{3})\b")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


class ResponseError(Exception):
    """Bytes that are no HTTP response, or a body that is not what its header says; the text is for the user."""


def parse_fields(head: bytes) -> tuple[str, Fields]:
    """The first line and the fields of a WARC or HTTP header; of a field given twice the last is taken."""
    text = head.decode("utf-8", "replace")
    if "\n " in text or "\n\t" in text:
        text = re.sub(r"\r?\n[ \t]+", " ", text)
    first, *lines = text.split("\n")
    fields = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            fields[name.rstrip().lower()] = value.strip()
    return first.rstrip(), fields


def parse_response(response: bytes) -> tuple[int, Fields, bytes]:
    """Status, fields and body as it was sent; `ResponseError` where there is no status line."""
    end = HEAD_END.search(response)
    line, fields = parse_fields(response[: end.start() if end else _MAX_HEAD])
    status = _STATUS.match(line)
    if not status:
        raise ResponseError(f"the response has no HTTP status line; it starts with {line[:40]!r}")
    return int(status[1]), fields, response[end.end() :] if end else b""


def decode_body(body: bytes, fields: Fields) -> bytes:
    """The page that was sent as `body`; of one with more than `MAX_BODY` bytes, that many and one.

    A chunked body that breaks off is taken as far as it goes. `ResponseError` where a body is damaged, or is neither
    what its header says nor text.
    """
    encodings = _listed(fields, "content-encoding") + _listed(fields, "transfer-encoding")
    as_said = True
    for encoding in reversed(encodings):
        decoder = _DECODERS.get(encoding)
        decoded = decoder(body) if decoder else None
        if decoded is None:
            as_said = False
        else:
            body = decoded
    if not as_said and not sniff_type(body).startswith("text/"):
        raise ResponseError(f"the body is not encoded as its header says ({', '.join(encodings)}) and is no text")
    return body


def _listed(fields: Fields, name: str) -> list[str]:
    values = fields[name].split(",") if name in fields else []
    return [value.strip().lower() for value in values if value.strip().lower() not in ("", "identity")]


# Each of these gives None for a body that is not of its kind, and raises `ResponseError` for one that is damaged.


def _dechunk(body: bytes) -> bytes | None:
    chunks: list[bytes] = []
    at = 0
    while size := _CHUNK_SIZE.match(body, at):
        end = size.end() + int(size[1], 16)
        if end == size.end():
            return b"".join(chunks)
        if not b"\r\n".startswith(body[end : end + 2]):
            raise ResponseError(f"the chunked body is damaged at its byte {end}")
        chunks.append(body[size.end() : end])
        at = end + 2
    if chunks and b"\n" in body[at:]:
        raise ResponseError(f"the chunked body is damaged at its byte {at}")
    return b"".join(chunks) if chunks else None


def _gunzip(body: bytes) -> bytes | None:
    return _inflate(body, 31) if body.startswith(b"\x1f\x8b") else None


def _inflate_deflate(body: bytes) -> bytes | None:
    # RFC 9110 says a zlib stream; some servers send it without the header, which is two bytes that divide by 31.
    has_header = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2]) % 31 == 0
    try:
        return _inflate(body, 15 if has_header else -15)
    except ResponseError:
        if has_header:
            raise
        return None


def _inflate(body: bytes, wbits: int) -> bytes:
    inflater = zlib.decompressobj(wbits)
    try:
        data = inflater.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise ResponseError(f"the compressed body is damaged ({error})") from error
    # A body that breaks off cannot be told from one that is damaged, so none of it is taken.
    if not inflater.eof and len(data) <= MAX_BODY:
        raise ResponseError("the compressed body breaks off")
    return data


def _unbrotli(body: bytes) -> bytes | None:
    try:
        return _read_all(BrotliReader(io.BytesIO(body)))
    except OSError:
        # Brotli has no mark that it starts with: what is damaged cannot be told from what never was brotli.
        return None


def _unzstd(body: bytes) -> bytes | None:
    if not body.startswith(b"\x28\xb5\x2f\xfd"):
        return None
    try:
        return _read_all(ZstdReader(io.BytesIO(body)))
    except OSError as error:
        raise ResponseError(f"the compressed body is damaged ({error})") from error


def _read_all(reader: BrotliReader | ZstdReader) -> bytes:
    """Up to `MAX_BODY` bytes and one; a single read may give less than there is."""
    data = bytearray()
    while len(data) <= MAX_BODY and (more := reader.read(MAX_BODY + 1 - len(data))):
        data += more
    return bytes(data)


_DECODERS = {
    "br": _unbrotli,
    "chunked": _dechunk,
    "deflate": _inflate_deflate,
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "zstd": _unzstd,
}
