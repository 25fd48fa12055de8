"""The whole story of one document of a finished run: where it was read, what was measured, what became of it and why.

In come a run and the document's record; out comes a `Story`, whose fields are the keys of `inspect --json`. What stays
true: every number is one that a step of the run left; nothing is measured again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq

from corpus import shards, storage
from filters.keep import Keep
from filters.rules import rule_of
from pipeline.evidence import Shown
from pipeline.finished import Part, take
from pipeline.inspect.listed import Repeats, date_of, passage_of, repeats_of
from pipeline.inspect.records import Number, Record, Records
from pipeline.inspect.uses import Training, training_of
from pipeline.quality import Quality
from pipeline.summary import step_folder


@dataclass(frozen=True)
class Judged:
    """A rule with its `bound` for the document's language and its verdict. The one that is `first` gave the reason."""

    rule: str
    family: str
    signal: str
    value: Number
    side: Literal["min", "max"]
    bound: Number
    failed: bool
    first: bool


@dataclass(frozen=True)
class Scored:
    """A perplexity or reference score, None where there is none, with the recipe's rule about it and where that cut."""

    by: Quality
    value: float | None
    keep: Mapping[str, Any]
    cuts: list[float]


@dataclass(frozen=True)
class Characters:
    """How long the text was when it was `read`, when it was `judged` (less what rules that rewrite take, and repeated
    lines where these go first), and as it is `kept`. `read` is None where rules rewrote it: no step has it as before.
    """

    read: int | None
    judged: int
    kept: int | None


@dataclass(frozen=True)
class Story:
    """Of a document. `reason` is why it was dropped, None where it was kept, and `passage` the text that it is about.
    `signals` are by family; these and `rules` are empty where reading turned it away. `training` is None where it was
    dropped or no mixture has its source.
    """

    id: int
    url: str
    source: str
    file: str
    offset: int
    row: int
    date: str | None
    language: str | None
    language_score: float | None
    reason: str | None
    repeats: Repeats | None
    passage: Shown
    signals: Mapping[str, Mapping[str, Number | str]]
    rules: list[Judged]
    scores: list[Scored]
    characters: Characters
    training: Training | None


def story_of(records: Records, record: Record) -> Story:
    """The story of a document whose record has its text."""
    run, part, row = records.run, record.part, record.row
    families = records.families(part.source)
    measured = row["dropped"] is None
    signals = {f.name: {signal: row[f.column(signal)] for signal in f.signals} for f in families}
    return Story(
        id=record.id,
        url=row["url"],
        source=part.source,
        file=part.file,
        offset=row["offset"],
        row=record.id & 0xFFFFFFFF,
        date=date_of(row),
        language=row["language"],
        language_score=row["language_score"],
        reason=record.reason,
        repeats=repeats_of(records, record),
        passage=passage_of(records, record),
        signals=signals if measured else {},
        rules=_rules(records, record) if measured else [],
        scores=[_scored(records, record, by) for by in records.qualities(part.source)],
        characters=_characters(records, record),
        training=training_of(run, part, record.id) if record.reason is None else None,
    )


def _rules(records: Records, record: Record) -> list[Judged]:
    """Every rule in the order in which they give the reason, as the filter step judged."""
    families = records.families(record.part.source)
    names = _names(record.part)
    first = rule_of(record.filtered["reason"] or "", names)
    judged = []
    for family in families:
        for rule in family.rules:
            number = records.measured(record, family, rule)
            assert number.value is not None, rule
            assert number.bound is not None, rule
            failed = bool(record.filtered["failed"] >> names.index(rule.name) & 1)
            named = (rule.name, family.name, rule.signal)
            judged.append(Judged(*named, number.value, rule.side, number.bound, failed, rule.name == first))
    return judged


def _names(part: Part) -> list[str]:
    """The rules that the bits of `failed` stand for."""
    with storage.open_read(part.filtered) as file:
        names: list[str] = json.loads(pq.read_schema(file).metadata[b"rules"])
    return names


def _scored(records: Records, record: Record, by: Quality) -> Scored:
    number = records.score(record, by)
    keep = Keep.model_validate(records.keep(record, by))
    return Scored(by, number.value, {keep.rule: getattr(keep, keep.rule)}, list(records.cuts(record, by)))


def _characters(records: Records, record: Record) -> Characters:
    run, part = records.run, record.part
    judged = len(record.row["text"])
    name, row = shards.part_name(part.number), record.id & 0xFFFFFFFF
    rewritten = any(family.rewrites for family in records.families(part.source))
    read, kept = None if rewritten else judged, None
    if f"{part.source}.measure" in run.summary["steps"]:
        path = storage.join(step_folder(run.root, run.summary, f"{part.source}.read"), name)
        read = len(take(path, np.array([row]), ["text"])["text"][0].as_py())
    if record.reason is None:
        path = storage.join(step_folder(run.root, run.summary, f"{part.source}.documents"), name)
        kept = len(shards.read(path, ["text"], [("id", "=", record.id)])["text"][0].as_py())
    return Characters(read, judged, kept)
