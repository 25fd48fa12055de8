"""What became of the documents of one source in two runs: who is kept by both, by one, by none, and examples.

In come two finished runs; out come moves, from a fate in the one to a fate in the other, each with its number of
documents. A fate is "kept", a drop reason, or "not read" where a run does not have the document. What stays true: each
document is in one move; the moves of a run's documents add up to what its summary counts, or there is an error. Of
each document two fates and a hash are held, 50 to 80 bytes while documents are matched.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards
from corpus.hashing import keyed
from dedup.exact import url_hashes
from pipeline.finished import Part, Run, take
from pipeline.verdicts import KEPT

NOT_READ = "not read"
# Moves that are shown with documents, in each direction, and documents of each.
SHOWN, EACH = 10, 10
CHARACTERS = 300

Fates = NDArray[np.int16]
Seen = Callable[[], None]


@dataclass(frozen=True)
class Move:
    """How many documents have the fate `here` in the one run and `there` in the other."""

    here: str
    there: str
    documents: int


@dataclass(frozen=True)
class Example:
    """A document: its URL and how its text begins, as the run has it that keeps it."""

    url: str
    text: str


@dataclass(frozen=True)
class Moves:
    """All moves of a source, most documents first; `examples` of the largest that only one run keeps.

    Documents are the same by their `place` in the same input files, or by their `url`; `without_url` have none, here
    and there, and so count as read by one run only.
    """

    by: Literal["place", "url"]
    moves: Sequence[Move]
    examples: Mapping[Move, Sequence[Example]]
    without_url: tuple[int, int]

    def count(self, here: str | None = None, there: str | None = None) -> int:
        """Documents of one fate or of any; "dropped" is every reason."""
        return sum(m.documents for m in self.moves if _is(m.here, here) and _is(m.there, there))

    @property
    def kept_only_here(self) -> int:
        return self.count(KEPT) - self.count(KEPT, KEPT)

    @property
    def kept_only_there(self) -> int:
        return self.count(None, KEPT) - self.count(KEPT, KEPT)

    @property
    def changed(self) -> list[Move]:
        return [move for move in self.moves if move.here != move.there]


def _is(fate: str, wanted: str | None) -> bool:
    return wanted in (None, fate) or (wanted == "dropped" and fate not in (KEPT, NOT_READ))


def moves_of(run: Run, other: Run, source: str, seen: Seen) -> Moves:
    """The moves of a source that both runs have; `seen` is called once for each part of either.

    Of a URL that occurs several times in a run those that it keeps come first, then the others by reason and place;
    the first here is the first there, and so on. So it is kept by both as often as by the one that keeps it less.
    Raises `ValueError` where the verdicts are not those that summary.json counts.
    """
    reasons = {reason for r in (run, other) for reason in r.summary["sources"][source]["dropped"]}
    names = [KEPT, *sorted(reasons), NOT_READ]
    fates = [_fates(r, source, names, seen) for r in (run, other)]
    same = _same_documents(run, other, source)
    without_url = (0, 0)
    if same:
        there, here = fates[1], fates[0]
    else:
        ordered = [_ordered(_keys(r, source), of_run) for r, of_run in zip((run, other), fates, strict=True)]
        without_url = (int((ordered[0][0] == 0).sum()), int((ordered[1][0] == 0).sum()))
        there, here = _met(fates, ordered, np.int16(len(names) - 1))
    moves = _counted(fates, there, here, names)
    examples = [
        *_examples(run, source, fates[0], there, names, lambda fate, n: Move(KEPT, fate, n)),
        *_examples(other, source, fates[1], here, names, lambda fate, n: Move(fate, KEPT, n)),
    ]
    return Moves("place" if same else "url", moves, dict(examples), without_url)


def _fates(run: Run, source: str, names: Sequence[str], seen: Seen) -> Fates:
    """For each document of a source, in the order of files and rows, the place of its fate among `names`."""
    counted = run.summary["sources"][source]
    found = []
    for part, file in zip(run.parts_of(source), counted["files"], strict=True):
        reasons = shards.read(part.verdicts, ["reason"])["reason"]
        places = pc.index_in(reasons, value_set=pa.array(names, pa.string())).fill_null(-1)
        found.append(np.where(pc.is_null(reasons), 0, places).astype(np.int16))
        if len(reasons) != file["documents"]:
            raise ValueError(f"{part.verdicts} has other documents than {run.root}/summary.json; run the recipe again")
        seen()
    fates = np.concatenate([np.empty(0, np.int16), *found])
    said = [counted["kept"], *(counted["dropped"].get(name, 0) for name in names[1:])]
    if (fates < 0).any() or np.bincount(fates, minlength=len(names)).tolist() != said:
        raise ValueError(
            f"{run.root}: the verdicts on {source} are not those that summary.json counts; run the recipe again"
        )
    return fates


def _same_documents(run: Run, other: Run, source: str) -> bool:
    """Whether both have read the same files, and found documents of the same URLs in them, in the same order."""
    if run.summary["sources"][source]["files"] != other.summary["sources"][source]["files"]:
        return False
    both = zip(run.parts_of(source), other.parts_of(source), strict=True)
    return all(_urls(one).equals(_urls(two)) for one, two in both)


def _urls(part: Part) -> pa.ChunkedArray:
    return shards.read(part.documents, ["url"])["url"]


def _keys(run: Run, source: str) -> NDArray[np.uint64]:
    """For each document of a source the hash of its URL as URLs are compared; 0 where it has none."""
    hashes = (
        url_hashes(chunk.to_pylist())[:, 0].copy() for part in run.parts_of(source) for chunk in _urls(part).chunks
    )
    return np.concatenate([np.empty(0, np.uint64), *hashes])


def _ordered(keys: NDArray[np.uint64], fates: Fates) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The keys in order, and the row of each; of equal keys those that are kept come first, then by reason and row."""
    rows = np.lexsort((fates, keys))
    return keys[rows], rows


