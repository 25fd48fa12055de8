"""Damage: nothing before it is lost, nothing after it, and each is told once, with its place."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.pages import Dropped, Found, Page, Unreadable
from sources.warc import read_warc
from sources.warc_records import MAX_CONTENT

TEXTS = [" ".join(f"{word} {n * 31 % 101}" for word in "the quick".split() * n) for n in range(1, 6)]
URLS = [f"http://page.example/{n}" for n in range(5)]


def record(url: str, text: str, length_off: int = 0, newline: str = "\r\n") -> bytes:
    content = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n{text}".encode()
    head = ["WARC/1.0", "WARC-Type: response", f"WARC-Target-URI: {url}"]
    head += [f"Content-Length: {len(content) + length_off}", "", ""]
    return newline.join(head).encode() + content + 2 * newline.encode()


RECORDS = [record(url, text) for url, text in zip(URLS, TEXTS, strict=True)]
MEMBERS = [gzip.compress(r, mtime=0) for r in RECORDS]
LAYOUTS = {"plain": RECORDS, "gzip": MEMBERS}


def read(folder: Path, data: bytes, name: str = "a.warc") -> list[Found]:
    path = folder / name
    path.write_bytes(data)
    return list(read_warc(str(path)))


def told(found: list[Found]) -> list[str | int]:
    """The URL of each page and the offset of each damage, in order; that a page has its text is checked."""
    assert all(isinstance(item, Page | Unreadable) for item in found), found
    assert {(i.url, i.body) for i in found if isinstance(i, Page)} <= set(zip(URLS, TEXTS, strict=True))
    return [i.url if isinstance(i, Page) else i.offset for i in found if isinstance(i, Page | Unreadable)]


def starts(parts: list[bytes]) -> list[int]:
    return [sum(map(len, parts[:n])) for n in range(len(parts) + 1)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_cut_anywhere_loses_the_record_it_is_in_and_no_other(layout: str, tmp_path: Path) -> None:
    parts = LAYOUTS[layout]
    data, bounds = b"".join(parts), starts(parts)
    # A plain record is whole without the four bytes behind its body.
    spare = 4 if layout == "plain" else 0
    for cut in range(1, len(data)):
        whole = sum(bound <= cut + spare for bound in bounds[1:])
        inside = cut > bounds[whole]
        assert told(read(tmp_path, data[:cut])) == URLS[:whole] + [bounds[whole]] * inside, cut


def test_a_flipped_byte_in_a_gzip_costs_its_member_and_no_other(tmp_path: Path) -> None:
    data, bounds = b"".join(MEMBERS), starts(MEMBERS)
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        hit = max(n for n in range(5) if bounds[n] <= at)
        try:
            # Most of a gzip header does not matter, nor do the last bits that fill up a byte.
            harmless = gzip.decompress(flipped[bounds[hit] : bounds[hit + 1]]) == RECORDS[hit]
        except (EOFError, OSError, zlib.error):
            harmless = False
        expected = URLS if harmless else [*URLS[:hit], bounds[hit], *URLS[hit + 1 :]]
        assert told(read(tmp_path, flipped, "a.warc.gz")) == expected, at


def test_a_flipped_byte_in_a_plain_file_costs_its_record_at_most(tmp_path: Path) -> None:
    data, bounds = b"".join(RECORDS), starts(RECORDS)
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        hit = max(n for n in range(5) if bounds[n] <= at)
        found = read(tmp_path, flipped)
        pages = {item.url: item.body for item in found if isinstance(item, Page)}
        assert all(pages.get(URLS[n]) == TEXTS[n] for n in range(5) if n != hit), at
        assert len(found) == 5, (at, found)
        assert {i.offset for i in found if isinstance(i, Unreadable)} <= {bounds[hit]}, at


@pytest.mark.parametrize(
    ("damaged", "expected"),
    [
        ([*MEMBERS[:2], MEMBERS[2][:20] + MEMBERS[2][-20:], *MEMBERS[3:]], [0, 1, "2", 3, 4]),
        ([*MEMBERS[:2], MEMBERS[2][:40], *MEMBERS[3:]], [0, 1, "2", 3, 4]),
        ([*MEMBERS[:1], MEMBERS[1][:-9], MEMBERS[2][:-1], *MEMBERS[3:]], [0, "1", "2", 3, 4]),
        ([*MEMBERS[:2], b"\x1f\x8b\x08 no member", *MEMBERS[2:]], [0, 1, "2", 2, 3, 4]),
        ([*MEMBERS[:2], b"<html>an error page</html>", *MEMBERS[2:]], [0, 1, "2", 2, 3, 4]),
        ([b"junk", *MEMBERS], ["0", 0, 1, 2, 3, 4]),
        ([*MEMBERS, b"junk"], [0, 1, 2, 3, 4, "5"]),
        ([*MEMBERS, b"\x1f"], [0, 1, 2, 3, 4, "5"]),
        ([*MEMBERS[:3], bytes(1000), *MEMBERS[3:], bytes(100_000)], [0, 1, 2, 3, 4]),
        ([gzip.compress(b""), *MEMBERS, gzip.compress(b"")], [0, 1, 2, 3, 4]),
        ([gzip.compress(b"".join(RECORDS[:2])), *MEMBERS[2:]], [0, 1, 2, 3, 4]),
        ([gzip.compress(b"".join(RECORDS))], [0, 1, 2, 3, 4]),
        ([gzip.compress(b"".join(RECORDS)[n : n + 50]) for n in range(0, sum(map(len, RECORDS)), 50)], [0, 1, 2, 3, 4]),
        ([*MEMBERS[:2], gzip.compress(record(URLS[2], TEXTS[2], 9)), *MEMBERS[3:]], [0, 1, "2", 3, 4]),
        ([*MEMBERS[:2], gzip.compress(record(URLS[2], TEXTS[2], -9)), *MEMBERS[3:]], [0, 1, "2", 3, 4]),
        ([*MEMBERS[:4], gzip.compress(record(URLS[4], TEXTS[4], 9))], [0, 1, 2, 3, "4"]),
        ([*MEMBERS[:2], gzip.compress(b"no record"), *MEMBERS[3:]], [0, 1, "2", 3, 4]),
    ],
)
def test_damage_in_a_gzip(damaged: list[bytes], expected: list[int | str], tmp_path: Path) -> None:
    """Expected are a page by its number, damage by that of the part it is in."""
    bounds = starts(damaged)
    places = [bounds[int(e)] if isinstance(e, str) else URLS[e] for e in expected]
    assert told(read(tmp_path, b"".join(damaged), "a.warc.gz")) == places


@pytest.mark.parametrize(
    ("damaged", "expected"),
    [
        ([*RECORDS[:2], record(URLS[2], TEXTS[2], 7), *RECORDS[3:]], [0, 1, "2", 3, 4]),
        ([*RECORDS[:2], record(URLS[2], TEXTS[2], -7), *RECORDS[3:]], [0, 1, "2", 3, 4]),
        ([*RECORDS[:2], record(URLS[2], TEXTS[2], 10**6), *RECORDS[3:]], [0, 1, "2", 3, 4]),
        ([*RECORDS[:2], record(URLS[2], TEXTS[2], 10**12), *RECORDS[3:]], [0, 1, "2", 3, 4]),
        ([*RECORDS[:2], RECORDS[2].replace(b"Content-Length", b"Content-Height"), *RECORDS[3:]], [0, 1, "2", 3, 4]),
        ([*RECORDS[:2], RECORDS[2][12:], *RECORDS[3:]], [0, 1, "2", 3, 4]),
        ([*RECORDS[:2], RECORDS[2][:90], *RECORDS[3:]], [0, 1, "2", 3, 4]),
        ([*RECORDS[:2], b"junk\r\n", *RECORDS[2:]], [0, 1, "2", 2, 3, 4]),
        ([b"\r\n\r\n", *RECORDS[:2], bytes(512), *RECORDS[2:], bytes(100_000)], [0, 1, 2, 3, 4]),
        ([*RECORDS, b"x" * 100_000], [0, 1, 2, 3, 4, "5"]),
        ([r.replace(b"WARC/1.0", b"warc/0.18") for r in RECORDS], [0, 1, 2, 3, 4]),
        ([record(u, t, newline="\n") for u, t in zip(URLS, TEXTS, strict=True)], [0, 1, 2, 3, 4]),
    ],
)
def test_damage_in_a_plain_file(damaged: list[bytes], expected: list[int | str], tmp_path: Path) -> None:
    bounds = starts(damaged)
    places = [bounds[int(e)] if isinstance(e, str) else URLS[e] for e in expected]
    assert told(read(tmp_path, b"".join(damaged))) == places


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r\n\r\n", "\r\n\r\n\r\n\0\0"])
def test_a_record_may_end_in_any_number_of_newlines_if_another_one_follows(end: str, tmp_path: Path) -> None:
    assert told(read(tmp_path, b"".join(r.removesuffix(b"\r\n\r\n") + end.encode() for r in RECORDS))) == URLS


def test_all_before_the_damage_in_a_member_of_many_records_is_found(tmp_path: Path) -> None:
    texts = [f"{n} " + " ".join(f"{word}{n * k % 97}" for k, word in enumerate(TEXTS[4].split())) for n in range(300)]
    whole = zlib.compressobj(wbits=31)
    upto = []
    data = b""
    for n, text in enumerate(texts):
        data += whole.compress(record(str(n), text)) + whole.flush(zlib.Z_FULL_FLUSH)
        upto.append(len(data))
    data += whole.flush()
    assert [len(read(tmp_path, data)), len(read(tmp_path, data[: upto[199]]))] == [300, 200]
    # Bytes that no deflate block can start with, where record 200 does.
    found = read(tmp_path, data[: upto[199]] + b"\xff" * 20 + data[upto[199] + 20 :] + MEMBERS[0])
    pages = [item for item in found if isinstance(item, Page)]
    # The last record before it has not been seen to end well, and goes with it.
    assert [(p.url, p.body) for p in pages[:-1]] == [(str(n), text) for n, text in enumerate(texts[:199])]
    assert pages[-1].url == URLS[0]
    assert [item.offset for item in found if isinstance(item, Unreadable)] == [0]


def test_a_wrong_length_in_a_sound_member_of_many_records_costs_its_record(tmp_path: Path) -> None:
    records = [*RECORDS[:2], record(URLS[2], TEXTS[2], 9), RECORDS[3], record("x", "y", -1), RECORDS[4]]
    assert told(read(tmp_path, gzip.compress(b"".join(records)))) == [*URLS[:2], 0, URLS[3], 0, URLS[4]]


def test_a_member_that_breaks_down_into_nonsense_is_one_damage(tmp_path: Path) -> None:
    # After the flip, copies of copies look like hundreds of records without lengths.
    data = bytearray(gzip.compress(b"".join(RECORDS * 400), mtime=0))
    data[len(data) // 2 : len(data) // 2 + 4] = b"\xff" * 4
    found = read(tmp_path, bytes(data) + MEMBERS[0])
    assert [item.offset for item in found if isinstance(item, Unreadable)] == [0]
    assert isinstance(found[-1], Page)


BITS = st.sampled_from(
    [*RECORDS, *MEMBERS, b"WARC/1.0\r\n", b"WARC-Type: response\r\nContent-Length: 99999999999\r\n\r\n"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(BITS | st.binary(max_size=40), max_size=6), st.integers(0, 60), st.sampled_from(["a.warc", "a.warc.gz"])
)
def test_whatever_is_in_a_file_it_is_read_to_its_end(tmp_path: Path, bits: list[bytes], cut: int, name: str) -> None:
    data = b"".join(bits)
    found = read(tmp_path, data[: len(data) - cut] + MEMBERS[0], name)
    assert found
    assert isinstance(found[-1], Page | Unreadable)
    if name.endswith(".gz") and not data.startswith(b"WARC/"):
        assert isinstance(found[-1], Page)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_large_records_are_passed_over_and_large_lengths_are_not_believed(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    large = record("http://page.example/large", "x" * MAX_CONTENT)
    video = record("http://page.example/video", "x" * MAX_CONTENT).replace(b"text/plain", b"video/mp4")
    wrong = record("http://page.example/wrong", "x", MAX_CONTENT)
    cut = record("http://page.example/cut", "x" * MAX_CONTENT)[:-9]
    found = read(tmp_path, b"".join(map(compress, [large, RECORDS[0], video, wrong, RECORDS[1], cut])))
    assert [type(item) for item in found] == [Dropped, Page, Dropped, Unreadable, Page, Unreadable]
    assert [item.reason for item in found if isinstance(item, Dropped)] == ["too_large", "content_type"]
    assert [item.cause for item in found if isinstance(item, Unreadable)] == [
        f"the record that starts here has a Content-Length, {MAX_CONTENT + 46}, that takes in other records",
        f"the record that starts here breaks off before its {MAX_CONTENT + 45} bytes are over",
    ]
