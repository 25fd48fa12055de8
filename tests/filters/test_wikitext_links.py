"""Links in wikitext: where MediaWiki ends them, what they stand in, and what another parser finds on real pages."""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path

import mwparserfromhell
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.urls import cited_key
from filters.wikitext_links import REFERENCES, links
from sources.mediawiki import pages


@pytest.mark.parametrize(
    ("wikitext", "urls"),
    [
        ("[http://a.example/x text] [https://a.example/y]", ["http://a.example/x", "https://a.example/y"]),
        ("[//a.example/x text] // no comment //b.example", ["http://a.example/x"]),
        ("[[http://a.example/x y]]", ["http://a.example/x"]),
        ("HTTP://A.example/x Https://a.example", ["HTTP://A.example/x", "Https://a.example"]),
        ("xhttp://a.example ahttps://b.example 1http://c.example", []),
        ("ftp://a.example [mailto:me@a.example m] [news:x] [irc://a.example x]", []),
        ("See http://a.example/x. Or http://a.example/y, http://a.example/z?!", ["/x", "/y", "/z"]),
        ("(http://a.example/x) (see http://a.example/y_(z)) http://a.example/(u).", ["/x", "/y_(z))", "/(u)"]),
        ("[http://a.example/x. y] [http://a.example/y) z]", ["/x.", "/y)"]),
        ("''http://a.example/x'' '''http://a.example/y'z'''", ["/x", "/y'z"]),
        ('http://a.example/x<br>http://a.example/y</p>"http://a.example/z"', ["/x", "/y", "/z"]),
        ("http://a.example/x&lt;b http://a.example/y&nbsp;z http://a.example/z&#62;", ["/x", "/y", "/z"]),
        ("http://a.example/?a&amp;b&copy=1&eacute; http://a.example/&eacute;;", ["/?a&b&copy=1é", "/é"]),
        ("http://a.example/x\u00a0y http://a.example/y\u3000z http://a.example/日", ["/x", "/y", "/日"]),
        ("{| \n| http://a.example/x || http://a.example/y|z\n|}", ["/x", "/y|z"]),
        ("{{x|http://a.example/x|http://a.example/y}}http://a.example/z", ["/x", "/y", "/z"]),
        ("{{x|url=http://a.example/x.|a=b}} {{x|n=So http://a.example/y.}}", ["/x.", "/y"]),
        ("{{x|url=//a.example/x}} {{x|url = //a.example/y\n}} {{x|n=a //b.example}}", ["/x", "/y"]),
        ("{{x|url=http://a.example/?b{{=}}c{{!}}d|e}}", ["/?b=c|d"]),
        ("{{x|t=a {{!}} b|url=http://a.example/x|website=w}}", ["/x"]),
        ("http://a.example/x{{dead link|date=May}} http://a.example/{y}", ["/x", "/{y}"]),
        ("<!-- http://b.example --> http://a.exa<!-- x -->mple/x <!-- http://c.example", ["/x"]),
        ("<nowiki>http://b.example</nowiki><nowiki/>http://a.example/x<NOWIKI >[//b.example]</nowiki >", ["/x"]),
        ("<nowiki>http://a.example/x", ["/x"]),
        ("<pre a=b>http://b.example</pre><source lang=c>// //b.example http://b.example</source>", []),
        ("<math>http://b.example</math> <syntaxhighlight>http://b.example</syntaxhighlight>", []),
        ("<!-- <nowiki> -->http://a.example/x<nowiki><!-- </nowiki>http://a.example/y", ["/x", "/y"]),
        ("http:// [http:// x] [// y] https://. http://&lt;", []),
        (
            "[http://web.archive.org/web/2010/http://a.example/x y]",
            ["http://web.archive.org/web/2010/http://a.example/x"],
        ),
        ("<gallery>\nFile:A.jpg|see http://a.example/x\n</gallery>", ["/x"]),
        ("[http://a.example/x http://b.example] http://a.example/y", ["/x", "/y"]),
        ("[http://a.example/x {{lang|t=http://b.example}}] {{b|http://a.example/y|z}}", ["/x", "/y"]),
        ("[http://a.example/x never closed\nhttp://a.example/y]", ["/x", "/y"]),
        ("no links at all", []),
    ],
)
def test_a_url_ends_where_mediawiki_ends_it(wikitext: str, urls: list[str]) -> None:
    assert [link.url for link in links(wikitext)] == [u if "//" in u else f"http://a.example{u}" for u in urls]


