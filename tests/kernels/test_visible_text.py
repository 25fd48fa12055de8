import re
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.visible_text import SKIPPED, visible_text
from sources.pages import Page
from sources.warc import read_warc

MEGABYTE = 1_000_000

# What is no text, tried at every "<". A part that is never closed goes on to the end.
NO_TEXT = re.compile(
    rb"<!--(?=(?P<c>.*?(?:(?<=--)>|\Z)))(?P=c)"
    rb"|<[!?][^>]*(?:>|\Z)"
    rb"|<(?P<name>"
    + "|".join(SKIPPED).encode()
    + rb")(?![^\0- >/])(?:(?<==)\"[^\"]*(?:\"|\Z)|(?<==)'[^']*(?:'|\Z)|[^>])*+(?:>|\Z)"
    rb".*?(?=</(?P=name)(?![^\0- >/])|\Z)"
    rb"|<[a-zA-Z/](?:(?<==)\"[^\"]*(?:\"|\Z)|(?<==)'[^']*(?:'|\Z)|[^>])*+(?:>|\Z)",
    re.DOTALL | re.IGNORECASE,
)


def plainly(page: bytes, size: int) -> bytes:
    """What `visible_text` does, said with a regular expression."""
    return re.sub(rb"[\0- ]+", b" ", NO_TEXT.sub(b" ", page)).lstrip(b" ")[:size]


def kernel(page: bytes, size: int = MEGABYTE) -> bytes:
    out = np.empty(size, np.uint8)
    return out[: visible_text(np.frombuffer(page, np.uint8), out)].tobytes()


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (b"<title>T</title><p>one  two\n three</p>", b"T one two three "),
        (b"<script>if (a < b) x</script>y<STYLE>z</style >w", b"y w"),
        (b'<p title="a > b">x<a href=#>link</a>y<select><option>z</select>', b"x y "),
        (b"<abbr>x</abbr><scripts>y</scripts>", b"x y "),
        (b"<!-- > -- --->x<!doctype html>y<?xml z?>", b"x y "),
        (b"<!-->x-->y", b"x-->y"),
        (b"1 < 2 <3 << <", b"1 < 2 <3 << <"),
        (b"x<!-- never closed", b"x "),
        (b"x<script>never closed", b"x "),
        (b"x<p title='never closed>y", b"x "),
        (b"x<", b"x<"),
        (b"x<a", b"x "),
        (b"f&uuml;r &lt;p&gt;", b"f&uuml;r &lt;p&gt;"),
        (b"\xff\0\xfe", b"\xff \xfe"),
        (b"", b""),
    ],
)
def test_what_a_page_shows(page: bytes, text: bytes) -> None:
    assert kernel(page) == plainly(page, MEGABYTE) == text


PIECES = st.sampled_from(
    b"< > </ <! <!-- --> -- - /> \" ' =\" =' a A script </script> <script> <a> </a> <a\t <SELECT </select> <p> x"
    b" \xc3\xa9 \n <style </style <noscript> </noscript\0 <?".split(b" ")
)


@given(page=st.lists(PIECES | st.binary(max_size=3)).map(b"".join), size=st.integers(1, 40))
def test_the_kernel_agrees_with_its_plain_twin(page: bytes, size: int) -> None:
    assert kernel(page, size) == plainly(page, size)


@pytest.mark.parametrize(
    "piece", [b"<", b"<a", b"<a>", b"<!--", b"<script>", b"<a href='", b"</", b"<a></", b"<select></selec", b" ", b"&"]
)
def test_no_page_takes_longer_than_a_scan_of_it(piece: bytes) -> None:
    kernel(piece)
    page = piece * (16 * MEGABYTE // len(piece))
    start = time.perf_counter()
    kernel(page, len(page))
    assert time.perf_counter() - start < 2


def test_real_pages_agree_with_the_plain_twin(shared_data: Path) -> None:
    found = islice(read_warc(f"{shared_data}/pages/pages-dev-00000.warc.gz"), 150)
    for page in (item.body.encode() for item in found if isinstance(item, Page)):
        assert kernel(page) == plainly(page, MEGABYTE)
