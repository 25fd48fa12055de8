"""Documents that other bounds would let in or turn away, with the number that decides.

In come documents with the reasons that they had and have; out come a few for each pair of reasons. What stays true: who
is shown follows from ids and the seed; texts and URLs are as they came from the web, so whoever shows them has to
escape them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.hashing import keyed
from filters.family import Family
from filters.keep import Keep
from filters.rules import bound_for, rule_names, rule_of
from pipeline.finished import Part, take
from pipeline.quality import COLUMNS, QUALITIES, Quality, reasons_of
from pipeline.recipe import Source
from pipeline.what_if.recipe import families_of
from pipeline.what_if.rejudge import Rejudged

# Characters of a text that are shown.
SHOWN = 200

Reasons = tuple[str | None, str | None]
Bound = float | str | list[float] | list[str] | None


@dataclass(frozen=True)
class Example:
    """A document; its `value` of the signal that decided, and the bounds on it, None where there is or was none."""

    id: int
    url: str
    signal: str
    value: float | str | None
    before: Bound
    after: Bound
    text: str


def examples_of(
    name: str,
    sources: tuple[Source, Source],
    cutoffs: Mapping[Quality, Any],
    rejudged: Rejudged,
    late: Sequence[str],
    seed: int,
    most: int,
) -> Mapping[Reasons, Sequence[Example]]:
    """At most so many for each pair of reasons, of documents that the run dropped before it looked for duplicates and
    that stand now, or the other way round; `late` are the reasons of those that stood. `sources` are the source as the
    run had it, with its `cutoffs`, and changed.
    """
    chosen = _chosen(rejudged, late, seed, most)
    if not len(chosen):
        return {}
    judging = _Judging(name, sources, cutoffs, rejudged)
    rows: defaultdict[Part, dict[int, dict[str, Any]]] = defaultdict(dict)
    for row in chosen.to_pylist():
        rows[rejudged.parts[row["id"] >> 32]][row["id"] & 0xFFFFFFFF] = row
    found: dict[int, Example] = {}
    for part, wanted in rows.items():
        documents = take(part.documents, np.array(sorted(wanted)), judging.columns).to_pylist()
        for number, document in zip(sorted(wanted), documents, strict=True):
            row = wanted[number]
            found[row["id"]] = judging.example({**document, **row}, row["was"], row["now"])
    shown: defaultdict[Reasons, list[Example]] = defaultdict(list)
    for row in chosen.to_pylist():
        shown[row["was"], row["now"]].append(found[row["id"]])
    return shown


def _chosen(rejudged: Rejudged, late: Sequence[str], seed: int, most: int) -> pa.Table:
    """The documents to show, those of a pair of reasons in the order of their hashes."""
    crossing = []
    for batch in rejudged.batches:
        stood = pc.or_(pc.is_null(batch["was"]), pc.is_in(batch["was"], value_set=pa.array(late, pa.string())))
        rows = batch.filter(pc.not_equal(stood, pc.is_null(batch["now"])))
        order = pa.array(keyed(rows["id"].to_numpy(), "what-if", seed))
        crossing.append(pa.Table.from_batches([rows]).append_column("order", order))
    if not crossing:
        return pa.table({})
    table = pa.concat_tables(crossing).sort_by("order")
    pairs = table.group_by(["was", "now"]).aggregate([])
    found = []
    for pair in pairs.to_pylist():
        of_pair = [pc.equal(table[key], reason) if reason else pc.is_null(table[key]) for key, reason in pair.items()]
        found.append(table.filter(pc.and_(*of_pair)).slice(0, most))
    return pa.concat_tables([table.slice(0, 0), *found])


class _Judging:
    """What a source judges by before and after, to say of a document which number decided."""

    def __init__(
        self, name: str, sources: tuple[Source, Source], cutoffs: Mapping[Quality, Any], rejudged: Rejudged
    ) -> None:
        self.sources = sources
        self.families = [families_of(name, source) for source in sources]
        self.cuts: list[Mapping[Quality, Any]] = [cutoffs, {by: cut.shown for by, cut in rejudged.cuts.items()}]

    @property
    def columns(self) -> list[str]:
        """The columns of the read step that are looked at."""
        signals = {f.column(rule.signal): None for families in self.families for f in families for rule in f.rules}
        return ["url", "text", "language", "language_score", *signals]

    def example(self, row: Mapping[str, Any], was: str | None, now: str | None) -> Example:
        reason = now or was
        assert reason is not None, row["id"]
        signal, (before, after) = self._bounds(reason, row["language"])
        return Example(row["id"], row["url"], signal, row[signal], before, after, row["text"][:SHOWN])

    def _bounds(self, reason: str, language: str | None) -> tuple[str, Sequence[Bound]]:
        """The column that a reason is about, and the bounds on it before and after, in that language."""
        languages = [source.language for source in self.sources if source.language]
        if reason == "language_not_wanted":
            return "language", [wanted.keep for wanted in languages]
        if reason == "language_uncertain":
            return "language_score", [wanted.min_score for wanted in languages]
        for by in QUALITIES:
            if reason in reasons_of(by):
                keeps = [getattr(source, by).keep for source in self.sources]
                group = (language or "") if by == "perplexity" else ""
                both = zip(keeps, self.cuts, strict=True)
                return COLUMNS[by], [_cut(keep, (cuts[by] or {}).get(group)) for keep, cuts in both]
        name = rule_of(reason, [name for families in self.families for name in rule_names(families)])
        found = [_rule(families, name, language) for families in self.families]
        return next(column for column, _ in filter(None, found)), [rule and rule[1] for rule in found]


def _rule(families: Sequence[Family], name: str | None, language: str | None) -> tuple[str, float | None] | None:
    """The column of the rule called `name`, and its bound in a language; None where it is off."""
    rules = ((family, rule) for family in families for rule in family.rules if rule.name == name)
    return next(((family.column(rule.signal), bound_for(family, rule, language)) for family, rule in rules), None)


def _cut(keep: Keep, cuts: Sequence[float] | None) -> Bound:
    """Where a rule about scores cuts: one score, both of buckets, or nothing where it draws."""
    if keep.threshold is not None or not cuts:
        return keep.threshold
    return list(cuts) if keep.buckets else cuts[0]
