"""What deduplication finds and removes of near-duplicates whose similarity is known, and whether it ever errs.

The whole command runs on `benchmarks.planted`'s documents. What stays true: every removal is held against the exact
similarity of the two documents, whatever they were planted as, and a broken promise is a failure of the command.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks import mutations, verdicts
from benchmarks.inputs import MINHASH, THRESHOLD, Inputs
from benchmarks.planted import BINS, CHAIN, SHARED, WIDTH, Pair, Planted, plant, similarity
from benchmarks.results import Table
from kernels.signatures import band_hashes
from kernels.texts import Texts

SEED = 0
NAMES = "ABCD"


@dataclass(frozen=True)
class Removal:
    """Of a removed document: the place of the one it is said to repeat, the similarity said, and the counted one."""

    of: int
    said: float
    counted: float


# By the place of the document removed.
Removals = Mapping[int, Removal]


def run(inputs: Inputs) -> list[Table]:
    planted = plant(inputs.all_english, inputs.documents, SEED)
    corpus = mutations.write(inputs.folder / "planted", planted.texts, [])
    result, _ = verdicts.deduplicate(corpus.files, Path(tempfile.mkdtemp(dir=inputs.folder)))
    removed = verdicts.removed(corpus, result, ["duplicate_of", "similarity"])
    partners = corpus.numbers(removed["duplicate_of"].to_numpy())
    removals = removals_of(planted.texts, removed, partners)
    bands = band_hashes(Texts.of(planted.texts), **MINHASH)
    return [pairs_table(planted, bands, removals), _chains(planted, removals), all_table(planted, removals)]


def removals_of(texts: Sequence[str], removed: pa.Table, partners: NDArray[np.int64]) -> Removals:
    """`removed` has the columns number and similarity; `partners` are the places of the documents repeated."""
    rows = zip(removed["number"].to_pylist(), partners.tolist(), removed["similarity"].to_pylist(), strict=True)
    return {number: Removal(of, said, similarity(texts[number], texts[of])) for number, of, said in rows}


def expected_recall(jaccard: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that a pair of that similarity agrees in all rows of some band (Broder 1997)."""
    return np.asarray(1 - (1 - jaccard ** MINHASH["rows"]) ** MINHASH["bands"])


def pairs_table(planted: Planted, bands: NDArray[np.uint64], removals: Removals) -> Table:
    """A row for each bin of similarity that has pairs. `bands` are the (n, bands) hashes of all texts."""
    rows: dict[str, dict[str, float]] = {}
    missed: list[Pair] = []
    lost: list[Pair] = []
    for low in BINS:
        pairs = planted.pairs[low]
        if not pairs:
            continue
        found = [bool(np.any(bands[pair.first] == bands[pair.second])) for pair in pairs]
        gone = [pair for pair in pairs if pair.first in removals or pair.second in removals]
        late = [p for p, f in zip(pairs, found, strict=True) if f and p.jaccard >= THRESHOLD and p not in gone]
        missed += late
        lost += [pair for pair in pairs if pair.first in removals and pair.second in removals]
        rows[f"{low:.2f} to {low + WIDTH:.2f}"] = {
            **_recall(np.array([pair.jaccard for pair in pairs]), sum(found)),
            "removed": len(gone),
            "wrongly removed": sum(pair.jaccard < THRESHOLD for pair in gone),
            "wrongly kept": len(late),
        }
    failures = []
    if missed:
        failures.append(f"{len(missed):,} pairs are candidates at {THRESHOLD} or more and both stay: {_few(missed)}")
    if lost:
        failures.append(f"of {len(lost):,} pairs both are removed: {_few(lost)}")
    note = (
        "Windows of real pages of 200 and more distinct n-grams, a changed copy of each, and their counted Jaccard "
        "similarity. Expected is the mean of the S-curve over the bin's pairs, candidates the share that has a band "
        "hash in common, and how many standard deviations of such a draw that is from the expected. At "
        f"{THRESHOLD} and more every candidate has to be removed, below nothing."
    )
    floats = {"mean J": ".3f", "expected": ".4f", "candidates": ".4f", "s.d. off": "+.1f"}
    columns = {"pairs": ",d", **floats, **dict.fromkeys(("removed", "wrongly removed", "wrongly kept"), ",d")}
    return Table("Deduplication: planted pairs", note, columns, rows, failures)


