"""Text from the web on a page: it stays text, stays where it is, and can be seen."""

import html
import re

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from pipeline.report.page_text import address, environment, isolated, marked, shown


def test_what_cannot_be_seen_is_written_out_and_lines_stay() -> None:
    assert shown("a\x00b\u202ec\ud800\u2028") == r"a\x00b\u202ec\ud800\u2028"
    assert shown("two\nlines\tand a\u00a0space, ق\u200cق") == "two\nlines\tand a space, ق\u200cق"


@given(st.text(), st.lists(st.integers(0, 60), max_size=8), st.integers(1, 50))
def test_a_marked_excerpt_is_the_text_with_marks_and_no_other_markup(text: str, cuts: list[int], most: int) -> None:
    ends = sorted({cut for cut in cuts if cut <= len(text)})
    marks = list(zip(ends[::2], ends[1::2], strict=False))
    found = marked(text, marks, most)
    assert set(re.findall(r"<[^>]*>", found)) <= {"<mark>", "</mark>"}
    assert html.unescape(re.sub(r"</?mark>", "", found)) == shown(text[:most]) + "…" * (len(text) > most)
    inside = [html.unescape(passage) for passage in re.findall(r"<mark>(.*?)</mark>", found, re.DOTALL)]
    assert inside == [shown(text[start : min(end, most)]) for start, end in marks if start < most]


def test_only_addresses_of_the_web_lead_anywhere() -> None:
    good = "https://a.example:8080/b?c=<d>&e='\""
    assert html.unescape(re.findall(r'href="([^"]*)"', address(good, 300))[0]) == good
    assert 'rel="noreferrer"' in address(good, 300)
    assert "href" in address("HTTP://bücher.example", 300)
    for url in (
        "javascript:alert(1)",
        "data:text/html,x",
        " https://a.example/",
        'https://a"><b>.example/',
        "https://a.example/\u202ex",
        "https://a.example/\n",
        "https://a.example/" + "x" * 300,
        "file:///etc",
        "",
    ):
        assert "href" not in address(url, 300), url
    assert len(html.unescape(re.sub("<.*?>", "", address("https://a.example/" + "x" * 300, 100)))) == 100


def test_templates_write_nothing_that_is_not_escaped_and_seen() -> None:
    template = environment().from_string(
        "{{ text }}|{{ text | isolated }}|{{ '%s' % text }}|{{ ours }}|{{ n | count }}"
    )
    made = template.render(text="<b>\x00{{ 7 }}", ours=Markup("<i>"), n=1234)
    seen = r"&lt;b&gt;\x00{{ 7 }}"
    assert made == f"{seen}|<bdi>{seen}</bdi>|{seen}|<i>|1,234"
    assert isolated("<") == "<bdi>&lt;</bdi>"
