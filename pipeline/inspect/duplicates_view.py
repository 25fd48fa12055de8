"""A run's removed duplicates as people and as JSON see them, each beside the document that it repeats."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline.differences import COMPARED_WORDS, Difference, first_difference
from pipeline.finished import Document
from pipeline.inspect import duplicates
from pipeline.inspect.duplicates import Duplicate, Repeated, Sums
from pipeline.web_text import url_line, visible

# The longest bar, and what stands before it on its line.
BAR_WIDTH, BAR_LABEL = 40, 23


def as_object(duplicate: Duplicate) -> dict[str, Any]:
    """A duplicate as a JSON value. `run` is there for a document of an earlier run, and `gone` where that is."""
    document, repeated = duplicate.document, duplicate.repeated
    original = repeated.document
    return {
        "id": document.id,
        "url": document.url,
        "reason": document.reason,
        "similarity": duplicate.similarity,
        "duplicate_of": {
            "id": repeated.id,
            "url": original.url if original else None,
            "reason": original.reason if original else None,
            **({"run": repeated.run} if repeated.run is not None else {}),
            **({} if original else {"gone": True}),
        },
    }


def blocks(screen: Console, sums: Sums, found: Iterable[Duplicate], limit: int | None) -> Iterator[Text]:
    """The counts of all duplicates, and then those found, which are the first `limit` of those wanted."""
    total, chosen = sum(sums.reasons.values()), sum(sums.wanted)
    by_reason = ", ".join(
        f"{count:,} {reason}" for reason, count in sorted(sums.reasons.items(), key=lambda item: -item[1])
    )
    yield Text(f"{total:,} removed as duplicates{': ' if by_reason else ''}{by_reason}")
    if any(sums.similarities):
        yield Text("near-duplicates by similarity:")
        yield from map(Text, _histogram(sums.similarities, min(BAR_WIDTH, screen.width - BAR_LABEL)))
    for duplicate in found:
        yield Text()
        yield from _blocks(screen, duplicate)
    if total and not chosen:
        yield Text("\nNone of them is what was asked for.")
    elif limit is not None and chosen > limit:
        yield Text(f"\n{limit:,} of {chosen:,} shown; --limit 0 shows all")


def _histogram(counts: list[int], width: int) -> list[str]:
    """A line for each step of similarity, from the lowest that has any; `counts` are those between the EDGES."""
    rows = list(zip(duplicates.EDGES, duplicates.EDGES[1:], counts, strict=False))
    while not rows[0][2]:
        del rows[0]
    # Rounded up: a few must not look like none.
    bars = ["█" * -(-count * width // max(counts)) for count in counts[-len(rows) :]]
    return [
        f"  {low:.2f}-{high:.2f} {count:>10,} {bar}".rstrip()
        for (low, high, count), bar in zip(rows, bars, strict=True)
    ]


def _blocks(screen: Console, duplicate: Duplicate) -> Iterator[Text]:
    document, repeated = duplicate.document, duplicate.repeated
    similarity = "" if duplicate.similarity is None else f", similarity {duplicate.similarity:.3f}"
    yield Text(f"{document.id} of {document.source}: {document.reason}{similarity}", "bold")
    yield url_line(screen, document.url)
    yield Text(f"  repeats {_what(repeated)}")
    if repeated.document:
        yield url_line(screen, repeated.document.url)
        yield from _difference(screen, document, repeated.document)


def _what(repeated: Repeated) -> str:
    """The repeated document in words."""
    where = "" if repeated.run is None else f" of the earlier run {visible(repeated.run)}"
    if repeated.document is None:
        return f"{repeated.id}{where}, which is gone"
    return f"{repeated.id} of {repeated.document.source}{where}, {fate(repeated.document.reason)}"


def fate(reason: str | None) -> str:
    return f"dropped as {visible(reason)}" if reason else "kept"


def _difference(screen: Console, document: Document, original: Document) -> Iterator[Text]:
    if document.reason == "url_duplicate":
        yield Text("  the same URL")
        return
    difference = _compared(document, original)
    if isinstance(difference, str):
        yield Text(f"  {difference}")
        return
    yield Text(f"  different from word {difference.word:,} on:")
    for label, words in (("removed: ", difference.removed), ("repeated:", difference.repeated)):
        line = Text(f"    {label} {visible(words) or '(nothing)'}")
        line.truncate(screen.width, overflow="ellipsis")
        yield line


def _compared(document: Document, original: Document) -> Difference | str:
    """Where the texts differ, or in words that they do not."""
    same = "the same text but for case and white space"
    # Their hashes are of the text so simplified, so it need not be read.
    if document.reason == "exact_duplicate":
        return same
    assert document.text is not None, document.id
    assert original.text is not None, original.id
    if difference := first_difference(document.text, original.text):
        return difference
    whole = document.text.casefold().split() == original.text.casefold().split()
    return same if whole else f"the first {COMPARED_WORDS:,} words are the same but for case"
