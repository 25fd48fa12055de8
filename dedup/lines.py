"""Repeated lines or paragraphs, as CCNet finds them, but counted over the whole crawl instead of groups of shards.

    hashes of a chunk ──► tally ──► rows in buckets ──► answers ──► rows of a chunk ──► Repeated, without ──► texts

What goes in: the hashes of all units of documents (`kernels.signatures.unit_hashes`), a chunk of documents at a time;
then their texts. What comes out: the texts less what is repeated. A unit is compared lower-cased, with digits as 0 and
without punctuation and control characters (CCNet, arXiv:1911.00359, section 3.1), so that "Posted on 3 May, 2019" and
"posted on 7 May 2021" are one line. A unit that leaves nothing then is never repeated; one that occurs twice is, be it
in one document.

What stays true: what goes depends on the documents and their order alone, however they are cut into chunks, buckets and
batches.
"""

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.buckets import Numbers
from kernels import repeated
from kernels.lines import Unit, find_units
from kernels.signatures import unit_hashes
from kernels.texts import Texts

# CCNet drops documents shorter than this.
MIN_CHARACTERS = 300

# "none": all copies of what is repeated go, as in CCNet. "first": all but the first document's first.
Keep = Literal["none", "first"]


def tally(hashes: Numbers) -> Numbers:
    """(n, 2) rows, the different hashes of a chunk's units and how often each is there, sorted; without the hash 0."""
    ordered = np.sort(hashes)
    # The zeros come first and do not differ from one more before them.
    starts = np.flatnonzero(np.diff(ordered, prepend=np.uint64(0)))
    rows = np.empty((len(starts), 2), np.uint64)
    rows[:, 0] = ordered[starts]
    rows[:, 1] = np.diff(starts, append=len(ordered))
    return rows


def answers(rows: Numbers, counts: NDArray[np.int64], keep: Keep) -> tuple[Numbers, NDArray[np.int64]]:
    """Which of the `rows` of all chunks' tallies, `counts[c]` of chunk c, are of repeated units, as (m, 2) rows.

    They are a hash, and 1 if the first copy of the unit is in this chunk and stays; in the order of `rows`. And how
    many are of each chunk. In come the rows of a run of buckets as `buckets.read` gives them, with the chunks in the
    order of their documents. About 40 bytes a row of memory besides the rows, if all are repeated.
    """
    if not len(rows):
        return np.empty((0, 2), np.uint64), np.zeros(len(counts), np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)])
    verdicts = repeated.mark(rows, starts)
    chosen = np.flatnonzero(verdicts)
    found = np.empty((len(chosen), 2), np.uint64)
    found[:, 0] = rows[chosen, 0]
    found[:, 1] = verdicts[chosen] == repeated.FIRST if keep == "first" else 0
    return found, np.diff(np.searchsorted(chosen, starts))


class Left(NamedTuple):
    """Texts less their repeated units: `texts` (n,) large_string, `lost` (n,) which of them lost any, and how many
    units went in all.
    """

    texts: pa.LargeStringArray
    lost: NDArray[np.bool_]
    units: int


class Repeated:
    """The repeated units of one chunk of documents, to be taken out of its texts.

    `rows` are the chunk's `answers` of all buckets. The texts are those whose units were in the chunk's tally, each of
    them once and in their order, in any number of batches: which first copies have been there is remembered.
    """

    def __init__(self, rows: Numbers, unit: Unit) -> None:
        self._unit: Unit = unit
        self._hashes = np.ascontiguousarray(rows[:, 0])
        self._stays = rows[:, 1] != 0
        self._table = repeated.table_of(self._hashes)

    def without(self, texts: Texts) -> Left:
        """The next texts; those that lose nothing stay as they are, the others are stripped as by `str.strip`.

        A line goes with its new line, and the blank lines around it stay. A paragraph goes with the blank lines after
        it, so that those before it part its neighbours.
        """
        units = find_units(texts.lines, self._unit)
        gone = np.empty(len(units.start), np.bool_)
        repeated.find_gone(unit_hashes(texts, units), self._hashes, self._stays, self._table, gone)
        count = int(np.count_nonzero(gone))
        left, lost = repeated.without(texts, units, gone)
        return Left(left.to_arrow(), lost, count)
