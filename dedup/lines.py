"""Repeated lines, as CCNet finds them, but counted over the whole crawl instead of groups of shards.

What goes in: texts, then the hashes of all their lines. What comes out: texts without any line that occurs twice.
A line is compared lower-cased, with digits as 0 and without punctuation and control characters (CCNet, section 3.1),
so that "Posted on 3 May, 2019" and "posted on 7 May 2021" are one line. All copies of a repeated line go.
"""

import sys
import unicodedata

import numpy as np
import xxhash
from numpy.typing import NDArray

# CCNet drops documents shorter than this.
MIN_CHARACTERS = 300


def _translation() -> dict[int, str | None]:
    table: dict[int, str | None] = {}
    for code in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code))
        if category == "Nd":
            table[code] = "0"
        elif (category[0] == "P" or category in ("Cc", "Cf")) and code != ord("\n"):
            table[code] = None
    return table


_TRANSLATION = _translation()


def line_hashes(text: str) -> NDArray[np.uint64]:
    """A 64-bit hash for each line of `text`; 0 for a line of which normalising leaves nothing."""
    lines = text.lower().translate(_TRANSLATION).split("\n")
    hashes = [xxhash.xxh3_64_intdigest(stripped.encode()) if (stripped := line.strip()) else 0 for line in lines]
    return np.array(hashes, np.uint64)


def repeated(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes that occur more than once, sorted; never 0, which stands for lines without content."""
    values, counts = np.unique(hashes, return_counts=True)
    return np.asarray(values[(counts > 1) & (values != 0)], np.uint64)


def without_lines(text: str, repeated_hashes: NDArray[np.uint64]) -> str:
    """`text` less the lines whose hash is among the sorted `repeated_hashes`, and stripped where any went."""
    hashes = line_hashes(text)
    places = np.searchsorted(repeated_hashes, hashes)
    gone = np.zeros(len(hashes), bool)
    inside = places < len(repeated_hashes)
    gone[inside] = repeated_hashes[places[inside]] == hashes[inside]
    if not gone.any():
        return text
    return "\n".join(line for line, drop in zip(text.split("\n"), gone, strict=True) if not drop).strip()