def _recall(jaccard: NDArray[np.float64], found: int) -> dict[str, float]:
    chances = expected_recall(jaccard)
    deviation = float(np.sqrt((chances * (1 - chances)).sum()))
    return {
        "pairs": len(jaccard),
        "mean J": float(jaccard.mean()),
        "expected": float(chances.mean()),
        "candidates": found / len(jaccard),
        "s.d. off": float(found - chances.sum()) / deviation,
    }


def _few(pairs: Sequence[Pair]) -> str:
    shown = [f"{pair.first} and {pair.second} at {pair.jaccard:.4f}" for pair in pairs[:3]]
    return "documents " + ", ".join(shown) + (", ..." if len(pairs) > len(shown) else "")


def _chains(planted: Planted, removals: Removals) -> Table:
    """A row for each set of documents that stay of a chain, with how like the first of a chain its others are."""
    found: dict[str, list[list[float]]] = {}
    for chain in planted.chains:
        stay = " ".join(name for name, place in zip(NAMES, chain, strict=True) if place not in removals)
        first, *others = (planted.texts[place] for place in chain)
        found.setdefault(stay or "none", []).append([similarity(first, other) for other in others])
    rows: dict[str, dict[str, float]] = {}
    for names, likeness in sorted(found.items()):
        means = np.mean(likeness, axis=0).tolist()
        to_first = {f"J of A and {name}": mean for name, mean in zip(NAMES[1:], means, strict=True)}
        rows[names] = {"chains": len(likeness), **to_first}
    note = (
        f"Chains A, B, C, D, each document at {CHAIN[0]} to {CHAIN[1]} from the one before it: which of them stay, and "
        "the mean similarities of the others with A. Where whatever a chain of candidates joins is removed, one stays, "
        "however far from the others."
    )
    columns = {"chains": ",d", **{f"J of A and {name}": ".3f" for name in NAMES[1:]}}
    return Table("Deduplication: chains of near copies", note, columns, rows)


def all_table(planted: Planted, removals: Removals) -> Table:
    """How many of each kind of document were removed, and how many of these rightly."""
    kinds = {
        "pairs": [place for pairs in planted.pairs.values() for pair in pairs for place in (pair.first, pair.second)],
        "chains": [place for chain in planted.chains for place in chain],
        "template": planted.template,
        "all": list(range(len(planted.texts))),
    }
    rows: dict[str, dict[str, float]] = {}
    for kind, places in kinds.items():
        of_kind = [removals[place] for place in places if place in removals]
        right = sum(removal.counted >= THRESHOLD for removal in of_kind)
        rows[kind] = {"documents": len(places), "removed": len(of_kind), "wrongly removed": len(of_kind) - right}
        if of_kind:
            off = max(abs(removal.said - removal.counted) for removal in of_kind)
            stays = sum(removal.of not in removals for removal in of_kind)
            rows[kind] |= {"precision": right / len(of_kind), "similarity off by": off, "of one that stays": stays}
    wrong = {place: removal for place, removal in removals.items() if removal.counted < THRESHOLD}
    failures = []
    if wrong:
        shown = [f"document {place} of {r.of} at {r.counted:.4f}" for place, r in list(wrong.items())[:3]]
        failures.append(f"{len(wrong):,} documents are removed below {THRESHOLD}: {', '.join(shown)}")
    note = (
        "Removed documents whose counted similarity with the one they are said to repeat is below "
        f"{THRESHOLD}: wrongly. Similarity off by: the most that the verdict's own differs from the counted one. The "
        f"template's pages have {SHARED[0]:.0%} to {SHARED[1]:.0%} of their text in common with all others of them: "
        f"similarities of {SHARED[1] / (2 - SHARED[1]):.2f} at most, where their own parts have nothing in common."
    )
    counted = dict.fromkeys(("documents", "removed", "wrongly removed", "of one that stays"), ",d")
    columns = {**counted, "precision": ".4f", "similarity off by": ".1e"}
    return Table("Deduplication: precision", note, columns, rows, failures)
