"""What training gets of a kept document: its tokens, and every place in the shards where they lie.

In come a finished run and a document's id; out come its uses, one for each time it was drawn. What stays true: a place
counts documents and ids from the beginning of a file, the ends of documents included; and of the tables of uses those
of one shard are held.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus import shards, storage
from pipeline.finished import Part, Run
from pipeline.mix import MIXTURE, slice_numbers
from pipeline.summary import step_folder

COLUMNS = ["id", "tokens", "place"]


@dataclass(frozen=True)
class Place:
    """Where a use lies: the `document`-th from 0 in a file of the run's folder, `offset` ids behind the file's header.

    In llm.c's files the id that ends the document before it is the first of them. Texts have no offset.
    """

    file: str
    document: int
    offset: int | None


@dataclass(frozen=True)
class Use:
    """One time that a document is trained on, or held out. `llmc` and `text` are None where a run has no such files."""

    split: str
    shard: Place
    llmc: Place | None
    text: Place | None


@dataclass(frozen=True)
class Training:
    """`tokens` of a document, its end included. `uses` are in the order of the shards; none where it was not drawn."""

    tokens: int
    held_out: bool
    uses: list[Use]


def training_of(run: Run, part: Part, number: int) -> Training | None:
    """What became of the kept document with the id `number`; None where its source is not in a mixture."""
    if part.source not in (run.summary["mixture"] or {}):
        return None
    folder = step_folder(run.root, run.summary, f"{part.source}.tokenize")
    wanted = [("id", "=", number)]
    encoded = shards.read(storage.join(folder, shards.part_name(part.number)), ["tokens"], wanted)
    path = _table(run, part.source)
    drawn = dict.fromkeys(
        (row["split"], row["number"]) for row in shards.read(path, ["split", "number"], wanted).to_pylist()
    )
    uses = [use for split, shard in drawn for use in _uses(run, part.source, number, split, shard)]
    return Training(encoded["tokens"][0].as_py() + 1, any(use.split == "validation" for use in uses), uses)


def _folder(run: Run, step: str) -> str:
    """The folder of a step's files in the run's: the step's own, where a store has no link by its name."""
    folder: str = run.summary["steps"][step]["folder"]
    return step if storage.exists(storage.join(run.root, step)) else folder


def _table(run: Run, source: str) -> str:
    return storage.join(step_folder(run.root, run.summary, "mixture"), f"{source}.parquet")


def _uses(run: Run, source: str, number: int, split: str, shard: int) -> list[Use]:
    """Those in one shard."""
    inside = shards.read(_table(run, source), COLUMNS, [("split", "=", split), ("number", "=", shard)])
    ends = np.cumsum(inside["tokens"].to_numpy())
    stem = f"{source}-validation" if split == "validation" else source
    found = []
    for row in np.flatnonzero(inside["id"].to_numpy() == np.uint64(number)).tolist():
        file = storage.join(_folder(run, "tokens"), f"{stem}-{shard:05d}.bin")
        place = Place(file, row, int(ends[row - 1]) if row else 0)
        found.append(Use(split, place, *_interleaved(run, source, split, inside["place"][row].as_py())))
    return found


def _interleaved(run: Run, source: str, split: str, place: float) -> tuple[Place | None, Place | None]:
    """Where the document at that place of its source lies in llm.c's files and among the texts."""
    there = [name in run.summary["steps"] for name in ("llmc", "text")]
    if not any(there):
        return None, None
    mixture = storage.read_json(storage.join(step_folder(run.root, run.summary, "mixture"), MIXTURE))
    number, documents, ids = _before(run, mixture, source, split, place)
    file = f"{split}-{number:05d}"
    llmc = Place(storage.join(_folder(run, "llmc"), f"{file}.bin"), documents, ids) if there[0] else None
    text = Place(storage.join(_folder(run, "text"), f"{file}.parquet"), documents, None) if there[1] else None
    return llmc, text


def _before(run: Run, mixture: Mapping[str, Any], source: str, split: str, place: float) -> tuple[int, int, int]:
    """The number of the file, and how many documents and ids are in it before that place, of all sources."""
    count = next(part["of"] for part in mixture["interleaved"] if part["split"] == split)
    [number] = slice_numbers(np.array([place]), count).tolist()
    order = list(mixture["sources"])
    documents = ids = 0
    for other in order:
        # Half a slice more, because what a slice is is decided by rounding.
        span = [("place", ">=", (number - 0.5) / count), ("place", "<=", place)]
        table = shards.read(_table(run, other), ["tokens", "place"], [("split", "=", split), *span])
        places = table["place"].to_numpy()
        earlier = (places < place) | (order.index(other) < order.index(source))
        before = earlier & (slice_numbers(places, count) == number)
        documents += int(before.sum())
        ids += int(table["tokens"].to_numpy()[before].sum())
    return number, documents, ids
