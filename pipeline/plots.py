"""Plots as SVG for pages that load nothing: curves and points on axes that may be logarithmic, and places in a bar.

What goes in: numbers, names and the axes' labels. What comes out: markup with the page's colours, which follow its
light and dark style. What stays true: the same numbers give the same bytes, and whatever is written into a plot is
escaped, because the elements are built and not pasted together.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from markupsafe import Markup

# A phone's width, so that text there has its own size. Names of lines stand in the margin to the right.
WIDTH, HEIGHT = 340, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 8, 40  # LEFT is the least
NAMES = 54
ROOM = 0.05
TICKS = 5
NARROW = 34  # from one tick's words to the next on the lower axis, at least
CHARACTER = 6.5  # of a tick's words, in most fonts
BESIDE = 22  # for the label of the axis and the room around it
LINE = 13  # from one line of text to the next
RADIUS = 3.5


@dataclass(frozen=True, slots=True)
class Axis:
    """`label` says the quantity and its unit; `text` writes a tick."""

    label: str
    log: bool = False
    text: Callable[[float], str] = "{:g}".format


@dataclass(frozen=True, slots=True)
class Series:
    """Points (x, y), in the order of a line. `weight`, 0 to 1, is how strongly it is drawn.

    `name` stands at a line's end and is what a reader sees who points at a dot, unless `names` has one for each.
    """

    name: str
    points: Sequence[tuple[float, float]]
    kind: Literal["dots", "rings", "line", "dashes"] = "dots"
    weight: float = 1.0
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def place(self, value: float) -> float:
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (at - low) / (high - low)


def chart(series: Sequence[Series], x: Axis, y: Axis, words: str) -> Markup:
    """A plot of WIDTH x HEIGHT; `words` are for those who cannot see it. ValueError where there is no point at all."""
    xs, ys = ([point[k] for one in series for point in one.points] for k in (0, 1))
    if not xs:
        raise ValueError(f"there is nothing to plot of {words}; leave the plot out")
    named = any(one.kind == "line" and one.name for one in series)
    up = _scale(ys, HEIGHT - BOTTOM, TOP, y.log)
    longest = max(len(y.text(value)) for value in ticks(up.low, up.high, y.log))
    left = max(LEFT, BESIDE + CHARACTER * longest)
    across = _scale(xs, left, WIDTH - (NAMES if named else RIGHT), x.log)
    svg = ElementTree.Element("svg", {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "aria-label": words})
    _axes(svg, across, up, x, y)
    for one in series:
        places = [(across.place(a), up.place(b)) for a, b in one.points]
        if one.kind in ("line", "dashes"):
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
            drawn = {"points": path, "class": one.kind, "opacity": f"{one.weight:.2f}"}
            ElementTree.SubElement(svg, "polyline", drawn)
        else:
            _dots(svg, one, places)
    if named:
        ends = [(up.place(one.points[-1][1]), one.name) for one in series if one.kind == "line" and one.name]
        for height, name in _apart(ends):
            _text(svg, WIDTH - NAMES + 4, height + 4, name)
    return Markup(ElementTree.tostring(svg, encoding="unicode"))


def span(values: Iterable[float]) -> tuple[float, float]:
    """The least and the largest of the values, with ROOM of the distance between them on both sides."""
    low, high = min(found := list(values)), max(found)
    beyond = ROOM * (high - low) or 0.5 * abs(high) or 1.0
    return low - beyond, high + beyond


def percent(value: float, low: float, high: float) -> float:
    """Where a value lies between low and high, as CSS's percentage; at the nearer end if it lies outside."""
    return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 2)


def short(number: float) -> str:
    """Sizes and tokens in three digits and a unit: 1.25 M, 340 k; powers of ten from 10^15 on."""
    if number >= 1e15:
        return power(number)
    for unit, name in ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k")):
        # What rounds to a thousand of a unit is one of the next.
        if number >= unit * 0.9995:
            return f"{number / unit:.3g}{name}"
    return f"{number:.3g}"


