"""What other bounds would keep of a source: documents, text and tokens, before and after.

In come a finished run and its recipe with other bounds. Out come numbers for each stage up to the scores, which are
those of a run with that recipe; who would change places; and estimates of what depends on duplicates. What stays true:
each document is in one count before and in one after.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from filters.rules import rule_of
from pipeline.finished import Run
from pipeline.funnel import stages
from pipeline.quality import QUALITIES
from pipeline.recipe import Recipe, Source
from pipeline.verdicts import KEPT
from pipeline.what_if.examples import Example, Reasons, examples_of
from pipeline.what_if.recipe import recipe_of
from pipeline.what_if.rejudge import Rejudged, rejudge

STANDS = "stands"

# Documents and bytes of text by the reason that the run gave and the one that there is now.
Counts = Mapping[Reasons, tuple[int, int]]


@dataclass(frozen=True)
class Size:
    documents: int
    text_bytes: int


@dataclass(frozen=True)
class Change:
    before: Size
    after: Size


@dataclass(frozen=True)
class Tokens:
    before: int
    after: int


@dataclass(frozen=True)
class Stage:
    """What is left after a stage, called as in the report."""

    stage: str
    left: Change


@dataclass(frozen=True)
class Move:
    """Documents that had one fate, "kept" or a drop reason, and would have another, "stands" or a drop reason."""

    before: str
    after: str
    documents: int
    text_bytes: int
    examples: Sequence[Example]


@dataclass(frozen=True)
class WhatIf:
    """What a source would have left.

    `stands` is what is left before duplicates are looked for. `kept` after is an estimate unless `kept_exact`: what
    stood and stands keeps its fate, and of what is new as much is kept as the run kept of what stood. `tokens` after
    are estimated by the run's tokens a byte; None where the run has no tokens of the source.
    """

    stages: Sequence[Stage]
    stands: Change
    kept: Change
    kept_exact: bool
    tokens: Tokens | None
    moves: Sequence[Move]


def what_if(run: Run, changed: Recipe, examples: int, seen: Callable[[], None]) -> dict[str, WhatIf]:
    """The sources that `changed` judges by other bounds; with so many examples of each move between standing and not.

    Raises `ValueError` where the run's files are not those that its summary counts.
    """
    before = recipe_of(run.root, run.summary).sources
    return {
        name: _of_source(run, name, before[name], source, changed.seed, examples, seen)
        for name, source in changed.sources.items()
        if source != before[name]
    }


def _of_source(
    run: Run, name: str, before: Source, after: Source, seed: int, most: int, seen: Callable[[], None]
) -> WhatIf:
    rejudged = rejudge(run, name, before, after, seed, seen)
    was, now = _Stages(before), _Stages(after)
    counts = _counted(rejudged)
    found = _stages(run, name, was, now, counts)
    cutoffs = run.summary["sources"][name]["cutoffs"]
    shown = examples_of(name, (before, after), cutoffs, rejudged, was.late, seed, most)
    moves = [
        Move(old or KEPT, new or STANDS, documents, size, shown.get((old, new), ()))
        for (old, new), (documents, size) in counts.items()
        if (old if was.drops(old) else None) != new
    ]
    stands = found[-1].left
    kept = _kept(run.summary["sources"][name], stands, was, counts)
    return WhatIf(
        found,
        stands,
        kept,
        not was.late,
        _tokens(run.summary["sources"][name], kept.after),
        sorted(moves, key=lambda move: (-move.documents, move.before, move.after)),
    )


class _Stages:
    """The stages of a source up to the scores; `late` are the reasons of those after them."""

    def __init__(self, source: Source) -> None:
        lines = source.dedup.lines
        # Reading, and repeated lines where they go first, are not judged anew.
        self.fixed = 2 if lines and lines.first else 1
        judging = bool(source.language) + len(source.rules) + sum(bool(getattr(source, by)) for by in QUALITIES)
        named = stages(source)
        self.names = [name for name, _ in named[: self.fixed + judging]]
        self.late = [reason for _, reasons in named[self.fixed + judging :] for reason in reasons]
        self._stage = {reason: number for number, (_, reasons) in enumerate(named) for reason in reasons}

    def drops(self, reason: str | None) -> bool:
        """Whether a document of this reason is gone before duplicates are looked for."""
        return reason is not None and reason not in self.late

    def of(self, reason: str | None) -> int:
        """The place of the stage that drops for this reason; of nothing and of later reasons one behind the last."""
        if reason is None or not self.drops(reason):
            return len(self.names)
        return self._stage.get(rule_of(reason, self._stage) or "", 0)


def _counted(rejudged: Rejudged) -> Counts:
    documents, sizes = Counter[Reasons](), Counter[Reasons]()
    for batch in rejudged.batches:
        grouped = pa.table(batch.select(["was", "now", "text_bytes"])).group_by(["was", "now"])
        for row in grouped.aggregate([("text_bytes", "sum"), ("text_bytes", "count")]).to_pylist():
            documents[row["was"], row["now"]] += row["text_bytes_count"]
            sizes[row["was"], row["now"]] += row["text_bytes_sum"]
    return {key: (number, sizes[key]) for key, number in documents.items()}


def _sum(counts: Counts, keys: Collection[Reasons]) -> Size:
    return Size(sum(counts[key][0] for key in keys), sum(counts[key][1] for key in keys))


def _stages(run: Run, name: str, was: _Stages, now: _Stages, counts: Counts) -> list[Stage]:
    """What each stage left, and would leave. Raises `ValueError` where that was not what the summary says."""
    found = []
    for number, stage in enumerate(was.names):
        before = _sum(counts, {key for key in counts if was.of(key[0]) > number})
        after = _sum(counts, {key for key in counts if now.of(key[1]) > number})
        funnel = run.summary["sources"][name]["funnel"][number]
        told = Size(funnel["documents"], funnel["text_bytes"])
        if number < was.fixed:
            # Before repeated lines are taken out texts are longer than the filter knows them.
            before = after = told
        if before != told:
            raise ValueError(
                f"{run.root}: the verdicts on {name} are not those that summary.json counts; run the recipe again"
            )
        found.append(Stage(stage, Change(before, after)))
    return found


def _kept(source: Mapping[str, Any], stands: Change, was: _Stages, counts: Counts) -> Change:
    kept = Size(source["kept"], source["text_bytes"])
    whole = _sum(counts, {key for key in counts if key[0] is None}).text_bytes
    same = _sum(counts, {key for key in counts if key == (None, None)})
    new = _sum(counts, {key for key in counts if was.drops(key[0]) and key[1] is None})
    # What is kept of a text, where repeated lines were taken out.
    of_text = kept.text_bytes / whole if whole else 1.0
    of_documents = kept.documents / stands.before.documents if stands.before.documents else 1.0
    of_bytes = kept.text_bytes / stands.before.text_bytes if stands.before.text_bytes else 1.0
    after = Size(
        same.documents + round(new.documents * of_documents),
        round(same.text_bytes * of_text + new.text_bytes * of_bytes),
    )
    return Change(kept, after)


def _tokens(source: Mapping[str, Any], after: Size) -> Tokens | None:
    before = source["unique_tokens"]
    if before is None or not source["text_bytes"]:
        return None
    return Tokens(before, round(before / source["text_bytes"] * after.text_bytes))
