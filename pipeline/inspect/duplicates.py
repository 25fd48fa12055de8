"""What a finished run removed as duplicates, each beside the document it repeats.

What goes in: the run's folder, with the verdicts of its documents steps and the documents of its read steps. What
stays true: as many duplicates come out as summary.json says were dropped for these reasons, or there is an error; of
the verdicts four columns are read, and of the documents only the row groups asked for, so that memory is bounded by
one part's verdicts and one batch of documents.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from pipeline.finished import Document, Part, Run, opened
from pipeline.verdicts import DIFFERING
from pipeline.verdicts import REASONS as REASON_OF

REASONS = tuple(REASON_OF.values())
COLUMNS = ["id", "reason", "duplicate_of", "similarity"]

# Similarity is counted in steps of .05; as fractions, because these are the numbers that people write.
EDGES = np.arange(21) / 20

# Documents looked up together. Texts come a row group at a time, so many of them would keep a person waiting; of URLs
# many, because duplicates repeat documents all over the run, and each batch may have to look into every part of it.
WITH_TEXTS, WITHOUT_TEXTS = 64, 100_000


@dataclass(frozen=True)
class Repeated:
    """What a duplicate repeats: `run` is an earlier run's folder or None for this one; `document` None if gone."""

    id: int
    run: str | None
    document: Document | None


@dataclass(frozen=True)
class Duplicate:
    """A document removed as a duplicate. `similarity` in 0 to 1: Jaccard, or the share contained; None for a URL's."""

    document: Document
    similarity: float | None
    repeated: Repeated


@dataclass(frozen=True)
class Wanted:
    """Which duplicates: of this reason, of this source, the document of this id or what repeats it; None for any."""

    reason: str | None = None
    source: str | None = None
    id: int | None = None

    def of(self, part: Part, verdicts: pa.Table) -> pa.Table:
        """Those among a part's duplicates."""
        if self.source not in (None, part.source):
            return verdicts.slice(0, 0)
        if self.reason is not None:
            verdicts = verdicts.filter(pc.equal(verdicts["reason"], self.reason))
        if self.id is not None:
            number = pa.scalar(self.id, pa.uint64())
            verdicts = verdicts.filter(pc.or_(*(pc.equal(verdicts[key], number) for key in ("id", "duplicate_of"))))
        return verdicts


@dataclass(frozen=True)
class Sums:
    """All duplicates by reason, near-duplicates by similarity (between EDGES), and how many of each part are wanted."""

    reasons: dict[str, int]
    similarities: list[int]
    wanted: list[int]


def _verdicts(part: Part) -> pa.Table:
    """COLUMNS of the part's duplicates, in the order of their ids."""
    with storage.open_read(part.verdicts) as file:
        verdicts = opened(part.verdicts, file, COLUMNS).read(columns=COLUMNS)
    return verdicts.filter(pc.is_in(verdicts["reason"], value_set=pa.array(REASONS)))


def count(run: Run, wanted: Wanted, progress: Callable[[int, int], None]) -> Sums:
    """Count the duplicates; `progress` hears of parts done and all parts.

    Raises `ValueError` where the verdicts are not those that summary.json counts.
    """
    found: dict[str, Counter[str]] = {source: Counter() for source in run.summary["sources"]}
    similarities = np.zeros(len(EDGES) - 1, np.int64)
    of_parts = []
    for number, part in enumerate(run.parts, 1):
        verdicts = _verdicts(part)
        found[part.source].update(verdicts["reason"].to_pylist())
        near = verdicts.filter(pc.equal(verdicts["reason"], "near_duplicate"))["similarity"].to_numpy()
        similarities += np.histogram(near, EDGES)[0]
        of_parts.append(len(wanted.of(part, verdicts)))
        progress(number, len(run.parts))
    for source, reasons in found.items():
        for reason in REASONS:
            said = run.summary["sources"][source]["dropped"].get(reason, 0)
            if said != reasons[reason]:
                raise ValueError(
                    f"{run.root}: summary.json has {said} documents of {source} dropped as {reason}, and the verdicts "
                    f"have {reasons[reason]}; run the recipe again"
                )
    total = sum(found.values(), Counter[str]())
    return Sums({reason: total[reason] for reason in REASONS if total[reason]}, similarities.tolist(), of_parts)


def find(run: Run, wanted: Wanted, sums: Sums, limit: int | None, texts: bool) -> Iterator[Duplicate]:
    """The wanted duplicates in the order of their ids, at most `limit`; `texts` reads those that can differ."""
    parts = [part for part, has in zip(run.parts, sums.wanted, strict=True) if has]
    rows = islice(chain.from_iterable(wanted.of(part, _verdicts(part)).to_pylist() for part in parts), limit)
    while batch := list(islice(rows, WITH_TEXTS if texts else WITHOUT_TEXTS)):
        yield from _joined(run, batch, texts)


def repeated(run: Run, duplicate_of: int, text: bool) -> Repeated:
    """The document that a verdict names, with its `text` if that is asked for."""
    folder, number = run.resolve(duplicate_of)
    where = run if folder is None else run.earlier(folder)
    return Repeated(number, folder, where.documents([number], text).get(number) if where else None)


def _joined(run: Run, rows: Sequence[Mapping[str, Any]], texts: bool) -> Iterator[Duplicate]:
    """The duplicates of these verdicts."""
    places = [run.resolve(row["duplicate_of"]) for row in rows]
    needed: dict[tuple[bool, str | None], set[int]] = defaultdict(set)
    for row, (folder, number) in zip(rows, places, strict=True):
        differing = texts and row["reason"] in DIFFERING
        needed[differing, None].add(row["id"])
        needed[differing, folder].add(number)
    found: dict[str | None, dict[int, Document]] = defaultdict(dict)
    # Where a document is looked up both without and with its text, the second stays.
    for differing, folder in sorted(needed, key=lambda key: key[0]):
        where = run if folder is None else run.earlier(folder)
        found[folder] |= where.documents(needed[differing, folder], differing) if where else {}
    for row, (folder, number) in zip(rows, places, strict=True):
        for own in (row["id"], *([number] if folder is None else [])):
            if own not in found[None]:
                raise ValueError(
                    f"{run.root}: document {own} is in the verdicts and nowhere else; run the recipe again"
                )
        repeated = Repeated(number, folder, found[folder].get(number))
        yield Duplicate(found[None][row["id"]], row["similarity"], repeated)
