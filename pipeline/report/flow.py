"""The way of one source's documents and text from the crawl to what is kept, as bands that get narrower.

What goes in: a source of a run's summary. What comes out: rows of numbers, with pictures in SVG that stretch with the
page. What stays true: what a row has is what the row before had less what it drops; widths are shares of what was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

# The height and width of every picture in its own units; the page stretches it.
SIDE = 100


@dataclass(frozen=True, slots=True)
class Band:
    """What is `left` of what was there `before`, both also as shares of `whole`."""

    left: int
    before: int
    whole: int

    @property
    def gone(self) -> int:
        return self.before - self.left

    @property
    def picture(self) -> Markup:
        """What stays goes straight down; what goes leaves to the right."""
        stays, came = (SIDE * min(1.0, n / max(self.whole, 1)) for n in (self.left, self.before))
        stays = min(stays, came)
        low = 6 + 0.5 * (came - stays)
        kept = f"M0 0H{stays:.2f}V{SIDE}H0Z"
        gone = (
            f"M{stays:.2f} 0H{came:.2f}C{came:.2f} 6 {came:.2f} 6 {SIDE} 6"
            f"V{low:.2f}C{stays:.2f} {low:.2f} {stays:.2f} {low:.2f} {stays:.2f} 0Z"
        )
        paths = Markup('<path class="stays" d="{}"/>').format(kept)
        if self.gone > 0:
            paths += Markup('<path class="leaves" d="{}"/>').format(gone)
        return picture(paths)


@dataclass(frozen=True, slots=True)
class Level:
    """What a stage left: documents, the bytes of their texts, where these are known, and about how many tokens that is.

    `exact` where the tokens were counted.
    """

    stage: str
    documents: Band
    text: Band | None
    tokens: float | None
    exact: bool = False


def levels(source: Mapping[str, Any]) -> list[Level]:
    """The stages of one source of a summary, from all that was read to what is kept."""
    read, stages = source["read"], source["funnel"]
    first, tokens = stages[0], source["unique_tokens"]
    each = tokens / source["text_bytes"] if tokens and source["text_bytes"] else None

    def level(stage: Mapping[str, Any], before: Mapping[str, Any]) -> Level:
        text = Band(stage["text_bytes"], before["text_bytes"], first["text_bytes"])
        documents = Band(stage["documents"], before["documents"], read)
        return Level(stage["stage"], documents, text, each * text.left if each else None)

    found = [Level("read", Band(read, read, read), None, None)]
    # Before reading nobody knows how much text there is.
    found.append(level(first, {**first, "documents": read}))
    found += [level(stage, before) for before, stage in pairwise(stages)]
    last = level(stages[-1], stages[-1])
    return [*found, Level("kept", last.documents, last.text, tokens, exact=True)]


def picture(paths: Markup) -> Markup:
    """Paths in a square of SIDE that stretches to whatever holds it."""
    return Markup('<svg viewBox="0 0 {0} {0}" preserveAspectRatio="none" aria-hidden="true">{1}</svg>').format(
        SIDE, paths
    )
