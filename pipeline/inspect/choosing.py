"""Which documents of a finished run are shown, by their ids.

In come the run's parts and what is asked for; out come ids, ascending. What stays true: one column beside the ids is
read, a part at a time; and where more are found than are wanted, those of the lowest hashes stand for all, which is a
uniform sample and the same one every time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards
from corpus.hashing import keyed
from pipeline.finished import Part
from pipeline.verdicts import KEPT


@dataclass(frozen=True)
class Chosen:
    """The ids to show, and how many documents are `found` that are like them."""

    ids: NDArray[np.uint64]
    found: int


def of_reason(part: Part, reason: str) -> NDArray[np.uint64]:
    """The ids of a part's documents that were dropped for this reason, whatever its detail, or that were KEPT."""
    table = shards.read(part.verdicts, ["id", "reason"])
    reasons = table["reason"]
    if reason == KEPT:
        return _ids(table, pc.is_null(reasons))
    return _ids(table, pc.or_(pc.equal(reasons, reason), pc.starts_with(reasons, f"{reason}.")))


def of_language(part: Part, language: str) -> NDArray[np.uint64]:
    """The ids of a part's documents that were identified as this language."""
    table = shards.read(part.documents, ["id", "language"])
    return _ids(table, pc.equal(table["language"], language))


def of_all(part: Part) -> NDArray[np.uint64]:
    ids: NDArray[np.uint64] = shards.read(part.verdicts, ["id"])["id"].to_numpy()
    return ids


def _ids(table: pa.Table, mask: pa.ChunkedArray) -> NDArray[np.uint64]:
    ids: NDArray[np.uint64] = table["id"].filter(mask).to_numpy()
    return ids


def choose(parts: Iterable[Part], ids_of: Callable[[Part], NDArray[np.uint64]], most: int | None, seed: int) -> Chosen:
    """At most so many of the documents that `ids_of` finds in the parts; None for all of them."""
    held: Sequence[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
    found = 0
    for part in parts:
        ids = ids_of(part)
        found += len(ids)
        held = [*held, ids]
        if most is not None:
            held = [_sampled(np.concatenate(held), most, seed)]
    return Chosen(np.sort(np.concatenate(held)), found)


def _sampled(ids: NDArray[np.uint64], most: int, seed: int) -> NDArray[np.uint64]:
    return ids[np.argsort(keyed(ids, "inspect", seed), kind="stable")[:most]]
