"""What one document was dropped for, as a person can see it: its text again, with the passage marked.

In come a document's row of the read step and the reason; out comes an excerpt of the text that the rule looked at, the
places in it that made the rule fail, and a line of words. What stays true: the passage is found in that text and no
other, or it is said that it could not be. Where a family rewrites texts, what the rules before it saw is read and
extracted once more from the input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filters import rules
from filters.family import Family, Rule
from filters.passages import excerpt, passages, seen_by
from pipeline.quality import COLUMNS
from sources import jsonl, warc
from sources.extract import extract

# Characters of a text that are shown, and of those in which the passage is looked for.
SHOWN, SEARCHED = 500, 30_000
GONE = "the input cannot be read as it was, so this is the text as later rules left it"
LINES_FIRST = "repeated lines went first, so this is the text as all that takes lines out left it"
GONE_LISTS = "what a rule before it goes by is not there any more, so this is the text as later rules left it"


@dataclass(frozen=True)
class Shown:
    """An excerpt, the (start, end) places in it that a reason is about, and what there is to say beside them."""

    text: str
    marks: Sequence[tuple[int, int]]
    note: str


def original(source: Mapping[str, Any], file: str, offset: int, url: str) -> str | None:
    """The text of a document as it was extracted, read again from the input; None where that is gone or another.

    `source` is the source in the recipe.
    """
    try:
        if source["kind"] == "warc":
            page = warc.read_again(file, offset, url)
        else:
            page = jsonl.read_again(file, offset, url, source["text_field"])
    except OSError:
        return None
    if page is None:
        return None
    return extract(page.body, source["extractor"]) if page.mime == "text/html" else page.body


def explain(
    source: Mapping[str, Any], families: Sequence[Family], file: str, row: Mapping[str, Any], reason: str
) -> Shown:
    """The passage for `reason` in the document of `row`: url, language, offset, text, the signals, and scores where it
    has any.
    """
    found = rule_of(families, reason)
    if found is None:
        # What is surely in another language was not extracted, and has no text.
        text = row["text"] or (original(source, file, row["offset"], row["url"]) if "language" in reason else "") or ""
        text, marks = excerpt(text, (), SHOWN)
        return Shown(text, marks, _number(row, reason))
    number, rule = found
    text, *notes = _seen(source, families, number, file, row)
    if len(text) > SEARCHED:
        text, notes = text[:SEARCHED], [*notes, f"of its first {SEARCHED:,} characters"]
    there = passages(families[number], rule, text, row["language"], row["url"])
    shown, marks = excerpt(text, there.spans, SHOWN)
    column = families[number].column(rule.signal)
    # What has no place in a text, such as a classifier's score, has its number.
    note = there.note if there.note or there.spans else f"{column} {row[column]:.4g}"
    return Shown(shown, marks, "; ".join(filter(None, (note, *notes))))


def _number(row: Mapping[str, Any], reason: str) -> str:
    """The number that a reason which is no rule goes by, in words."""
    if "language" in reason and row["language"]:
        return f"language {row['language']}, probability {row['language_score']:.2f}"
    for quality, column in COLUMNS.items():
        if reason.startswith(quality) and row.get(column) is not None:
            return f"{column.replace('_', ' ')} {row[column]:.4g}"
    return ""


def rule_of(families: Sequence[Family], reason: str) -> tuple[int, Rule] | None:
    """The rule that gives this reason, and the place of its family."""
    known = {rule.name: (number, rule) for number, family in enumerate(families) for rule in family.rules}
    name = rules.rule_of(reason, known)
    return known[name] if name else None


def _seen(
    source: Mapping[str, Any], families: Sequence[Family], number: int, file: str, row: Mapping[str, Any]
) -> tuple[str, str]:
    """The text that family `number` measured, and what is to be said of it."""
    if not any(family.rewrites for family in families[number:]):
        return row["text"], ""
    lines = source["dedup"]["lines"]
    if lines and lines["first"]:
        # What is repeated is known of the whole source, and a text without it was never written.
        return row["text"], LINES_FIRST
    text = original(source, file, row["offset"], row["url"])
    if text is None:
        return row["text"], GONE
    try:
        return seen_by(families, number, text, row["language"], row["url"]), ""
    except (OSError, ValueError) as error:
        return row["text"], f"{GONE_LISTS}: {error}"