def _met(
    fates: Sequence[Fates], ordered: Sequence[tuple[NDArray[np.uint64], NDArray[np.int64]]], not_read: np.int16
) -> tuple[Fates, Fates]:
    """For each document here its fate there, and for each there its fate here, where URLs decide which is which."""
    there, here = (np.full(len(of_run), not_read) for of_run in fates)
    (keys, rows), (other_keys, other_rows) = ordered
    # The n-th of a URL here is the n-th of it there. In place: each of these arrays has a number for every document.
    place = np.searchsorted(other_keys, keys)
    place -= np.searchsorted(keys, keys)
    place += np.arange(len(keys))
    met = (place < len(other_keys)) & (keys != 0)
    met[met] = other_keys[place[met]] == keys[met]
    own, others = rows[met], other_rows[place[met]]
    there[own], here[others] = fates[1][others], fates[0][own]
    return there, here


def _counted(fates: Sequence[Fates], there: Fates, here: Fates, names: Sequence[str]) -> list[Move]:
    """All moves that documents made, most first."""
    size, not_read = len(names), len(names) - 1
    numbers = np.bincount(fates[0].astype(np.int64) * size + there, minlength=size * size).reshape(size, size)
    numbers[not_read] += np.bincount(fates[1][here == not_read], minlength=size)
    assert (numbers.sum(1)[:not_read] == np.bincount(fates[0], minlength=size)[:not_read]).all(), numbers
    assert (numbers.sum(0)[:not_read] == np.bincount(fates[1], minlength=size)[:not_read]).all(), numbers
    moves = [Move(names[a], names[b], int(numbers[a, b])) for a, b in np.argwhere(numbers)]
    return sorted(moves, key=lambda move: (-move.documents, move.here, move.there))


def _examples(
    run: Run, source: str, own: Fates, others: Fates, names: Sequence[str], move: Callable[[str, int], Move]
) -> Iterator[tuple[Move, list[Example]]]:
    """Documents that `run` keeps and the other does not, for each of the SHOWN most frequent fates of these there."""
    rows = np.flatnonzero((own == 0) & (others != 0))
    fates = others[rows]
    numbers = np.bincount(fates, minlength=len(names))
    order = keyed(rows.astype(np.uint64), "against", source)
    for fate in np.argsort(-numbers, kind="stable")[:SHOWN].tolist():
        if numbers[fate]:
            of_fate = np.flatnonzero(fates == fate)
            drawn = rows[of_fate[np.argsort(order[of_fate], kind="stable")[:EACH]]]
            yield move(names[fate], int(numbers[fate])), _texts(run, source, np.sort(drawn))


def _texts(run: Run, source: str, rows: NDArray[np.int64]) -> list[Example]:
    """The documents in these rows (ascending) of a source's files, one after the other."""
    ends = np.cumsum([file["documents"] for file in run.summary["sources"][source]["files"]])
    parts = run.parts_of(source)
    by_part = defaultdict(list)
    for row, number in zip(rows.tolist(), np.searchsorted(ends, rows, side="right").tolist(), strict=True):
        by_part[number].append(row - (int(ends[number - 1]) if number else 0))
    found = []
    for number, within in by_part.items():
        for document in take(parts[number].documents, np.array(within), ["url", "text"]).to_pylist():
            text = document["text"]
            found.append(Example(document["url"], text[:CHARACTERS] + ("…" if len(text) > CHARACTERS else "")))
    return found
