"""The report as a browser shows it: nothing is loaded, all charts are drawn, and it fits a phone, a desk and paper."""

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.report import reported

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return (reported.make(tmp_path_factory.mktemp("reported")) / "report.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_fits_and_all_charts_are_drawn(page: "Page", report: str, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(report)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg')].map(svg => svg.getBoundingClientRect()).map(b => [b.width, b.height])"
    )
    assert len(sizes) > 20
    assert all(w > 0 and h > 0 for w, h in sizes)
    bare = page.evaluate(
        "[...document.querySelectorAll('svg')].filter(svg => !svg.closest('.chart')).map(svg => svg.outerHTML)"
    )
    assert bare == []
    ink, paper = page.evaluate(
        "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
    )
    assert (_light(ink) < _light(paper)) == (scheme == "light")


def _light(colour: str) -> int:
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))


def test_words_of_the_flow_lie_in_their_own_cell(page: "Page", report: str) -> None:
    page.set_viewport_size({"width": 400, "height": 900})
    page.goto(report)
    outside = page.evaluate(
        """[...document.querySelectorAll('.flow .band span')].filter(span => {
            const own = span.getBoundingClientRect(), cell = span.closest('.band').getBoundingClientRect();
            return own.left < cell.left - 1 || own.right > cell.right + 1 || own.bottom > cell.bottom + 1;
        }).map(span => span.textContent)"""
    )
    assert outside == []


def test_on_paper_nothing_is_closed_and_nothing_cut(page: "Page", report: str) -> None:
    page.set_viewport_size({"width": 750, "height": 1000})
    page.emulate_media(media="print")
    page.goto(report)
    assert page.evaluate("document.querySelectorAll('details:not([open])').length") > 10
    hidden = page.evaluate(
        """[...document.querySelectorAll('details > *:not(summary)')].filter(each => !each.checkVisibility(
            {contentVisibilityAuto: true}) || each.getBoundingClientRect().height === 0).map(each => each.outerHTML)"""
    )
    assert hidden == []
    cut = page.evaluate(
        """[...document.querySelectorAll('.scroll, pre, .example .text')]
            .filter(each => each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1)
            .map(each => each.outerHTML.slice(0, 200))"""
    )
    assert cut == []


def test_what_came_from_the_web_does_nothing(page: "Page", report: str) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.goto(report)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    text = page.inner_text("body")
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}" in text
    assert asked == []
    assert page.evaluate("document.images.length") == 0
    schemes = page.evaluate("[...new Set([...document.links].map(link => link.protocol))].sort()")
    assert schemes in (["file:", "https:"], ["file:", "http:", "https:"])
