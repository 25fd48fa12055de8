"""A histogram of one signal: the axis that suits its values, the bars, and a picture of them as SVG.

In come values, and which of them fail; out come counts between edges and markup with the page's colours. What stays
true: every value is in one bar; the picture needs no script; report/page.js.j2 draws the same bars from the same edges.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from pipeline.plots import CHARACTER, NARROW, ticks

Values = NDArray[np.float64]

BARS = 30
# A phone's width, so that text there has its own size. The handles under a plot are as wide: see report/signals.css.j2.
WIDTH, HEIGHT = 340, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 16, 24
# Where the middle of the values lies in the first twentieth, equal steps would leave all of them in one or two bars.
CROWDED = 0.05
# A bar so many times as high as any other is cut, so that the others can be seen.
CUT = 4.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` on places from 0 to 1: in equal steps, or by the logarithm of 1 + distance from
    `low` / `stretch`, which has a place for `low` itself. `whole`: the values are whole numbers.
    """

    low: float
    high: float
    stretch: float | None
    whole: bool

    def place(self, values: Values) -> Values:
        if self.stretch is None:
            return np.asarray((values - self.low) / (self.high - self.low))
        return np.asarray(np.log1p((values - self.low) / self.stretch) / self._most)

    def values(self, places: Values) -> Values:
        if self.stretch is None:
            return np.asarray(self.low + places * (self.high - self.low))
        return np.asarray(self.low + self.stretch * np.expm1(places * self._most))

    @property
    def _most(self) -> float:
        return float(np.log1p((self.high - self.low) / (self.stretch or 1)))

    def ticks(self) -> list[float]:
        if self.stretch is None:
            return [value for value in ticks(self.low, self.high) if not self.whole or value % 1 == 0]
        return [*([0.0] if self.low == 0 else []), *ticks(max(self.low, self.stretch), self.high, log=True)]


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values lie from each edge up to the next, the last edge included, and how many of these fail."""

    scale: Scale
    edges: Values
    counts: NDArray[np.int64]
    failing: NDArray[np.int64]

    @property
    def limit(self) -> float:
        """The count at the top of the picture."""
        second, highest = np.sort(np.append(self.counts, [0, 0]))[-2:].tolist()
        return float(max(1, 1.5 * second if second and highest > CUT * second else highest))


def scale_of(values: Values, bounds: Sequence[float], whole: bool) -> Scale:
    """The scale that shows these values, and the bounds on them."""
    ends = np.append(values, bounds)
    low, high = (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 0.0)
    # The last whole number takes room as the others do.
    high += 1 if whole or high == low else 0
    above = values[values > low] - low
    if not len(above) or np.median(above) > CROWDED * (high - low):
        return Scale(low, high, None, whole)
    return Scale(low, high, 1.0 if whole else float(np.percentile(above, 10)), whole)


def histogram(values: Values, fails: NDArray[np.bool_], bounds: Sequence[float], whole: bool) -> Histogram:
    """The histogram of values, all finite, on a scale of their own."""
    scale = scale_of(values, bounds, whole)
    edges = scale.values(np.linspace(0, 1, BARS + 1))
    edges[[0, -1]] = scale.low, scale.high
    if whole:
        # Adding 0 makes 0 of -0, which a table would show.
        edges = np.unique(np.ceil(edges - 1e-9)) + 0.0
    bars = len(edges) - 1
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bars - 1)
    return Histogram(scale, edges, np.bincount(place, minlength=bars), np.bincount(place[fails], minlength=bars))


def svg(shown: Histogram, bounds: Iterable[float], words: str) -> Markup:
    """The picture; `bounds` are lines at these values, `words` are for those who cannot see it."""
    picture = ElementTree.Element("svg", {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "aria-label": words})
    _upward(picture, shown.limit)
    passing = shown.counts - shown.failing
    heights = np.minimum(1, shown.counts / shown.limit)
    share = np.divide(passing, shown.counts, out=np.zeros(len(passing)), where=shown.counts > 0)
    edges = LEFT + (WIDTH - LEFT - RIGHT) * shown.scale.place(shown.edges)
    _add(picture, "path", {"class": "pass", "d": _bars(edges, np.zeros(len(share)), heights * share)})
    _add(picture, "path", {"class": "fail", "d": _bars(edges, heights * share, heights)})
    for bar in np.flatnonzero(shown.counts > shown.limit).tolist():
        at = (edges[bar] + edges[bar + 1]) / 2
        _add(picture, "line", {"class": "cut", "x1": at - 9, "y1": TOP + 9, "x2": at + 9, "y2": TOP + 4})
        _text(picture, max(at, LEFT + 8), TOP - 4, f"{shown.counts[bar]:,}", "middle")
    _across(picture, shown.scale)
    group = _add(picture, "g", {"class": "bounds"})
    for at in _places(shown.scale, bounds):
        _add(group, "line", {"x1": at, "y1": TOP - 4, "x2": at, "y2": HEIGHT - BOTTOM + 4})
    return Markup(ElementTree.tostring(picture, encoding="unicode"))


def _places(scale: Scale, values: Iterable[float]) -> list[float]:
    places = scale.place(np.fromiter(values, np.float64))
    return list(LEFT + (WIDTH - LEFT - RIGHT) * np.clip(places, 0, 1))


def _bars(edges: Values, bottoms: Values, tops: Values) -> str:
    """The outlines of bars between edges, from bottom to top in shares of the plot's height; none for an empty one."""
    down, up = (HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * shares for shares in (bottoms, tops))
    return "".join(
        f"M{left:.1f} {low:.1f}V{high:.1f}H{right - 0.5:.1f}V{low:.1f}z"
        for left, right, low, high in zip(edges[:-1], edges[1:], down, up, strict=True)
        if low > high
    )


def _upward(picture: ElementTree.Element, limit: float) -> None:
    for value in ticks(0, limit):
        if value % 1 == 0:
            at = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / limit
            _add(picture, "line", {"x1": LEFT, "y1": at, "x2": WIDTH - RIGHT, "y2": at})
            _text(picture, LEFT - 5, at + 4, f"{value:,.0f}", "end")


def _across(picture: ElementTree.Element, scale: Scale) -> None:
    last = -np.inf
    values = scale.ticks()
    for value, at in zip(values, _places(scale, values), strict=True):
        words = f"{value:,.0f}" if scale.whole else f"{value:.4g}"
        if at - last >= max(NARROW, CHARACTER * (len(words) + 1)):
            _add(picture, "line", {"x1": at, "y1": HEIGHT - BOTTOM, "x2": at, "y2": HEIGHT - BOTTOM + 4})
            _text(picture, min(at, WIDTH - CHARACTER * len(words) / 2), HEIGHT - 7, words, "middle")
            last = at


def _add(parent: ElementTree.Element, tag: str, attributes: dict[str, str | float]) -> ElementTree.Element:
    written = {key: value if isinstance(value, str) else f"{value:.1f}" for key, value in attributes.items()}
    return ElementTree.SubElement(parent, tag, written)


def _text(parent: ElementTree.Element, x: float, y: float, words: str, anchor: str) -> None:
    _add(parent, "text", {"x": x, "y": y, "text-anchor": anchor}).text = words
