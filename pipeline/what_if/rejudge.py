"""What would become of each document of a finished run under other bounds, from the columns that the run has left.

In come a run and a source as a changed recipe has it; out come, for each document, the reason that the run gave and the
first that reading, languages, rules and scores would give now. What stays true: it is the filter's and the cutoffs' own
code that judges; no text is read, and of the signals those whose bounds change or that have two; what is held is a row
of a few numbers a document.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards
from filters import rules
from filters.family import Family, Rule
from pipeline import judge, quality
from pipeline.finished import Part, Run
from pipeline.quality import QUALITIES, Cut, Cutoffs, Quality
from pipeline.recipe import Source
from pipeline.what_if.recipe import families_of


@dataclass(frozen=True)
class Rejudged:
    """The documents of a source, in the order of their ids, the part that each shard of ids is, and where scores cut.

    Columns: id, text_bytes, was (the run's reason; null for what it keeps), now (null for what stands before duplicates
    are looked for), and perplexity and reference_score where they are scored.
    """

    batches: Sequence[pa.RecordBatch]
    parts: Mapping[int, Part]
    cuts: Mapping[Quality, Cut]


def rejudge(run: Run, name: str, before: Source, source: Source, seed: int, seen: Callable[[], None]) -> Rejudged:
    """The documents of the source called `name`, judged as `source` says, where the run had it as `before`; `seen` is
    called for each input file.
    """
    families = families_of(name, source)
    same = _same_rules(families, families_of(name, before))
    asked = [by for by in QUALITIES if getattr(source, by)]
    judged: list[pa.RecordBatch] = []
    parts: dict[int, Part] = {}
    for part in run.parts_of(name):
        for batch in _filtered(part, families, same, source, asked):
            parts[batch["id"][0].as_py() >> 32] = part
            judged.append(batch)
        seen()
    cuts: dict[Quality, Cut] = {}
    for by in asked:
        standing = partial(_standing, judged, _cutoffs(cuts))
        cuts[by] = quality.cut(by, getattr(source, by).keep, seed, standing)
    last = _cutoffs(cuts)
    return Rejudged([_final(batch, last) for batch in judged], parts, cuts)


def _same_rules(families: Sequence[Family], before: Sequence[Family]) -> dict[str, Rule]:
    """The columns with one rule that has the bound that it had, with this rule.

    Whether a document fails it is known without the column; not so where in the text a reason was found. And of two
    rules, such as least 100 and most 80, a value may fail both, which no stand-in does.
    """
    had = {rule.name: rule.bound for family in before for rule in family.rules}
    found: defaultdict[str, list[Rule]] = defaultdict(list)
    for family in families:
        for rule in family.rules:
            found[family.column(rule.signal)].append(rule)
    return {
        column: rule
        for column, [rule, *others] in found.items()
        if not others and not rule.is_place and had.get(rule.name) == rule.bound
    }


def _stand_in(rule: Rule, failed: NDArray[np.uint64], names: Sequence[str]) -> NDArray[np.float64]:
    """Values that fail the rule where the run's did, and nowhere else; `failed` has a bit for each of `names`."""
    fails = rules.fails(failed, names.index(rule.name))
    # What is no number is neither below nor above a bound.
    return np.where(fails, -np.inf if rule.side == "min" else np.inf, np.nan)


def _filtered(
    part: Part,
    families: Sequence[Family],
    same: Mapping[str, Rule],
    source: Source,
    asked: Sequence[Quality],
) -> Iterator[pa.RecordBatch]:
    """The documents of a part with the run's reasons, and those of the filter under the new bounds as `reason`."""
    scores = [quality.COLUMNS[by] for by in asked]
    filtered = shards.read(part.filtered, ["id", "text_bytes", "failed", *scores])
    names = json.loads(filtered.schema.metadata[b"rules"])
    was = shards.read(part.verdicts, ["reason"])["reason"]
    row = 0
    for batch in shards.batches(part.documents, _columns(families, same), quality.ROWS):
        data = pa.Table.from_batches([batch])
        rows = filtered.slice(row, len(data))
        columns = {name: rows[name] for name in rows.column_names if name != "failed"}
        for column, rule in same.items():
            data = data.append_column(column, pa.array(_stand_in(rule, rows["failed"].to_numpy(), names)))
        _, reasons = judge.judged(data, families, source.wanted_languages)
        columns |= {"was": was.slice(row, len(data)), "reason": reasons, "language": data["language"]}
        yield from pa.table(columns).combine_chunks().to_batches()
        row += len(data)


def _columns(families: Sequence[Family], same: Collection[str]) -> list[str]:
    """The columns of the read step that judging needs, less those that there is a stand-in for."""
    signals = {
        family.column(signal): None
        for family in families
        for rule in family.rules
        for signal in (rule.signal, rule.detail)
        if signal
    }
    return ["dropped", "language", "language_score", *(name for name in signals if name not in same)]


def _cutoffs(cuts: Mapping[Quality, Cut]) -> Cutoffs:
    return Cutoffs.of({by: cut.selection for by, cut in cuts.items()})


def _standing(batches: Sequence[pa.RecordBatch], cutoffs: Cutoffs) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.filter(pc.is_null(cutoffs.reasons(batch)))


def _final(batch: pa.RecordBatch, cutoffs: Cutoffs) -> pa.RecordBatch:
    """The documents with the reason that is left when scores have been looked at, `now`."""
    columns: dict[str, Any] = {name: batch[name] for name in batch.schema.names if name not in ("reason", "language")}
    return pa.record_batch({**columns, "now": cutoffs.reasons(batch)})