def power(number: float) -> str:
    """FLOPs and ratios in three digits: 3.2e17, and 450 where no power of ten is needed."""
    digits, _, exponent = f"{number:.3g}".partition("e")
    return f"{digits}e{int(exponent)}" if exponent else digits


def ticks(low: float, high: float, log: bool = False) -> list[float]:
    """Round values from low to high, about five: 1, 2 and 5 times powers of ten, or powers of ten alone."""
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [f * 10.0**p for p in powers for f in (1, 2, 5) if low <= f * 10.0**p <= high]
        whole = [value for value in found if f"{value:e}".startswith("1.0")]
        if len(found) > TICKS + 1 and len(whole) > 1:
            found = whole[:: math.ceil(len(whole) / TICKS)]
        if len(found) > 1:
            return found
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(f for f in (1, 2, 5, 10) if f * power >= rough * (1 - 1e-9))
    return [round(n * step, 12) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _scale(values: Sequence[float], start: float, end: float, log: bool) -> _Scale:
    if log:
        low, high = span(map(math.log, values))
        return _Scale(math.exp(low), math.exp(high), start, end, log)
    return _Scale(*span(values), start, end, log)


def _axes(svg: ElementTree.Element, across: _Scale, up: _Scale, x: Axis, y: Axis) -> None:
    bottom = HEIGHT - BOTTOM
    for value in ticks(up.low, up.high, y.log):
        at = up.place(value)
        _line(svg, across.start, at, across.end, at)
        _text(svg, across.start - 5, at + 4, y.text(value), "end")
    last = -math.inf
    for value in ticks(across.low, across.high, x.log):
        at = across.place(value)
        _line(svg, at, bottom, at, bottom + 4)
        words = x.text(value)
        if at - last >= max(NARROW, CHARACTER * (len(words) + 1)):
            _text(svg, at, bottom + 16, words, "middle")
            last = at
    _line(svg, across.start, bottom, across.end, bottom)
    _text(svg, (across.start + across.end) / 2, HEIGHT - 6, x.label, "middle")
    label = _text(svg, 0, 0, y.label, "middle")
    label.set("transform", f"translate(11 {bottom / 2:.1f}) rotate(-90)")


def _dots(svg: ElementTree.Element, one: Series, places: Sequence[tuple[float, float]]) -> None:
    names = one.names or [one.name] * len(places)
    for (a, b), name in zip(places, names, strict=True):
        drawn = {"cx": f"{a:.1f}", "cy": f"{b:.1f}", "r": str(RADIUS), "class": one.kind}
        dot = ElementTree.SubElement(svg, "circle", {**drawn, "opacity": f"{one.weight:.2f}"})
        ElementTree.SubElement(dot, "title").text = name


def _line(svg: ElementTree.Element, x1: float, y1: float, x2: float, y2: float) -> None:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    ElementTree.SubElement(svg, "line", {key: f"{value:.1f}" for key, value in ends.items()})


def _text(svg: ElementTree.Element, x: float, y: float, words: str, anchor: str = "start") -> ElementTree.Element:
    element = ElementTree.SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor})
    element.text = words
    return element


def _apart(ends: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """The names at heights a LINE apart at least, each as near to its own as the others leave it, inside the plot.

    Of more than fit there every second one, or third, and so on.
    """
    room = (HEIGHT - BOTTOM - TOP) // LINE
    ordered = sorted(ends)[:: math.ceil(len(ends) / room)]
    heights = [height for height, _ in ordered]
    for n in range(1, len(heights)):
        heights[n] = max(heights[n], heights[n - 1] + LINE)
    # From the bottom up again, for those that were pushed out of the plot.
    limit = float(HEIGHT - BOTTOM)
    for n in reversed(range(len(heights))):
        heights[n] = min(heights[n], limit)
        limit = heights[n] - LINE
    return [(height, name) for height, (_, name) in zip(heights, ordered, strict=True)]
