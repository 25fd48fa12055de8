import html
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from pipeline.cluster import Cluster
from pipeline.recipe import load
from pipeline.report import render
from pipeline.run import run

EVIL = "<script>alert(1)</script>{{ 7 * 7 }}\" onload='x'"


class Elements(HTMLParser):
    """The page's elements, its links to anywhere, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"} or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def summary_of(recipe: str, root: Path) -> dict[str, Any]:
    with Cluster(0) as cluster:
        return run(load(recipe), str(root), cluster, lambda _: None).summary


def test_the_page_shows_the_summarys_numbers(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    summary = summary_of(
        small_recipe("proxy: {model: {layers: 1, width: 32, context: 16}, steps: 4, batch: 2}\n"), tmp_path / "run"
    )
    page = (tmp_path / "run/report.html").read_text()
    assert page == render(summary)
    elements = Elements()
    elements.feed(page)
    assert elements.links == [], "the page loads nothing and links nowhere"
    assert "script" not in elements.tags
    text = " ".join(elements.text.split())
    for source in summary["sources"].values():
        for reason, count in source["dropped"].items():
            assert f"{reason} {count}" in text
        for damage in source["unreadable"]:
            assert damage["cause"] in text
    for mixed in summary["mixture"].values():
        assert f"{mixed['tokens']:,}" in text
    assert f"{summary['proxy']['validation']['overall']['bits_per_byte']:.3f}" in text


def test_what_came_from_the_web_is_text_and_never_markup(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    summary = summary_of(small_recipe(), tmp_path / "run")
    web = summary["sources"]["web"]
    web["unreadable"] = [{"file": EVIL, "offset": 1, "cause": EVIL}]
    web["dropped"] = {EVIL: 3}
    web["languages"] = {EVIL: 3}
    page = render(summary)
    assert EVIL not in page
    assert "<script" not in page
    elements = Elements()
    elements.feed(page)
    assert html.unescape(elements.text).count("<script>alert(1)</script>{{ 7 * 7 }}") >= 4
