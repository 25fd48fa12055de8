from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plots import (
    BOTTOM,
    HEIGHT,
    LEFT,
    LINE,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Series,
    chart,
    percent,
    power,
    short,
    span,
    ticks,
)

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)
POSITIVE = st.floats(1e-6, 1e24)


@given(st.lists(st.tuples(POSITIVE, NUMBERS), min_size=1, max_size=8), st.booleans())
def test_every_point_lies_inside_the_axes_in_the_order_of_its_numbers(
    points: list[tuple[float, float]], log: bool
) -> None:
    svg = ElementTree.fromstring(chart([Series("s", points)], Axis("x", log), Axis("y"), "words"))
    dots = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in svg.iter("circle")]
    assert len(dots) == len(points)
    for (x, y), (cx, cy) in zip(points, dots, strict=True):
        assert LEFT <= cx <= WIDTH - RIGHT
        assert TOP <= cy <= HEIGHT - BOTTOM
        for (other_x, other_y), (other_cx, other_cy) in zip(points, dots, strict=True):
            assert cx <= other_cx or x >= other_x
            assert cy >= other_cy or y >= other_y


@given(NUMBERS, st.floats(1e-3, 1e6))
def test_ticks_are_a_few_round_numbers_inside(low: float, width: float) -> None:
    high = low + width
    found = ticks(low, high)
    assert 2 <= len(found) <= 6
    slack = 1e-6 * max(abs(low), abs(high))
    assert all(low - slack <= tick <= high + slack for tick in found)


@given(POSITIVE, st.floats(1.2, 1e12))
def test_logarithmic_ticks_are_a_few_inside(low: float, ratio: float) -> None:
    found = ticks(low, low * ratio, log=True)
    assert 2 <= len(found) <= 7
    assert all(low * (1 - 1e-9) <= tick <= low * ratio * (1 + 1e-9) for tick in found)
    assert found == sorted(set(found))


def test_ticks_that_people_would_choose() -> None:
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert ticks(1e6, 1e8, log=True) == pytest.approx([1e6, 1e7, 1e8])
    assert ticks(3e6, 6e7, log=True) == pytest.approx([5e6, 1e7, 2e7, 5e7])


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.5, "0.5"),
        (999.4, "999"),
        (999.9, "1 k"),
        (1_250_000, "1.25 M"),
        (7e9, "7 B"),
        (1.4e12, "1.4 T"),
        (5.76e23, "5.76e23"),
    ],
)
def test_numbers_are_short(number: float, words: str) -> None:
    assert short(number) == words


def test_names_at_the_ends_of_lines_do_not_cover_each_other() -> None:
    lines = [Series(f"size {n}", [(1, 5.0), (10, 3 + n / 1000)], "line") for n in range(10)]
    svg = ElementTree.fromstring(chart(lines, Axis("x", log=True), Axis("y"), "words"))
    heights = {t.text: float(t.get("y", "")) for t in svg.iter("text") if (t.text or "").startswith("size")}
    assert len(heights) == 10
    ordered = sorted(heights.values())
    assert all(b - a >= LINE - 0.11 for a, b in pairwise(ordered))
    assert ordered[-1] <= HEIGHT - BOTTOM + 4.1
    # The lowest loss is the lowest on the page.
    assert sorted(heights, key=lambda name: -heights[name]) == [f"size {n}" for n in range(10)]


def test_of_more_names_than_fit_some_are_left_out_and_all_stay_inside() -> None:
    lines = [Series(f"size {n}", [(1, 5.0), (10, 3 + n)], "line") for n in range(60)]
    svg = ElementTree.fromstring(chart(lines, Axis("x", log=True), Axis("y"), "words"))
    heights = [float(t.get("y", "")) for t in svg.iter("text") if (t.text or "").startswith("size")]
    assert 8 <= len(heights) <= 14
    assert min(heights) >= TOP
    assert max(heights) <= HEIGHT - BOTTOM + 4.1
    assert len(list(svg.iter("polyline"))) == 60


def test_words_from_outside_are_escaped_and_dots_have_names() -> None:
    evil = "</title><script>alert(1)</script>"
    page = chart([Series(evil, [(1, 1), (2, 2)], names=[evil, "b"])], Axis(evil), Axis("y"), f'" onload="{evil}')
    svg = ElementTree.fromstring(page)
    assert {element.tag for element in svg.iter()} == {"svg", "line", "text", "circle", "title"}
    assert [title.text for title in svg.iter("title")] == [evil, "b"]
    assert set(svg.keys()) == {"viewBox", "role", "aria-label"}


def test_nothing_to_plot_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to plot of words; leave the plot out"):
        chart([Series("s", [])], Axis("x"), Axis("y"), "words")


def test_words_under_the_axis_do_not_run_into_each_other() -> None:
    points = [(4e7, 1.0), (3e9, 2.0)]
    svg = ElementTree.fromstring(chart([Series("a", points, "line")], Axis("x", True, short), Axis("y"), "words"))
    under = [float(t.get("x", "")) for t in svg.iter("text") if (t.text or "").endswith((" M", " B"))]
    assert len(under) >= 3
    assert all(b - a >= 34 for a, b in pairwise(under))


@pytest.mark.parametrize("values", [(0.0, 1.0), (2.7551, 2.7598), (-123_456_700.0, 1e9), (1e-5, 1.2e-5)])
def test_the_label_beside_an_axis_has_room_however_long_the_numbers_are(values: tuple[float, float]) -> None:
    svg = ElementTree.fromstring(chart([Series("s", [(1, v) for v in values])], Axis("x"), Axis("observed"), "words"))
    beside = [t for t in svg.iter("text") if t.get("text-anchor") == "end"]
    assert len(beside) >= 2
    # Digits are 6.1 units wide at 11 px in the widest of the usual fonts; the label's letters end at 15.
    assert min(float(t.get("x", "")) - 6.2 * len(t.text or "") for t in beside) >= 15
    left = min(float(line.get("x1", "")) for line in svg.iter("line"))
    assert all(float(c.get("cx", "")) > left for c in svg.iter("circle"))


@pytest.mark.parametrize(
    ("number", "words"), [(450.0, "450"), (1e15, "1e15"), (1e14, "1e14"), (1.7054e11, "1.71e11"), (9.999e17, "1e18")]
)
def test_flops_have_one_notation(number: float, words: str) -> None:
    assert power(number) == words


def test_places_in_a_bar() -> None:
    assert [percent(value, -1, 1) for value in (-2, -1, 0, 0.5, 3)] == [0, 0, 50, 75, 100]
    low, high = span([3.0])
    assert low < 3.0 < high
