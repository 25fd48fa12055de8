"""A finished run, and its documents by their ids.

What goes in: the run's folder. What comes out: the files about each input file, and documents with what became of
them. What stays true: of the documents only the row groups that are asked for are read, and a document that is not
there is left out and never taken for another.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from corpus import shards, storage
from corpus.documents import document_id
from corpus.strict import RecipeError
from dedup import preference
from pipeline.summary import documents_folder, step_folder
from pipeline.verdicts import VERDICTS


@dataclass(frozen=True)
class Document:
    """A document of a run. `reason` is why it was dropped, None where it was kept; `text` only where asked for."""

    id: int
    source: str
    url: str
    reason: str | None
    text: str | None


@dataclass(frozen=True)
class Part:
    """The files about one input file, `file`, which is the `number`-th of its source from 0.

    A row of `documents` (the read step's, or the measure step's), of `filtered` and of `verdicts` is the row of the
    input file.
    """

    source: str
    number: int
    file: str
    documents: str
    filtered: str
    verdicts: str


class Run:
    """The documents of a finished run, by their ids; `summary` is its summary.json. `parts` are in the order of ids."""

    def __init__(self, root: str, summary: Mapping[str, Any]) -> None:
        self.root, self.summary = root, summary
        # JSON has the sources by name, and the recipe had them in the order in which their files are numbered.
        first = {source: _first_shard(root, source, summary) for source in summary["sources"]}
        parts = [part for source in sorted(first, key=first.__getitem__) for part in _parts(root, source, summary)]
        self.parts = parts
        self._by_shard = {int(first[part.source]) + part.number: part for part in parts if first[part.source] != _GONE}
        self._earlier: dict[str, Run | None] = {}

    def check(self) -> None:
        """Raises `RecipeError` where a step's files, that tell what became of documents, were cleared away."""
        for source in self.summary["sources"]:
            manifest(self.root, documents_folder(self.root, self.summary, source))
            for step in ("filter", "documents"):
                manifest(self.root, step_folder(self.root, self.summary, f"{source}.{step}"))

    def documents(self, ids: Iterable[int], texts: bool) -> dict[int, Document]:
        """Those of `ids` that are there; of the others nothing is said."""
        rows = defaultdict(set)
        for number in ids:
            rows[number >> 32].add(number & 0xFFFFFFFF)
        found: dict[int, Document] = {}
        for shard in sorted(rows):
            if shard in self._by_shard:
                found |= _documents(self._by_shard[shard], shard, np.array(sorted(rows[shard])), texts)
        return found

    def parts_of(self, source: str) -> list[Part]:
        return [part for part in self.parts if part.source == source]

    def part_of(self, number: int) -> Part | None:
        """The part with the document of that id, if there is such a one."""
        part = self._by_shard.get(number >> 32)
        if part is None:
            return None
        read: int = self.summary["sources"][part.source]["files"][part.number]["documents"]
        return part if number & 0xFFFFFFFF < read else None

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


# The first shard of a source whose documents step was cleared away.
_GONE = float("inf")


def _first_shard(root: str, source: str, summary: Mapping[str, Any]) -> float:
    """The number of a source's first input file among those of all sources."""
    path = storage.join(step_folder(root, summary, f"{source}.documents"), "step.json")
    return storage.read_json(path)["params"]["first_shard"] if storage.exists(path) else _GONE


def _parts(root: str, source: str, summary: Mapping[str, Any]) -> list[Part]:
    verdicts = step_folder(root, summary, f"{source}.documents")
    documents = documents_folder(root, summary, source)
    if "files" not in summary["sources"][source]:
        raise RecipeError(f"{root}: an earlier version of crawlmill made it; run the recipe again")
    filtered = step_folder(root, summary, f"{source}.filter")
    return [
        Part(
            source,
            number,
            read["file"],
            storage.join(documents, shards.part_name(number)),
            storage.join(filtered, shards.part_name(number)),
            storage.join(verdicts, shards.part_name(number, VERDICTS)),
        )
        for number, read in enumerate(summary["sources"][source]["files"])
    ]


def _documents(part: Part, shard: int, rows: NDArray[np.int64], texts: bool) -> dict[int, Document]:
    """The documents in these rows (ascending) of a part, by id; those that are not there are left out."""
    # An earlier run's folder may have been cleared in part.
    if not storage.exists(part.documents):
        return {}
    reasons = shards.read(part.verdicts, ["reason"])["reason"]
    rows = rows[rows < len(reasons)]
    columns = ["id", "url", *(["text"] if texts else [])]
    found = take(part.documents, rows, columns).to_pylist() if len(rows) else []
    documents = {}
    for row, reason, document in zip(rows.tolist(), reasons.take(rows).to_pylist(), found, strict=True):
        # Where a source's folder is gone, the parts after it would be taken for other ones.
        if document["id"] == document_id(shard, row):
            text = document.get("text")
            documents[document["id"]] = Document(document["id"], part.source, document["url"], reason, text)
    return documents


def manifest(root: str, folder: str) -> Mapping[str, Any]:
    """A step's own record, of a run in folder `root`. Raises `RecipeError` where it or a file of the step is gone."""
    path = storage.join(folder, "step.json")
    found: dict[str, Any] = storage.read_json(path) if storage.exists(path) else {}
    sizes = storage.list_folder(folder)
    if not found or any(sizes.get(name) != size for name, size in found["files"].items()):
        raise RecipeError(f"{root}: files of {folder} are gone; run the recipe again")
    return found


def opened(path: str, file: IO[bytes], columns: Sequence[str]) -> pq.ParquetFile:
    """A file of a run, `path`, to read these columns of. Raises `ValueError` where one of them is not there."""
    parquet = pq.ParquetFile(file)
    if missing := [name for name in columns if name not in parquet.schema_arrow.names]:
        raise ValueError(
            f"{path} has no {' and no '.join(missing)}: an earlier version of crawlmill made it; run the recipe again"
        )
    return parquet


def take(path: str, rows: NDArray[np.int64], columns: list[str] | None) -> pa.Table:
    """These rows (ascending, at least one) of a Parquet file; no row group is read that has none of them."""
    with storage.open_read(path) as file:
        parquet = opened(path, file, columns or [])
        sizes = [parquet.metadata.row_group(n).num_rows for n in range(parquet.num_row_groups)]
        first = np.cumsum([0, *sizes])
        groups = np.searchsorted(first, rows, side="right") - 1
        return pa.concat_tables(
            parquet.read_row_group(group, columns=columns).take(rows[groups == group] - first[group])
            for group in np.unique(groups).tolist()
        )
