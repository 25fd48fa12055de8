"""A column chart as SVG: how many documents were read, and of these kept, for each value of something in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from markupsafe import Markup

from pipeline.plots import BESIDE, BOTTOM, CHARACTER, HEIGHT, LEFT, RIGHT, TOP, WIDTH, short, ticks

# Between columns, as a share of what each has; and the most that one has, so that a few do not become walls.
GAP, WIDEST = 0.15, 40


@dataclass(frozen=True, slots=True)
class Column:
    """`tick` is short and stands below the axis; `label` says all of it."""

    tick: str
    label: str
    read: int
    kept: int


def columns(found: Sequence[Column], axis: str, words: str) -> Markup:
    """The chart; `axis` says what ticks are, with the unit; `words` are for those who cannot see it."""
    svg = ElementTree.Element("svg", {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "aria-label": words})
    most = max(1, *(column.read for column in found))
    heights = [value for value in ticks(0, most * 1.05) if value == int(value)]
    left = max(LEFT, BESIDE + CHARACTER * max(len(short(value)) for value in heights))
    bottom, wide = HEIGHT - BOTTOM, min(WIDEST, (WIDTH - RIGHT - left) / len(found))
    scale = (bottom - TOP) / (most * 1.05)
    for value in heights:
        y = bottom - value * scale
        ElementTree.SubElement(svg, "line", _numbers(x1=left, y1=y, x2=WIDTH - RIGHT, y2=y))
        _text(svg, left - 5, y + 4, short(value), "end")
    for number, column in enumerate(found):
        group = ElementTree.SubElement(svg, "g")
        ElementTree.SubElement(group, "title").text = f"{column.label}: {column.read:,} read, {column.kept:,} kept"
        for name, value in (("read", column.read), ("kept", column.kept)):
            x, height = left + wide * (number + GAP / 2), value * scale
            drawn = _numbers(x=x, y=bottom - height, width=wide * (1 - GAP), height=height)
            ElementTree.SubElement(group, "rect", {**drawn, "class": name})
    _below(svg, found, left, wide)
    _text(svg, (left + WIDTH - RIGHT) / 2, HEIGHT - 6, axis, "middle")
    _text(svg, 0, 0, "documents", "middle").set("transform", f"translate(11 {bottom / 2:.1f}) rotate(-90)")
    return Markup(ElementTree.tostring(svg, encoding="unicode"))


def _below(svg: ElementTree.Element, found: Sequence[Column], left: float, wide: float) -> None:
    """Ticks where there is room for them."""
    free = left - wide
    for number, column in enumerate(found):
        at, half = left + wide * (number + 0.5), CHARACTER * (len(column.tick) + 1) / 2
        if at - half >= free:
            _text(svg, at, HEIGHT - BOTTOM + 16, column.tick, "middle")
            free = at + half


def _numbers(**values: float) -> dict[str, str]:
    return {name: f"{value:.1f}" for name, value in values.items()}


def _text(svg: ElementTree.Element, x: float, y: float, words: str, anchor: str) -> ElementTree.Element:
    element = ElementTree.SubElement(svg, "text", {**_numbers(x=x, y=y), "text-anchor": anchor})
    element.text = words
    return element
