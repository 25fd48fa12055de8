"""All that a finished run's columns say of single documents, and the numbers a document was judged by.

In come a run and ids; out come records: a document's rows in the read, filter and documents steps. What stays true:
only row groups with a document that is asked for are read, and a bound is the one for that document's language.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from corpus import storage
from corpus.documents import DOCUMENT
from filters import rules
from filters.family import Family, Rule
from filters.keep import BUCKETS, Bucket
from pipeline.evidence import rule_of
from pipeline.finished import Part, Run, take
from pipeline.inspect.duplicates import COLUMNS as VERDICT
from pipeline.quality import COLUMNS as SCORES
from pipeline.quality import QUALITIES, Quality, reasons_of
from pipeline.summary import documents_folder

# Documents that are looked up together; their texts may be long.
BATCH = 64

Number = int | float


@dataclass(frozen=True)
class Record:
    """A document: its rows in the files of its part. `row` has the text only where it was asked for."""

    part: Part
    row: Mapping[str, Any]
    filtered: Mapping[str, Any]
    verdict: Mapping[str, Any]

    @property
    def id(self) -> int:
        number: int = self.row["id"]
        return number

    @property
    def reason(self) -> str | None:
        """Why it was dropped; None where it was kept."""
        reason: str | None = self.verdict["reason"]
        return reason


@dataclass(frozen=True)
class Measured:
    """A number of a document with the bound on it. `signal` is a column's name, `bound` None where there is not one."""

    signal: str
    value: Number | None
    side: Literal["min", "max"]
    bound: Number | None


class Records:
    """Looks documents of a run up; `families` of a source are as it was measured and judged with."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.families = cache(self._families)

    def _families(self, source: str) -> tuple[Family, ...]:
        """With the files they were measured with, which a recipe gives by patterns."""
        step = storage.read_json(storage.join(documents_folder(self.run.root, self.run.summary, source), "step.json"))
        judged = rules.resolve(self.run.summary["recipe"]["sources"][source]["rules"], check=False)
        return rules.as_measured(judged, step["params"]["measuring"])

    def look_up(self, ids: NDArray[np.uint64], texts: bool) -> Iterator[Record]:
        """The documents of these ids, which are ascending and all there."""
        for shard, of_shard in groupby(ids.tolist(), key=lambda number: number >> 32):
            part = self.run.part_of(shard << 32)
            assert part is not None, shard
            rows = np.array([number & 0xFFFFFFFF for number in of_shard])
            for start in range(0, len(rows), BATCH):
                yield from self._look_up(part, rows[start : start + BATCH], texts)

    def _look_up(self, part: Part, rows: NDArray[np.int64], texts: bool) -> Iterator[Record]:
        signals = [family.column(signal) for family in self.families(part.source) for signal in family.signals]
        known = [name for name in DOCUMENT.names if texts or name != "text"]
        scored = [SCORES[by] for by in self.qualities(part.source)]
        documents = take(part.documents, rows, [*known, "dropped", "offset", *signals]).to_pylist()
        filtered = take(part.filtered, rows, ["reason", "failed", "text_bytes", *scored]).to_pylist()
        verdicts = take(part.verdicts, rows, VERDICT).to_pylist()
        for own in zip(documents, filtered, verdicts, strict=True):
            yield Record(part, *own)

    def qualities(self, source: str) -> list[Quality]:
        """Those the source's documents are judged by."""
        return [by for by in QUALITIES if self.run.summary["recipe"]["sources"][source][by]]

    def measured(self, record: Record, family: Family, rule: Rule) -> Measured:
        """The number that the rule bounds."""
        column = family.column(rule.signal)
        return Measured(column, record.row[column], rule.side, rules.bound_for(family, rule, record.row["language"]))

    def score(self, record: Record, by: Quality) -> Measured:
        """The perplexity or the reference score, with where the run cut first."""
        value = record.filtered[SCORES[by]]
        cuts = self.cuts(record, by)
        number = None if value is None or np.isnan(value) else value
        return Measured(SCORES[by], number, "max" if by == "perplexity" else "min", cuts[0] if cuts else None)

    def cuts(self, record: Record, by: Quality) -> Sequence[float]:
        """Where the run cut the scores that this document's is compared with: two cuts for buckets, none for draws."""
        source = self.run.summary["sources"][record.part.source]
        threshold = self.keep(record, by)["threshold"]
        group = record.row["language"] or "" if by == "perplexity" else ""
        cuts: Sequence[float] = [threshold] if threshold is not None else source["cutoffs"][by].get(group, [])
        return cuts

    def keep(self, record: Record, by: Quality) -> Mapping[str, Any]:
        """The recipe's rule about the scores."""
        keep: Mapping[str, Any] = self.run.summary["recipe"]["sources"][record.part.source][by]["keep"]
        return keep

    def cause(self, record: Record) -> Measured | None:
        """The number that a document was dropped for, with its bound; None where it was for no number."""
        reason, source = record.reason, self.run.summary["recipe"]["sources"][record.part.source]
        if reason is None:
            return None
        families = self.families(record.part.source)
        if found := rule_of(families, reason):
            return self.measured(record, families[found[0]], found[1])
        for by in self.qualities(record.part.source):
            if reason in reasons_of(by):
                return _missed(self.score(record, by), self.keep(record, by)["buckets"], self.cuts(record, by), reason)
        if reason == "language_uncertain":
            return Measured("language_score", record.row["language_score"], "min", source["language"]["min_score"])
        return None


def _missed(score: Measured, kept: Sequence[Bucket] | None, cuts: Sequence[float], reason: str) -> Measured:
    """The score with the bound that it missed: of buckets, where the nearest one that is kept ends or begins."""
    if kept is None or not cuts:
        return score
    own = next(number for number, bucket in enumerate(BUCKETS) if reason.endswith(f"_{bucket}"))
    places = sorted(map(BUCKETS.index, kept))
    if better := [place for place in places if place < own]:
        return replace(score, bound=cuts[better[-1]])
    return replace(score, side="min" if score.side == "max" else "max", bound=cuts[places[0] - 1])