@pytest.mark.parametrize(
    ("wikitext", "kinds"),
    [
        ("http://a.example [http://a.example x]", "bare bracketed"),
        (
            "{{Infobox|url=http://a.example|<ref>http://a.example</ref>|http://b.example}}",
            "template reference template",
        ),
        (
            "<ref>{{cite web|url=http://a.example|archive-url=http://b.example}} http://a.example</ref>",
            "cite cite reference",
        ),
        ("* {{Cite_book |title={{lang|fr|[http://a.example x]}} }} http://a.example", "cite bare"),
        ("<ref name=a/>http://a.example<ref name='b' />http://a.example", "bare bare"),
        ("<REF name=a>[http://a.example x]</Ref > http://a.example", "reference bare"),
        ("<references><ref>http://a.example</ref></references>http://a.example", "reference bare"),
        ("{{reflist|refs=<ref>http://a.example</ref>}}http://a.example", "reference bare"),
        ("{{#tag:ref|http://a.example}} {{efn|{{x|http://a.example}}}}", "reference reference"),
        ("<ref>{{cite web|http://a.example</ref> http://a.example", "cite bare"),
        ("{{x|<ref>a}}</ref>|http://a.example}} http://a.example", "template bare"),
        ("</ref>}}http://a.example", "bare"),
        ('<ref>{{cite web|t=a</ref name="b">|url=http://a.example|x=y}}</ref>', "cite"),
        (
            "{{Internetquelle|url=http://a.example}}{{Lien web|url=http://a.example}}{{книга|http://a.example}}",
            "cite cite cite",
        ),
        (
            "{{cited|http://a.example}}{{article2|http://a.example}}{{references|http://a.example}}",
            "template template template",
        ),
    ],
)
def test_what_a_link_stands_in(wikitext: str, kinds: str) -> None:
    assert [link.kind for link in links(wikitext)] == kinds.split()


PIECES = [
    "http://a.example/", "[//b.example ", "]", "{{", "}}", "{{=}}", "|", "=", "<ref>", "</ref>", "<ref a/>", "<!--",
    "-->", "<nowiki>", "</nowiki>", "cite web", " ", "\n", "x", "''", "&lt;", "&amp;", ".", ")", "(", ";",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_every_link_is_a_url_that_ends_at_no_markup(wikitext: str) -> None:
    for url, kind in links(wikitext):
        assert url.startswith("http://")
        assert len(url) > len("http://")
        assert not set(url) & set(' \n[]<>"')
        assert "''" not in url
        assert "}}" not in url
        assert kind not in REFERENCES or "<ref>" in wikitext or "cite web" in wikitext


@pytest.mark.parametrize(
    "opening", ["{{", "<ref>", "<nowiki>", "<pre ", "<!--", "[http://a.example/", "http://a.b|", "//"]
)
def test_the_time_is_linear_in_what_is_never_closed(opening: str) -> None:
    def seconds(times: int) -> float:
        start = time.process_time()
        list(links("http://a.example" + opening * times))
        return time.process_time() - start

    # Of a quadratic one the second would be 100 times the first.
    assert min(seconds(40_000) for _ in range(2)) < 30 * max(min(seconds(4_000) for _ in range(3)), 0.002)


def real_pages(shared_data: Path) -> Iterator[tuple[str, str]]:
    folder = shared_data / "wikidump"
    for row in map(json.loads, gzip.decompress((folder / "wikitext_pages.jsonl.gz").read_bytes()).splitlines()):
        yield row["title"], row["wikitext"]
    for path in sorted(folder.glob("*.xml*")):
        for page in pages(str(path)):
            yield page.title, page.wikitext


def parsed(wikitext: str) -> set[str]:
    """The keys of the links that mwparserfromhell finds."""
    urls = (str(link.url) for link in mwparserfromhell.parse(wikitext).filter_external_links())
    return {cited_key(url.replace("&amp;", "&")) for url in urls} - {""}


def test_links_are_those_of_another_parser_but_for_its_known_faults(shared_data: Path) -> None:
    """It does not see a template's `|url=//host`, keeps `{{dead link}}` and `&lt;` in URLs and cuts a value's "."."""
    both, ours, theirs = 0, set(), set()
    # Of the pages of a dump one in five, to be quick.
    for title, wikitext in list(real_pages(shared_data))[::5]:
        found = {cited_key(link.url) for link in links(wikitext)} - {""}
        known = parsed(wikitext)
        both += len(found & known)
        ours |= {(title, key) for key in found - known}
        theirs |= {(title, key) for key in known - found}
    assert both > 1000
    assert len(theirs) <= 0.005 * both
    # The rest is archives' copies that begin with "//".
    assert len([key for _, key in ours if not key.startswith("web.archive.org")]) <= 0.01 * both
