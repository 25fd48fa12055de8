"""Handles in a browser: the numbers that a moved bound shows are those that the pipeline's own functions give."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pytest

from pipeline.cluster import Cluster
from pipeline.recipe import load
from pipeline.report import page as report
from pipeline.run import run
from tests.browser.tunable import DOCUMENTS, EVIL, Made, make

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SHARES = ({"share": 0.6}, {"share": 0.5})
# Bounds: below and above the recipe's, at values that documents have, off, by language; and shares.
MOVES: list[dict[str, Any]] = [
    {"rules.gopher_quality.min_words": 60},
    {"rules.gopher_quality.min_words": 61, "rules.gopher_quality.max_words": 350},
    {"rules.gopher_quality.min_mean_word_length": 9},
    {"rules.gopher_quality.max_mean_word_length": 9.5},
    {"rules.gopher_quality.min_alpha_word_ratio": 0.85},
    {"rules.c4.max_curly_bracket": 60},
    {"rules.c4.min_sentences": None},
    {"rules.fineweb.max_newline_ratio": 0.29},
    {"rules.fineweb.min_lines": None, "rules.fineweb.max_duplicate_character_ratio": None},
    {"reference.keep": 0.31},
    {"perplexity.keep": 0.2, "rules.c4.max_curly_bracket": 7},
    {"perplexity.keep": 1, "reference.keep": 1, "rules.gopher_quality.min_words": 7},
]


class Shown:
    """A panel in the browser."""

    def __init__(self, page: "Page", where: str, panel: dict[str, Any]) -> None:
        self.page = page
        page.goto(where)
        page.wait_for_selector("section.signals[data-ready]")
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        self.places = {}
        for number, signal in enumerate(panel["handles"]["signals"]):
            for place, asked in enumerate([signal["score"]] if "score" in signal else signal["rules"]):
                self.places[asked["key"]] = (number, place)

    def handle(self, key: str) -> "Locator":
        number, place = self.places[key]
        return self.page.locator(f'figure[data-signal="{number}"] .handle').nth(place)

    def move(self, key: str, value: float | None) -> None:
        if value is None:
            self.handle(key).get_by_label("rule off").check()
        else:
            self.handle(key).locator("[type=number]").fill(str(value))

    def reset(self) -> None:
        self.page.get_by_role("button", name="Reset").click()

    @property
    def outcome(self) -> str:
        return self.page.locator(".changes .outcome").inner_text()

    @property
    def stands(self) -> tuple[int, str]:
        """Documents, and megabytes of text."""
        found = re.fullmatch(r"Stand after all filters: ([\d,]+) of .*; ([\d.]+) MB of text .*", self.outcome)
        assert found, self.outcome
        return int(found[1].replace(",", "")), found[2]

    @property
    def assignments(self) -> list[str]:
        words = shlex.split(self.page.locator(".changes code").inner_text())
        assert words[:3] == ["crawlmill", "what-if", "RUN"]
        assert set(words[3::2]) == {"--set"}
        return words[4::2]


def _opened(page: "Page", made: Made, folder: Path) -> Shown:
    (folder / "page.html").write_text(made.page())
    return Shown(page, (folder / "page.html").as_uri(), made.panel())


def _compare(shown: Shown, made: Made) -> None:
    stands = made.stands(shown.assignments)
    assert shown.stands == (len(stands), f"{(pc.sum(stands['text_bytes']).as_py() or 0) / 1e6:.3f}"), shown.assignments


def test_moves_give_what_the_pipeline_gives(page: "Page", tmp_path: Path) -> None:
    made = make(*SHARES)
    shown = _opened(page, made, tmp_path)
    alone = shown.handle("rules.gopher_quality.min_words").locator("output")
    assert int(alone.inner_text()) == made.counts["rules"]["gopher_too_few_words"]["alone"]
    shown.move("rules.gopher_quality.min_words", None)
    assert alone.inner_text() == "0"
    shown.reset()
    found = set()
    for moves in MOVES:
        for key, value in moves.items():
            shown.move(key, value)
        assert len(shown.assignments) == len(moves)
        _compare(shown, made)
        found.add(shown.stands)
        shown.reset()
        assert page.locator(".changes").is_hidden()
    assert len(found) > 8, "most of the moves change something"


@pytest.mark.parametrize(
    ("perplexity", "reference", "moves"),
    [
        ({"threshold": 300.3}, {"threshold": 0.25}, {"reference.keep": 0.7, "perplexity.keep": 300}),
        ({"buckets": ["middle", "tail"]}, {"pareto": 2.0}, {"rules.c4.min_sentences": 2}),
        ({"buckets": ["head"], "percentiles": [50, 70]}, {"share": 0.4}, {"reference.keep": 0.75}),
    ],
)
def test_all_kinds_of_cutoffs(
    page: "Page", tmp_path: Path, perplexity: dict[str, Any], reference: dict[str, Any], moves: dict[str, Any]
) -> None:
    made = make(perplexity, reference)
    shown = _opened(page, made, tmp_path)
    for key, value in moves.items():
        shown.move(key, value)
        _compare(shown, made)
    shown.reset()
    shown.move("rules.gopher_quality.min_words", None)
    _compare(shown, made)


def test_the_slider_the_keyboard_and_the_picture(page: "Page", tmp_path: Path) -> None:
    shown = _opened(page, make(*SHARES), tmp_path)
    handle = shown.handle("rules.gopher_quality.min_words")
    slider, number = handle.locator("[type=range]"), handle.locator("[type=number]")
    figure = page.locator('figure[data-signal="0"]')
    plot = figure.locator("svg").bounding_box()
    drawn = figure.locator("path.fail").get_attribute("d")
    slider.press("ArrowRight")
    assert number.input_value() == "51"
    line = figure.locator(".bounds line").first
    for share in (0.0, 0.3, 1.0):
        slider.fill(str(share))
        box, at = slider.bounding_box(), line.bounding_box()
        assert box
        assert at
        assert plot
        # The thumb is 18 pixels wide, and its middle is on the line (whole numbers of words are some pixels apart).
        thumb = box["x"] + 9 + share * (box["width"] - 18)
        assert abs(thumb - (at["x"] + at["width"] / 2)) < 6
        assert 0 < float(number.input_value()) <= 402
    assert figure.locator("path.fail").get_attribute("d") != drawn
    number.fill("50")
    assert page.locator(".changes").is_hidden(), "the recipe's own bound is no change"
    assert figure.locator("path.fail").get_attribute("d") == drawn, "Python and the script draw the same bars"
    number.fill("")
    assert page.locator(".changes").is_hidden(), "half a number is none"


def test_a_sample_is_said_to_be_one(page: "Page", tmp_path: Path) -> None:
    made = make(*SHARES)
    source = made.summary["sources"]["web"]
    reached, stood = source["statistics"]["reached_rules"], source["funnel"][1]["documents"]
    source["statistics"]["reached_rules"] = 10 * reached
    source["funnel"][1]["documents"] = 10 * stood
    shown = _opened(page, made, tmp_path)
    alone = shown.handle("rules.gopher_quality.min_words").locator("output")
    assert alone.inner_text() == f"{made.counts['rules']['gopher_too_few_words']['alone']}", "the run's number"
    shown.move("rules.gopher_quality.min_words", None)
    found = re.search(r"about ([\d,]+) ± ([\d,]+) of", shown.outcome)
    assert found, shown.outcome
    after = len(made.stands(shown.assignments))
    assert int(found[1].replace(",", "")) == 10 * after
    assert 0 < int(found[2]) < 10 * DOCUMENTS
    assert "a sample of" in page.locator("figcaption").first.inner_text()


def test_names_from_data_are_only_text(page: "Page", tmp_path: Path) -> None:
    made = make(*SHARES, name="it's </script> $(x)")
    shown = _opened(page, made, tmp_path)
    shown.move("rules.gopher_quality.min_words", 60)
    _compare(shown, made)
    assert page.locator("section.signals img, section.signals script:not([type])").count() == 0
    data = json.loads(page.locator("section.signals script").text_content() or "")
    assert EVIL in data["languages"]


@pytest.mark.parametrize("width", [400, 1400])
def test_the_panel_fits(page: "Page", tmp_path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    shown = _opened(page, make(*SHARES), tmp_path)
    shown.move("rules.gopher_quality.min_words", 60)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    bar = page.locator(".changes").bounding_box()
    assert bar
    assert bar["y"] + bar["height"] <= 900, "it stays in sight"


def test_a_run_that_takes_the_bound_keeps_what_was_shown(
    page: "Page", small_recipe: Callable[..., str], tmp_path: Path
) -> None:
    path, root = small_recipe(), str(tmp_path / "run")

    def go(*overrides: str) -> dict[str, Any]:
        with Cluster(0) as cluster:
            return run(load(path, overrides), root, cluster, lambda _: None).summary

    summary = go()
    where = Path(report.write(root, summary)).as_uri()
    panel = report.panel("web", summary, report.evidence_of(root, summary, "web").sample)
    assert panel
    shown = Shown(page, where, panel)
    found = []
    for key, value in {"rules.gopher_quality.min_words": 170, "reference.keep": 0.3}.items():
        shown.move(key, value)
        found.append((shown.assignments, shown.stands))
        shown.reset()
    for assignments, (documents, text) in found:
        stage = next(s for s in go(*assignments)["sources"]["web"]["funnel"] if s["stage"] == "reference")
        assert (documents, text) == (stage["documents"], f"{stage['text_bytes'] / 1e6:.3f}")
        assert 0 < documents < 32
