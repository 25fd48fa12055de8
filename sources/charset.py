"""The bytes of a page to its text.

What goes in: a body, and the charset its HTTP header names. What comes out: text that Arrow, a tokenizer and a
UTF-8 file all take. What stays true: no NUL and no lone surrogate in it, and no input raises.
"""

import codecs
import re
from collections.abc import Iterator

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    # No marks, but HTML starts with "<", and UTF-8 would take these for text with NULs in it.
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}

# Charsets whose bytes are also good UTF-8, of some other text. A name is believed only where their escapes are.
_UTF8_LOOKALIKES = {
    "hz": "hz",
    "hz-gb-2312": "hz",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-kr": "iso2022_kr",
    "utf-16": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-16le": "utf-16-le",
}
_ESCAPES = (b"\x1b", b"~", b"\0")

# Python's codecs of these names are the national standards; pages use the supersets that browsers do (WHATWG).
_SUPERSETS = {"big5": "big5hkscs", "euc_kr": "cp949", "gbk": "gb18030", "iso8859-11": "cp874", "shift_jis": "cp932"}

# Browsers want the <meta> within 1,024 bytes; 6 % of the pages that have one have it further down (measured).
_PAGE_HEAD = 16_384
_PAGE_CHARSET = re.compile(
    rb"""<(?:meta\b[^>]{0,999}?\bcharset|\?xml\b[^>]{0,99}?\bencoding)\s*=\s*["']?\s*([\w.:-]+)""", re.I
)

# Of the characters beyond ASCII, good ones per bad one. UTF-8 pages with broken bytes had 6 and more; pages in other
# charsets, read as UTF-8, had 1.2 and less, but for two that had four such characters in all (measured).
_UNNAMED_UTF8 = 5
_NAMED = 1
_DETECTED = 0

# Below this many bytes beyond ASCII the detector was wrong on 33 of 146 pages, windows-1252 on 2 (measured).
_ENOUGH_TO_DETECT = 8


def decode(body: bytes, header_charset: str | None) -> str:
    """The text of `body`, whose HTTP header names `header_charset`, if any.

    It is read by the first of these that fits: a byte order mark; a charset that looks like UTF-8, if header or page
    name it; UTF-8; the header's charset; the page's own; what the bytes look like. Names mean what browsers take them
    for (gb2312 is gb18030, iso-8859-1 is windows-1252). What does not decode becomes U+FFFD.
    """
    texts = (_decode(body, codec, good_per_bad) for codec, good_per_bad in _candidates(body, header_charset))
    text = next(text for text in texts if text is not None).removeprefix("\ufeff")
    # In every charset a NUL is made of zero bytes, and to look for those is ten times faster than to replace none.
    return text.replace("\0", "") if b"\0" in body else text


def _candidates(body: bytes, header_charset: str | None) -> Iterator[tuple[str, int]]:
    """Names of Python codecs, the likeliest first, and how well each has to fit. The last takes anything."""
    for mark, codec in _BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            yield codec, _DETECTED
    if any(escape in body for escape in _ESCAPES):
        yield from ((_UTF8_LOOKALIKES[n], _NAMED) for n in _named(body, header_charset) if n in _UTF8_LOOKALIKES)
    yield "utf-8", _UNNAMED_UTF8
    for name in _named(body, header_charset):
        named = map_encoding_to_html5(name, fallback_utf8=False)
        # With no mark and no escape it is not UTF-16, whatever it says.
        if named and not named.startswith("utf-16"):
            yield _SUPERSETS.get(named, named), _NAMED
    yield _detect(body), _DETECTED


def _named(body: bytes, header_charset: str | None) -> list[str]:
    """What the header calls the charset, then what the page does: lower-case, not checked to exist."""
    in_page = _PAGE_CHARSET.search(body, 0, _PAGE_HEAD)
    names = [header_charset or "", in_page[1].decode() if in_page else ""]
    return [name.strip().lower() for name in names if name.isascii()]


def _decode(body: bytes, codec: str, good_per_bad: int) -> str | None:
    """The text, or None where fewer than `good_per_bad` characters beyond ASCII decode for each that does not."""
    try:
        return body.decode(codec)
    except UnicodeDecodeError:
        text = body.decode(codec, "replace")
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    return text if good >= good_per_bad * bad else None


def _detect(body: bytes) -> str:
    """A Python codec; windows-1252 (the web's default) where the bytes do not tell."""
    if len(body) - len(body.decode("ascii", "ignore")) < _ENOUGH_TO_DETECT:
        return "cp1252"
    # The detector's own mapping to browsers' names turns Korean cp949, which they do not list, into UTF-8.
    name = detect_encoding(body, html5_compatible=False) or ""
    codec = "cp949" if name in ("cp949", "uhc") else map_encoding_to_html5(name, fallback_utf8=False)
    # UTF-8 has been tried, and no page is in a DOS code page (which is None here).
    return "cp1252" if codec in (None, "utf-8") else _SUPERSETS.get(codec, codec)
