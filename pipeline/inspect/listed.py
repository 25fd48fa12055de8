"""A document as lists show it: where it was, what became of it, for which number, and the passage that it is about.

In come records of a run; out come values for people and for JSON. What stays true: texts are shortened and never
changed, so whoever shows them has to make them visible.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from filters.passages import excerpt
from pipeline import evidence
from pipeline.differences import shared_passages
from pipeline.evidence import SHOWN, Shown
from pipeline.inspect import duplicates
from pipeline.inspect.records import Measured, Record, Records
from pipeline.verdicts import DIFFERING


@dataclass(frozen=True)
class Repeats:
    """The document that a duplicate repeats: of an earlier `run` or of this one (None), and why it was dropped there.

    `gone` where the earlier run is not there any more; nothing else is known of it then.
    """

    id: int
    url: str | None
    reason: str | None
    run: str | None
    gone: bool
    similarity: float | None


@dataclass(frozen=True)
class Listed:
    """The fields are the keys of `inspect --json`. `cause` is the number that a document was dropped for, if any."""

    id: int
    url: str
    source: str
    file: str
    offset: int
    date: str | None
    language: str | None
    language_score: float | None
    reason: str | None
    cause: Measured | None
    repeats: Repeats | None


def listed(records: Records, record: Record) -> Listed:
    row = record.row
    return Listed(
        id=record.id,
        url=row["url"],
        source=record.part.source,
        file=record.part.file,
        offset=row["offset"],
        date=date_of(row),
        language=row["language"],
        language_score=row["language_score"],
        reason=record.reason,
        cause=records.cause(record),
        repeats=repeats_of(records, record),
    )


def date_of(row: Mapping[str, Any]) -> str | None:
    """As ISO 8601 has it."""
    return row["date"].isoformat() if row["date"] else None


def repeats_of(records: Records, record: Record) -> Repeats | None:
    """What a duplicate repeats; None for any other document."""
    if record.verdict["duplicate_of"] is None:
        return None
    repeated = duplicates.repeated(records.run, record.verdict["duplicate_of"], text=False)
    document = repeated.document
    return Repeats(
        repeated.id,
        document.url if document else None,
        document.reason if document else None,
        repeated.run,
        document is None,
        record.verdict["similarity"],
    )


def passage_of(records: Records, record: Record) -> Shown:
    """What the reason is about, of a record with its text: for a duplicate the words that the repeated text has too.

    Of a document without such a passage its beginning.
    """
    part, reason = record.part, record.reason or ""
    if reason not in DIFFERING:
        source, families = records.run.summary["recipe"]["sources"][part.source], records.families(part.source)
        shown = evidence.explain(source, families, part.file, record.row, reason)
        # What is no rule goes by a number that stands beside it already.
        return shown if evidence.rule_of(families, reason) else replace(shown, note="")
    other = duplicates.repeated(records.run, record.verdict["duplicate_of"], text=True).document
    spans = shared_passages(record.row["text"], other.text) if other and other.text else []
    return Shown(*excerpt(record.row["text"], spans, SHOWN), "")
