import gzip
import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.extract import EXTRACTORS, extract
from sources.pages import Page
from sources.warc import read_warc

SENTENCES = [f"This is sentence number {n} of an article about the extraction of text from pages." for n in range(12)]
PAGE = (
    "<html><head><title>Title</title><script>var code = 1;</script></head><body>"
    "<nav><ul><li><a href='/'>Home</a></li><li><a href='/about'>About us</a></li></ul></nav>"
    "<main><article><h1>Headline</h1>"
    + "".join(f"<p>{sentence}</p>" for sentence in SENTENCES)
    + "<ul><li>A point of the list that belongs to the article, and is long enough.</li></ul>"
    "<img src='x.png' alt='A picture of something'></article></main>"
    "<div class='comments'><p>First!</p></div><footer>Copyright, all rights reserved</footer></body></html>"
)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_the_article_is_kept_and_what_is_around_it_is_not(extractor: str) -> None:
    text = extract(PAGE, extractor)
    assert [line for line in text.splitlines() if line.startswith("This is")] == SENTENCES
    for other in ("Home", "code", "A picture", "First!", "Copyright", "•", "<p>"):
        assert other not in text


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("html", ["", " ", "<", "<html></html>", "<!-- only a comment -->", "\0", "<frameset><frame>"])
def test_a_page_without_text_has_none(html: str, extractor: str) -> None:
    assert extract(html, extractor).strip("<") == ""


def test_an_unknown_extractor_is_an_error_that_names_the_known() -> None:
    with pytest.raises(ValueError, match=r"no extractor 'trafilatra'; take one of resiliparse, trafilatura"):
        extract(PAGE, "trafilatra")


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_a_text_does_not_depend_on_the_pages_before(extractor: str) -> None:
    first = extract(PAGE, extractor)
    for n in range(20):
        extract(PAGE.replace("number", f"numeral {n}"), extractor)
    assert extract(PAGE, extractor) == first


MONSTERS = {
    "nested": "<div>" * 50_000 + "text",
    "nested and closed": "<DIV>" * 50_000 + "text" + "</DIV>" * 50_000,
    "nested articles": "<article>text " * 30_000,
    "attributes": "<p>text</p><div " + " ".join(f"a{n}=1" for n in range(200_000)) + "></div>",
    "words for attributes": "text, if a <b and " + " ".join(f"w{n}" for n in range(200_000)),
    "a large attribute": "<p>text</p><img src='data:image/png;base64," + "A" * 5_000_000 + "'>",
    "tags": "text" + "<br>" * 300_000,
    "lone brackets": "text " + "<" * 300_000,
    "an open comment": "<p>text</p><!--" + "x" * 5_000_000,
    "entities": "text" + "&#0;&#xD800;&#x110000;&nosuch;" * 50_000,
    "tables": "<table><tr><td>" * 20_000 + "text",
    "formatting": "<b><i><font>" * 20_000 + "text",
}


@pytest.mark.parametrize("html", MONSTERS.values(), ids=MONSTERS)
def test_monsters_neither_crash_nor_take_forever(html: str) -> None:
    start = time.perf_counter()
    assert extract(html, "resiliparse").startswith("text")
    # Half a second, but on a loaded machine; without a guard most of them take minutes.
    assert time.perf_counter() - start < 15


def test_a_page_of_a_million_tags_is_none() -> None:
    assert extract("text<br>" * 1_000_001, "resiliparse") == ""


@settings(max_examples=300)
@given(st.lists(st.sampled_from(re.findall("<[^>]*>|[^<]+", PAGE)) | st.text("<>/!-&;#x0 \0\"'=aÄ中", max_size=9)))
def test_tag_soup_gives_text(soup: list[str]) -> None:
    html = "".join(soup)
    text = extract(html, "resiliparse")
    assert "\0" not in text
    text.encode()
    assert extract(html, "resiliparse") == text


def test_real_pages_have_the_text_that_humans_marked(shared_data: Path) -> None:
    """As ../shared/tools/score_extraction.py counts, on one shard of six."""
    with gzip.open(shared_data / "pages/index.jsonl.gz") as lines:
        ids = [row["id"] for row in map(json.loads, lines) if row["shard"] == "pages-dev-00000.warc.gz"]
    with gzip.open(shared_data / "pages/ground_truth.jsonl.gz") as lines:
        truth = {row["id"]: row["text"] for row in map(json.loads, lines) if row["kind"] == "human"}
    pages = [p for p in read_warc(str(shared_data / "pages/pages-dev-00000.warc.gz")) if isinstance(p, Page)]
    scores = [
        f1(truth[name], extract(page.body, "resiliparse"))
        for name, page in zip(ids, pages, strict=True)
        if name in truth
    ]
    assert len(scores) > 250
    assert sum(scores) / len(scores) > 0.81


def f1(truth: str, text: str) -> float:
    """Of 4-grams of words."""
    a, b = (Counter(zip(*(words[n:] for n in range(4)), strict=False)) for words in map(tokens, (truth, text)))
    hits = (a & b).total()
    return 2 * hits / (a.total() + b.total()) if hits else 0.0


def tokens(text: str) -> list[str]:
    return re.findall(r"[\u0e00-\u9fff]|[^\W\u0e00-\u9fff]+", text.lower())
