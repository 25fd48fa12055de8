"""Where all sources come together: tokens kept, drawn by the mixture, and in the shards, joined by ribbons.

What goes in: a run's summary. What comes out: three bars of segments, and two pictures of ribbons between them. What
stays true: a ribbon is as wide as the tokens it stands for are in the bars at its ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pipeline.report.flow import SIDE, picture

# Of sources; the page has so many, and further sources begin anew.
COLOURS = 6


@dataclass(frozen=True, slots=True)
class Segment:
    """A source's part of a bar, from `start` to `end` per cent."""

    name: str
    source: str
    tokens: int
    start: float
    end: float
    colour: int


@dataclass(frozen=True, slots=True)
class Joined:
    """All sources' tokens: kept, drawn into the mixture (with what is held out), in the shards of each split."""

    kept: Sequence[Segment]
    mixture: Sequence[Segment]
    shards: Sequence[Segment]
    into_mixture: Markup
    into_shards: Markup


def joined(summary: Mapping[str, Any]) -> Joined | None:
    """How the sources come together; None where a run ends with what is kept."""
    if not summary["mixture"]:
        return None
    kept = {name: source["unique_tokens"] or 0 for name, source in summary["sources"].items()}
    drawn = {name: mixed["tokens"] + mixed["validation_tokens"] for name, mixed in summary["mixture"].items()}
    colours = {name: number % COLOURS for number, name in enumerate(kept)}
    top = _bar([(name, name, tokens) for name, tokens in kept.items()], colours)
    middle = _bar([(name, name, tokens) for name, tokens in drawn.items()], colours)
    bottom = _bar(
        [
            (f"{split}: {name}", name, by[name])
            for split, by in summary["tokens"].items()
            for name in drawn
            if name in by
        ],
        colours,
    )
    return Joined(top, middle, bottom, _ribbons(_matched(top, middle)), _ribbons(_split(middle, bottom)))


def _bar(parts: Sequence[tuple[str, str, int]], colours: Mapping[str, int]) -> list[Segment]:
    """Name, source and tokens, side by side."""
    total, at = max(sum(tokens for _, _, tokens in parts), 1), 0
    found = []
    for name, source, tokens in parts:
        end = at + tokens
        found.append(Segment(name, source, tokens, SIDE * at / total, SIDE * end / total, colours[source]))
        at = end
    return found


Ribbon = tuple[float, float, float, float, int]


def _matched(above: Sequence[Segment], below: Sequence[Segment]) -> list[Ribbon]:
    """From each source's part above to its part below."""
    there = {segment.source: segment for segment in above}
    return [(there[s.source].start, there[s.source].end, s.start, s.end, s.colour) for s in below]


def _split(above: Sequence[Segment], below: Sequence[Segment]) -> list[Ribbon]:
    """From each source's part above to its parts below, in their order."""
    at = {segment.source: segment.start for segment in above}
    wide = {segment.source: (segment.end - segment.start) / max(segment.tokens, 1) for segment in above}
    found: list[Ribbon] = []
    for s in below:
        end = at[s.source] + wide[s.source] * s.tokens
        found.append((at[s.source], end, s.start, s.end, s.colour))
        at[s.source] = end
    return found


def _ribbons(ribbons: Sequence[Ribbon]) -> Markup:
    return picture(Markup("").join(map(_ribbon, ribbons)))


def _ribbon(ribbon: Ribbon) -> Markup:
    """Straight down at both ends, so that it meets the bars above and below."""
    a, b, c, d, colour = ribbon
    half = SIDE / 2
    there = f"M{a:.2f} 0H{b:.2f}C{b:.2f} {half} {d:.2f} {half} {d:.2f} {SIDE}"
    back = f"H{c:.2f}C{c:.2f} {half} {a:.2f} {half} {a:.2f} 0Z"
    return Markup('<path class="s{}" d="{}"/>').format(colour, there + back)
