"""What can be tuned in the filters of one source: its rules and its cutoffs, with a sample of documents to try them on.

In come the run's summary and a sample of the source; out come signals with the bounds on them, and which documents fail
each. What stays true: they are judged as the run judged them, by the same functions; documents are those that came as
far as the rules, in the order of ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from filters import rules
from filters.family import Family, Rule
from filters.keep import Keep
from pipeline.quality import COLUMNS, QUALITIES, Cutoffs, Quality, cut
from pipeline.report.histogram import Values

Fails = NDArray[np.bool_]


@dataclass(frozen=True)
class Bounded:
    """A rule with its family, and which documents of the sample fail it."""

    family: Family
    rule: Rule
    fails: Fails

    @property
    def bound(self) -> float:
        assert self.rule.bound is not None, "resolve leaves out the rules that are off"
        return float(self.rule.bound)

    def factors(self, languages: Sequence[str]) -> list[float] | None:
        """What the bound is multiplied by for documents in each of these languages; None for nothing anywhere."""
        unit = replace(self.rule, bound=1.0)
        found = [rules.bound_for(self.family, unit, language) or 1.0 for language in languages]
        return found if any(factor != 1 for factor in found) else None


@dataclass(frozen=True)
class Scored:
    """A score with the rule that says what of it stays, where it cuts, and which documents of the sample fail it."""

    by: Quality
    keep: Keep
    cuts: Sequence[float]
    fails: Fails


@dataclass(frozen=True)
class Signal:
    """One number of every document in the sample, NaN where it is unknown, with what is asked of it."""

    family: str
    name: str
    values: Values
    whole: bool
    rules: Sequence[Bounded]
    score: Scored | None = None

    @property
    def fails(self) -> Fails:
        if self.score:
            return self.score.fails
        return np.asarray(np.logical_or.reduce([bounded.fails for bounded in self.rules]))


def reached(sample: pa.Table) -> pa.Table:
    """The documents of a sample that came as far as the rules."""
    return sample.filter(pc.is_null(sample["before"]))


def signals(name: str, summary: Mapping[str, Any], documents: pa.Table) -> list[Signal]:
    """The signals that rules bound, in the recipe's order, and the scores; `documents` are what `reached` gives."""
    source = summary["recipe"]["sources"][name]
    families = rules.resolve(source["rules"], check=False)
    failed = rules.judge(families, documents, len(documents), documents["language"]).failed
    found: dict[tuple[str, str], Signal] = {}
    asked = [(family, rule) for family in families for rule in family.rules]
    for bit, (family, rule) in enumerate(asked):
        values = documents[family.column(rule.signal)].to_numpy().astype(np.float64)
        bounded = Bounded(family, rule, rules.fails(failed, bit))
        signal = Signal(family.name, rule.signal, values, family.signals[rule.signal] is int, [bounded])
        known = found.setdefault((family.name, rule.signal), signal)
        if known is not signal:
            found[family.name, rule.signal] = replace(known, rules=[*known.rules, bounded])
    return [*found.values(), *_scores(source, summary["seed"], documents, failed == 0)]


def _scores(source: Mapping[str, Any], seed: int, documents: pa.Table, stands: Fails) -> list[Signal]:
    """The scores, in the order in which they decide; each cuts among what stands when its turn has come."""
    found = []
    for by in QUALITIES:
        if COLUMNS[by] in documents.column_names:
            keep = Keep.model_validate(source[by]["keep"])
            cuts, fails = _cut(by, keep, seed, documents, stands)
            values = documents[COLUMNS[by]].to_numpy().astype(np.float64)
            found.append(Signal(by, COLUMNS[by], values, False, (), Scored(by, keep, cuts, fails)))
            stands = stands & ~fails
    return found


def _cut(by: Quality, keep: Keep, seed: int, documents: pa.Table, stands: Fails) -> tuple[list[float], Fails]:
    """The scores at which the rule cuts, and which documents it would drop if it were the only one."""
    [batch] = documents.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], documents.schema)]
    standing = batch.filter(pa.array(stands))
    found = cut(by, keep, seed, lambda: [standing])
    nothing = batch.set_column(batch.schema.get_field_index("reason"), "reason", pa.nulls(len(batch), pa.string()))
    reasons = Cutoffs.of({by: found.selection}).reasons(nothing)
    cuts = [end for _, ends in sorted(found.shown.items()) for end in ends]
    if keep.threshold is not None:
        cuts = [keep.threshold]
    return cuts, np.asarray(pc.is_valid(reasons))
