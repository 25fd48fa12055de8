"""What kind of thing bytes are, when nothing says so.

What goes in: bytes. What comes out: a media type. What stays true: what a browser shows as a page is "text/html".
"""

import re

from resiliparse.parse.encoding import detect_mime

# What the WHATWG MIME Sniffing Standard takes for HTML (here behind an XML declaration too), and for binary.
_HTML_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?<(?:!--|(?:!doctype\s+html|html|head|title|meta|link|style|script|body|div|p|h[1-6]"
    rb"|table|br|font|iframe|a|b)[\s/>])",
    re.I,
)
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SNIFFED_BYTES = 4096


def sniff_type(body: bytes) -> str:
    """The media type that the bytes look like: "text/html", "text/plain" or another."""
    start = body[:_SNIFFED_BYTES]
    if start.startswith(_UTF16_MARKS):
        start = start.replace(b"\0", b"")
    if _HTML_START.match(start.lstrip(b"\xef\xbb\xbf\xff\xfe")):
        return "text/html"
    mime = detect_mime(start)
    if mime not in ("text/plain", "application/octet-stream"):
        return mime
    # Of those two it takes text beyond ASCII for the second, and some zeros among letters for the first.
    return "application/octet-stream" if _BINARY.search(start) else "text/plain"
