"""`crawlmill inspect`: a finished run's removed duplicates, for people or as JSON lines.

What stays true: whatever came from the web ends its line and reaches the terminal as plain text: no markup, no
control character, nothing that turns the writing direction of what follows.
"""

import json
from collections.abc import Iterable
from itertools import chain, islice
from typing import Any

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from corpus.strict import unknown
from pipeline import console as terminal
from pipeline import duplicates
from pipeline.differences import COMPARED_WORDS, Difference, first_difference
from pipeline.duplicates import Duplicate, Repeated, Sums, Wanted
from pipeline.finished import Document, Run
from pipeline.summary import of_finished

SHOWN = 20
# The longest bar, and what stands before it on its line.
BAR_WIDTH, BAR_LABEL = 40, 23

# They join letters in Persian and in Indic scripts, and emoji; str.isprintable counts them with the invisible ones.
JOINERS = "\u200c\u200d"


@click.command()
@click.argument("run_folder", metavar="RUN")
@click.option("--duplicates", "wants_duplicates", is_flag=True, help="Removed duplicates beside what they repeat.")
@click.option("--reason", help=f"Only those removed as this: {', '.join(duplicates.REASONS)}.")
@click.option("--source", help="Only those of this source.")
@click.option(
    "--id", "number", type=click.IntRange(0, 2**63 - 1), metavar="ID", help="Only this document and what repeats it."
)
@click.option(
    "--limit", type=click.IntRange(min=0), help="The most to show; 0 for all.  [default: 20, with --json all]"
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line for each, with whole URLs, as for jq.")
def inspect(
    run_folder: str,
    wants_duplicates: bool,
    reason: str | None,
    source: str | None,
    number: int | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Show what the finished run in folder RUN removed, and why."""
    if not wants_duplicates:
        raise click.UsageError("inspect needs --duplicates")
    run = Run(run_folder, of_finished(run_folder))
    wanted = _wanted(run, reason, source, number)
    most = SHOWN if limit is None and not as_json else limit or None
    with terminal.bar(Console(stderr=True), "parts", transient=True) as progress:
        counting = progress.add_task("count duplicates", total=len(run.parts))
        sums = duplicates.count(run, wanted, lambda done, _: progress.update(counting, completed=done))
        if number is not None and not any(sums.wanted):
            raise click.UsageError(_unrelated(run, number))
        found = duplicates.find(run, wanted, sums, most, texts=not as_json)
        # The first of them comes when the first batch has been looked up; from then on the output shows how far it is.
        progress.add_task("look up documents", total=None)
        found = chain(list(islice(found, 1)), found)
    if not as_json:
        show(terminal.screen(), sums, found, most)
        return
    for duplicate in found:
        print(json.dumps(as_object(duplicate)))


def _wanted(run: Run, reason: str | None, source: str | None, number: int | None) -> Wanted:
    if reason is not None and reason not in duplicates.REASONS:
        raise click.UsageError("--reason: " + unknown(reason, duplicates.REASONS, "reason"))
    if source is not None and source not in run.summary["sources"]:
        raise click.UsageError("--source: " + unknown(source, run.summary["sources"], "source"))
    if number is not None and (reason is not None or source is not None):
        raise click.UsageError("--id already says which documents; leave out --reason and --source")
    return Wanted(reason, source, number)


def _unrelated(run: Run, number: int) -> str:
    """Why there is nothing to show for a document."""
    document = run.documents([number], texts=False).get(number)
    if document is None:
        return f"--id: there is no document {number} in {run.root}"
    return (
        f"--id: document {number} was {_fate(document)}; it repeats nothing, and nothing was removed as its duplicate"
    )


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


def show(screen: Console, sums: Sums, found: Iterable[Duplicate], limit: int | None) -> None:
    """The counts of all duplicates, and then those found, which are the first `limit` of those wanted."""
    total, chosen = sum(sums.reasons.values()), sum(sums.wanted)
    by_reason = ", ".join(
        f"{count:,} {reason}" for reason, count in sorted(sums.reasons.items(), key=lambda item: -item[1])
    )
    screen.print(f"{total:,} removed as duplicates{': ' if by_reason else ''}{by_reason}", highlight=False)
    if any(sums.similarities):
        screen.print("near-duplicates by similarity:", highlight=False)
        for line in _histogram(sums.similarities, min(BAR_WIDTH, screen.width - BAR_LABEL)):
            screen.print(line, highlight=False)
    for duplicate in found:
        screen.print()
        _show(screen, duplicate)
    if total and not chosen:
        screen.print("\nNone of them is what was asked for.", highlight=False)
    elif limit is not None and chosen > limit:
        screen.print(f"\n{limit:,} of {chosen:,} shown; --limit 0 shows all", highlight=False)


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


def _show(screen: Console, duplicate: Duplicate) -> None:
    document, repeated = duplicate.document, duplicate.repeated
    similarity = "" if duplicate.similarity is None else f", similarity {duplicate.similarity:.3f}"
    screen.print(Text(f"{document.id} of {document.source}: {document.reason}{similarity}", "bold"), soft_wrap=True)
    _show_url(screen, document.url)
    screen.print(Text(f"  repeats {_what(repeated)}"), soft_wrap=True)
    if repeated.document:
        _show_url(screen, repeated.document.url)
        _show_difference(screen, document, repeated.document)


def _what(repeated: Repeated) -> str:
    """The repeated document in words."""
    where = "" if repeated.run is None else f" of the earlier run {visible(repeated.run)}"
    if repeated.document is None:
        return f"{repeated.id}{where}, which is gone"
    return f"{repeated.id} of {repeated.document.source}{where}, {_fate(repeated.document)}"


def _fate(document: Document) -> str:
    return f"dropped as {document.reason}" if document.reason else "kept"


def _show_difference(screen: Console, document: Document, original: Document) -> None:
    if document.reason == "url_duplicate":
        screen.print("  the same URL", highlight=False)
        return
    difference = _compared(document, original)
    if isinstance(difference, str):
        screen.print(f"  {difference}", highlight=False)
        return
    screen.print(f"  different from word {difference.word:,} on:", highlight=False)
    for label, words in (("removed: ", difference.removed), ("repeated:", difference.repeated)):
        line = Text(f"    {label} {visible(words) or '(nothing)'}")
        line.truncate(screen.width, overflow="ellipsis")
        screen.print(line, soft_wrap=True)


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


def visible(text: str) -> str:
    """The text with what has no shape or moves others, such as control characters, as escapes."""
    return "".join(c if c.isprintable() or c in JOINERS else ascii(c)[1:-1] for c in text)


def _show_url(screen: Console, url: str) -> None:
    """A URL, without its middle where a terminal has no room for it; whoever reads a pipe gets all of it."""
    shown = visible(url)
    if screen.is_terminal:
        shown = _without_middle(shown, screen.width - 2)
    screen.print(Text.assemble("  ", (shown, "cyan")), soft_wrap=True)


def _without_middle(text: str, width: int) -> str:
    """What tells URLs apart is often at their end."""
    if cell_len(text) <= width:
        return text
    tail = (width - 1) // 2
    return set_cell_size(text, width - 1 - tail) + "…" + set_cell_size(text[::-1], tail)[::-1]
