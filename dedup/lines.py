"""Repeated lines, as CCNet finds them, but counted over the whole crawl instead of groups of shards.

What goes in: texts, then the hashes of all their lines. What comes out: texts without any line that occurs twice.
A line is compared lower-cased, with digits as 0 and without punctuation and control characters (CCNet, section 3.1),
so that "Posted on 3 May, 2019" and "posted on 7 May 2021" are one line. All copies of a repeated line go.
"""

import numpy as np
from numpy.typing import NDArray

from kernels.signatures import line_hashes
from kernels.texts import Texts

# CCNet drops documents shorter than this.
MIN_CHARACTERS = 300


def repeated(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes that occur more than once, sorted; never 0, which stands for lines without content."""
    values, counts = np.unique(hashes, return_counts=True)
    return np.asarray(values[(counts > 1) & (values != 0)], np.uint64)


def without_lines(texts: Texts, repeated_hashes: NDArray[np.uint64]) -> list[str]:
    """The texts less the lines whose hash is among the sorted `repeated_hashes`, and stripped where any went."""
    strings = texts.to_list()
    gone = np.isin(line_hashes(texts), repeated_hashes)
    first = texts.lines.first
    for number in np.flatnonzero(np.add.reduceat(gone, first[:-1])) if len(strings) else ():
        lines = zip(strings[number].split("\n"), gone[first[number] : first[number + 1]], strict=True)
        strings[number] = "\n".join(line for line, drop in lines if not drop).strip()
    return strings
