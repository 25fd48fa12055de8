"""Dumps of wikis: every page whole and in order, whatever compresses them, and no dump that ends too early is one."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import fsspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.mediawiki import CHUNK, WikiPage, opened, pages

HEAD = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-{version}/" version="{version}" xml:lang="en">\n'
    '  <siteinfo>\n    <sitename>Wiki</sitename>\n    <namespaces><namespace key="0" case="first-letter" />'
    "</namespaces>\n  </siteinfo>\n"
)


def page(title: str, text: str, namespace: int = 0, inside: str = "") -> str:
    return (
        f"  <page>\n    <title>{escape(title)}</title>\n    <ns>{namespace}</ns>\n    <id>1</id>\n{inside}"
        f"    <revision><id>2</id><contributor><username>U</username></contributor><comment>c</comment>"
        f'<model>wikitext</model><format>text/x-wiki</format><text bytes="1">{escape(text)}</text></revision>\n'
        "  </page>\n"
    )


def dump(*pages: str, version: str = "0.11") -> bytes:
    return (HEAD.format(version=version) + "".join(pages) + "</mediawiki>\n").encode()


def wiki_page(title: str, text: str) -> WikiPage:
    return WikiPage(0, title, text, False, "wikitext")


THREE = [wiki_page("A & B", "<ref>[http://a.example é]</ref>"), wiki_page("C", ""), wiki_page("Ünï", "x\n" * 50_000)]
XML = dump(*(page(p.title, p.wikitext) for p in THREE))


def zstd(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


def multistream(data: bytes) -> bytes:
    """As Wikimedia writes them: a stream for the head, one for each so many pages, one for the end."""
    cuts = [0, data.index(b"  <page>"), data.rindex(b"  <page>"), len(data) - 13, len(data)]
    return b"".join(bz2.compress(data[a:b]) for a, b in pairwise(cuts))


COMPRESSIONS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, bz2.compress, multistream, lzma.compress, zstd]


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_pages_come_whole_and_in_order_by_what_the_file_begins_with(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "dump"
    path.write_bytes(compress(XML))
    read: list[int] = []
    assert list(pages(str(path), read.append)) == THREE
    assert read == sorted(read)
    assert read[-1] == path.stat().st_size


@pytest.mark.parametrize("compress", COMPRESSIONS)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_a_dump_cut_short_is_an_error_after_the_pages_before_it(
    tmp_path: Path, compress: Callable[[bytes], bytes], share: float
) -> None:
    # Nothing here compresses to almost nothing, so that a share of the file is about that share of the pages.
    several = [wiki_page(f"P{n}", "".join(chr(97 + (n * 31 + k * k * 7) % 26) for k in range(2000))) for n in range(60)]
    data = compress(dump(*(page(p.title, p.wikitext) for p in several)))
    path = tmp_path / "dump"
    path.write_bytes(data[: int(len(data) * share)])
    found: list[WikiPage] = []
    with pytest.raises(ValueError, match=r"dump.*; fetch (it|the dump) again"):
        found.extend(pages(str(path)))
    assert found == several[: len(found)]
    assert len(found) < 60 or share > 0.9


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no element found"),
        (b"<html><page/></html>", "the XML is of <html>"),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><mediawiki>&a;</mediawiki>', "DOCTYPE"),
        (
            dump(page("A", "x"), page("B", "x").replace("</title>", "</titel>")),
            'mismatched tag; it breaks off after the page "A"',
        ),
        (dump(page("A", "x").replace("<ns>0", "<ns>zero")), "namespace 'zero'"),
        (dump(page("A", "x")).replace(b"x</text>", b"\xff</text>"), "invalid token"),
        (dump(page("A", "x"))[:-14], 'no element found.*the page "A"'),
    ],
)
def test_what_is_no_export_says_where_and_why(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"dump\.xml: line \d+, byte \d+ .*{message}"):
        list(pages(str(path)))


def test_versions_namespaces_redirects_revisions_and_models(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    two = page("Two", "new").replace("<revision>", "<revision><text>old</text></revision><revision>")
    parts = [
        page("Talk:A", "t", 1),
        page("R", "#REDIRECT [[A]]", inside='<redirect title="A" />\n'),
        page("S", "x"),
        two,
        page("Module:M", "return {}", 828).replace("<model>wikitext", "<model>Scribunto"),
        page("Deleted", "").replace('<text bytes="1"></text>', '<text deleted="deleted" />'),
        # Version 0.4, of 2010, has no namespaces and models.
        "<page><title>Old</title><revision><text xml:space='preserve'> a </text></revision></page>",
    ]
    for version in "0.4", "0.10", "0.11":
        path.write_bytes(dump(*parts, version=version))
        assert list(pages(str(path))) == [
            WikiPage(1, "Talk:A", "t", False, "wikitext"),
            WikiPage(0, "R", "#REDIRECT [[A]]", True, "wikitext"),
            wiki_page("S", "x"),
            wiki_page("Two", "new"),
            WikiPage(828, "Module:M", "return {}", False, "Scribunto"),
            wiki_page("Deleted", ""),
            wiki_page("Old", " a "),
        ]


def test_memory_does_not_grow_with_the_dump(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(dump(*(page(f"P{n}", "x" * 20_000) for n in range(500))))
    found = pages(str(path))
    next(found)
    reader = found.gi_frame.f_locals["reader"]  # type: ignore[attr-defined]
    for _ in range(400):
        next(found)
        assert len(reader.done) <= CHUNK // 20_000 + 1


@given(st.lists(st.binary(max_size=50), max_size=6), st.sampled_from(COMPRESSIONS[:3]))
def test_lines_are_those_of_the_bytes(lines: list[bytes], compress: Callable[[bytes], bytes]) -> None:
    path = "memory://test-mediawiki/lines"
    # Behind a first line, so that bytes of chance are no compression's.
    data = b"\n".join([b"#", *lines])
    with fsspec.open(path, "wb") as file:
        file.write(compress(data))
    with opened(path) as file:
        assert list(file.lines()) == data.split(b"\n")


def test_real_dumps_have_the_pages_that_another_parser_finds(shared_data: Path) -> None:
    for name, codec in (
        ("Wikipedia-20171220131118.xml.gz", gzip),
        (
            "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2",
            bz2,
        ),
    ):
        path = shared_data / "wikidump" / name
        tree = ElementTree.fromstring(codec.decompress(path.read_bytes()))
        wanted = [
            (int(p.findtext("{*}ns", "")), p.findtext("{*}title"), p.findtext("{*}revision/{*}text") or "")
            for p in tree.iterfind("{*}page")
        ]
        found = list(pages(str(path)))
        assert [(p.namespace, p.title, p.wikitext) for p in found] == wanted
        assert sum(p.is_redirect for p in found) == len(tree.findall("{*}page/{*}redirect"))
