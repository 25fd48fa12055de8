"""What a finished run removed as duplicates, each beside the document it repeats.

What goes in: the run's folder, with the verdicts of its documents steps and the documents of its read steps. What
stays true: as many duplicates come out as summary.json says were dropped for these reasons, or there is an error; of
the verdicts four columns are read, and of the documents only the row groups asked for, so that memory is bounded by
one part's verdicts and one batch of documents.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from corpus import shards, storage
from corpus.documents import document_id
from dedup import preference
from pipeline.summary import documents_folder, step_folder

# The reasons of duplicates; where the texts can differ, they are worth a look.
REASONS = ("exact_duplicate", "url_duplicate", "near_duplicate", "contained_duplicate")
DIFFERING = ("near_duplicate", "contained_duplicate")
COLUMNS = ["id", "reason", "duplicate_of", "similarity"]

# Similarity is counted in steps of .05; as fractions, because these are the numbers that people write.
EDGES = np.arange(21) / 20

# Documents looked up together. Texts come a row group at a time, so many of them would keep a person waiting; of URLs
# many, because duplicates repeat documents all over the run, and each batch may have to look into every part of it.
WITH_TEXTS, WITHOUT_TEXTS = 64, 100_000


@dataclass(frozen=True)
class Document:
    """A document of a run. `reason` is why it was dropped, None where it was kept; `text` only where asked for."""

    id: int
    source: str
    url: str
    reason: str | None
    text: str | None


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
class Part:
    """The files about one input file; a row of either is the row of the input file."""

    source: str
    verdicts: str
    documents: str


class Run:
    """The documents of a finished run, by their ids; `summary` is its summary.json."""

    def __init__(self, root: str, summary: Mapping[str, Any]) -> None:
        self.root, self.summary = root, summary
        self.parts = [part for source in summary["sources"] for part in _parts(root, source, summary)]
        self._earlier: dict[str, Run | None] = {}

    def documents(self, ids: Iterable[int], texts: bool) -> dict[int, Document]:
        """Those of `ids` that are there; of the others nothing is said."""
        rows = defaultdict(set)
        for number in ids:
            rows[number >> 32].add(number & 0xFFFFFFFF)
        found: dict[int, Document] = {}
        for shard in sorted(rows):
            if shard < len(self.parts):
                found |= _documents(self.parts[shard], shard, np.array(sorted(rows[shard])), texts)
        return found

    def resolve(self, duplicate_of: int) -> tuple[str | None, int]:
        """The earlier run's folder, or None for this run, and the document's id there."""
        found = preference.of_earlier(duplicate_of)
        if found is None:
            return None, duplicate_of
        number, there = found
        folder: str = self.summary["recipe"]["dedup"]["against"][number]
        return folder, there

    def earlier(self, folder: str) -> "Run | None":
        """A run that this one was compared with; None where it is gone."""
        if folder not in self._earlier:
            path = storage.join(folder, "summary.json")
            self._earlier[folder] = Run(folder, storage.read_json(path)) if storage.exists(path) else None
        return self._earlier[folder]


def _parts(root: str, source: str, summary: Mapping[str, Any]) -> list[Part]:
    verdicts = step_folder(root, summary, f"{source}.documents")
    documents = documents_folder(root, summary, source)
    count = sum(name.startswith("verdicts-") for name in storage.list_folder(verdicts))
    return [
        Part(source, storage.join(verdicts, f"verdicts-{n:05d}.parquet"), storage.join(documents, shards.part_name(n)))
        for n in range(count)
    ]


def _documents(part: Part, shard: int, rows: NDArray[np.int64], texts: bool) -> dict[int, Document]:
    """The documents in these rows (ascending) of a part, by id; those that are not there are left out."""
    # An earlier run's folder may have been cleared in part.
    if not storage.exists(part.documents):
        return {}
    reasons = shards.read(part.verdicts, ["reason"])["reason"]
    rows = rows[rows < len(reasons)]
    columns = ["id", "url", *(["text"] if texts else [])]
    found = _take(part.documents, rows, columns).to_pylist() if len(rows) else []
    documents = {}
    for row, reason, document in zip(rows.tolist(), reasons.take(rows).to_pylist(), found, strict=True):
        # Where a source's folder is gone, the parts after it would be taken for other ones.
        if document["id"] == document_id(shard, row):
            text = document.get("text")
            documents[document["id"]] = Document(document["id"], part.source, document["url"], reason, text)
    return documents


def _take(path: str, rows: NDArray[np.int64], columns: list[str]) -> pa.Table:
    """These rows (ascending, at least one) of a Parquet file; no row group is read that has none of them."""
    with storage.open_read(path) as file:
        parquet = pq.ParquetFile(file)
        sizes = [parquet.metadata.row_group(n).num_rows for n in range(parquet.num_row_groups)]
        first = np.cumsum([0, *sizes])
        groups = np.searchsorted(first, rows, side="right") - 1
        return pa.concat_tables(
            parquet.read_row_group(group, columns=columns).take(rows[groups == group] - first[group])
            for group in np.unique(groups).tolist()
        )


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
        parquet = pq.ParquetFile(file)
        if missing := [name for name in COLUMNS if name not in parquet.schema_arrow.names]:
            raise ValueError(
                f"{part.verdicts} has no {' and no '.join(missing)}: an earlier version of crawlmill made it; "
                "run the recipe again"
            )
        verdicts = parquet.read(columns=COLUMNS)
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
