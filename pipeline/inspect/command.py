"""`crawlmill inspect`: the documents of a finished run, for people or as JSON lines.

What goes in: the run's folder, and one choice of which documents. What stays true: where there are more than are shown,
a uniform sample stands for all; and whatever came from the web reaches the terminal as plain text (`web_text`).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain, islice
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from corpus.strict import unknown
from filters.rules import rule_of
from pipeline import console as terminal
from pipeline import paging
from pipeline.finished import Part, Run
from pipeline.funnel import stages
from pipeline.inspect import choosing, duplicates, duplicates_view, url_search
from pipeline.inspect.duplicates import Wanted
from pipeline.inspect.duplicates_view import fate
from pipeline.inspect.listed import listed, passage_of
from pipeline.inspect.records import Records
from pipeline.inspect.story import story_of
from pipeline.inspect.story_view import listed_blocks, story_blocks
from pipeline.recipe import Recipe
from pipeline.summary import of_finished
from pipeline.verdicts import KEPT
from pipeline.web_text import visible

SHOWN = 20

Ids = NDArray[np.uint64]


@click.command()
@click.argument("run_folder", metavar="RUN")
@click.option("--rule", metavar="REASON", help="Documents dropped for this, be it a rule or not; or those kept: kept.")
@click.option("--url", help="The whole story of the page at this URL.")
@click.option(
    "--id",
    "number",
    type=click.IntRange(0, 2**63 - 1),
    metavar="ID",
    help="The whole story of this document. With --duplicates: it and what repeats it.",
)
@click.option("--duplicates", "wants_duplicates", is_flag=True, help="Removed duplicates beside what they repeat.")
@click.option("--language", metavar="LABEL", help="Documents identified as this language, as in: de.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="N documents at random, whatever their fate.")
@click.option("--reason", help=f"With --duplicates, only those removed as this: {', '.join(duplicates.REASONS)}.")
@click.option("--source", help="Only documents of this source.")
@click.option(
    "--limit", type=click.IntRange(min=0), help="The most to show; 0 for all.  [default: 20, with --json all]"
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line for each, with whole URLs, as for jq.")
def inspect(
    run_folder: str,
    rule: str | None,
    url: str | None,
    number: int | None,
    wants_duplicates: bool,
    language: str | None,
    sample: int | None,
    reason: str | None,
    source: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Show documents of the finished run in folder RUN: what became of them, and why.

    Give one of --rule, --url, --id, --duplicates, --language, --sample. On a terminal the passage that a document was
    dropped for is in colour, elsewhere in [[ ]]; PAGER pages what is long.
    """
    choices = {"--rule": rule, "--url": url, "--id": number, "--language": language, "--sample": sample}
    given = [option for option, value in choices.items() if value is not None]
    _check(given, wants_duplicates, reason, limit)
    run = Run(run_folder, of_finished(run_folder))
    run.check()
    if source is not None and source not in run.summary["sources"]:
        raise click.UsageError("--source: " + unknown(source, run.summary["sources"], "source"))
    parts = [part for part in run.parts if source in (None, part.source)]
    most = sample or (SHOWN if limit is None and not as_json else limit or None)
    with paging.until_closed():
        if wants_duplicates:
            _show_duplicates(run, _wanted(reason, source, number), most, as_json)
        elif url is not None:
            _show_stories(run, *_at_url(run, parts, url, most), as_json)
        elif number is not None:
            _show_stories(run, _with_id(run, parts, number), None, as_json)
        else:
            _show_list(run, parts, rule, language, most, as_json)


def _check(given: Sequence[str], wants_duplicates: bool, reason: str | None, limit: int | None) -> None:
    """Refuse what does not go together."""
    chosen = ["--duplicates", *(option for option in given if option != "--id")] if wants_duplicates else given
    if len(chosen) != 1:
        raise click.UsageError(
            f"give one of --rule, --url, --id, --duplicates, --language, --sample, not {' and '.join(chosen) or 'none'}"
        )
    if reason is not None and not wants_duplicates:
        raise click.UsageError("--reason is for --duplicates; --rule takes any reason")
    if "--sample" in given and limit is not None:
        raise click.UsageError("--sample already says how many; leave out --limit")


def _wanted(reason: str | None, source: str | None, number: int | None) -> Wanted:
    if reason is not None and reason not in duplicates.REASONS:
        raise click.UsageError("--reason: " + unknown(reason, duplicates.REASONS, "reason"))
    if number is not None and (reason is not None or source is not None):
        raise click.UsageError("--id already says which documents; leave out --reason and --source")
    return Wanted(reason, source, number)


def _bar() -> Progress:
    return terminal.bar(Console(stderr=True), "parts", transient=True)


def _show_duplicates(run: Run, wanted: Wanted, most: int | None, as_json: bool) -> None:
    with _bar() as progress:
        counting = progress.add_task("count duplicates", total=len(run.parts))
        sums = duplicates.count(run, wanted, lambda done, _: progress.update(counting, completed=done))
        if wanted.id is not None and not any(sums.wanted):
            raise click.UsageError(_unrelated(run, wanted.id))
        found = duplicates.find(run, wanted, sums, most, texts=not as_json)
        # The first of them comes when the first batch has been looked up; from then on the output shows how far it is.
        progress.add_task("look up documents", total=None)
        found = chain(list(islice(found, 1)), found)
    if as_json:
        _print(map(duplicates_view.as_object, found))
    else:
        screen = terminal.screen()
        paging.show(screen, duplicates_view.blocks(screen, sums, found, most))


def _unrelated(run: Run, number: int) -> str:
    """Why there is nothing to show for a document."""
    document = run.documents([number], texts=False).get(number)
    if document is None:
        return f"--id: there is no document {number} in {run.root}"
    was = duplicates_view.fate(document.reason)
    return f"--id: document {number} was {was}; it repeats nothing, and nothing was removed as its duplicate"


def _at_url(run: Run, parts: Sequence[Part], url: str, most: int | None) -> tuple[Ids, Text]:
    """The documents of a page, and a line that says how they were found."""
    with _bar() as progress:
        pages = url_search.search(progress.track(parts, description="look for the URL"), url)
    shown = visible(url)
    if not len(pages.exact) and not len(pages.same):
        near = "".join(f"\n  {visible(other)}" for other in pages.nearest)
        there = f"; the nearest of its host are:{near}" if near else " and none of its host"
        raise click.UsageError(f"--url: no document of {run.root} has the URL {shown}{there}")
    if len(pages.exact):
        others = f", and {len(pages.same):,} more of the same page at other URLs" if len(pages.same) else ""
        return pages.exact[:most], Text(f"{len(pages.exact):,} of {shown}{others}")
    return pages.same[:most], Text(f"none of exactly {shown}, but {len(pages.same):,} of the same page")


def _with_id(run: Run, parts: Sequence[Part], number: int) -> Ids:
    if run.part_of(number) not in parts:
        raise click.UsageError(
            f"--id: there is no document {number} in {', '.join(dict.fromkeys(p.source for p in parts))} of {run.root}"
        )
    return np.array([number], np.uint64)


def _show_stories(run: Run, ids: Ids, said: Text | None, as_json: bool) -> None:
    records = Records(run)
    stories = (story_of(records, record) for record in records.look_up(ids, texts=True))
    if as_json:
        _print(map(asdict, stories))
    else:
        screen = terminal.screen()
        blocks = chain.from_iterable(story_blocks(screen, story) for story in stories)
        paging.show(screen, chain([said] if said else [], blocks))


def _show_list(
    run: Run, parts: Sequence[Part], rule: str | None, language: str | None, most: int | None, as_json: bool
) -> None:
    ids_of, what = _kind(run, rule, language)
    with _bar() as progress:
        tracked = progress.track(parts, description="look through documents")
        chosen = choosing.choose(tracked, ids_of, most, run.summary["seed"])
    records = Records(run)
    if as_json:
        _print(asdict(listed(records, record)) for record in records.look_up(chosen.ids, texts=False))
        return
    screen = terminal.screen()
    total = sum(run.summary["sources"][part.source]["files"][part.number]["documents"] for part in parts)
    shown = "" if len(chosen.ids) == chosen.found else f"; {len(chosen.ids):,} of them, drawn at random"
    header = Text(f"{chosen.found:,} of {total:,} documents {what}{shown}")
    blocks = (
        listed_blocks(screen, listed(records, record), passage_of(records, record))
        for record in records.look_up(chosen.ids, texts=True)
    )
    paging.show(screen, chain([header], chain.from_iterable(blocks)))


def _kind(run: Run, rule: str | None, language: str | None) -> tuple[Callable[[Part], Ids], str]:
    """Which documents of a part are meant, and that in words."""
    sources = run.summary["sources"].values()
    if language is not None:
        known = sorted({label for source in sources for label in source["languages"]})
        if language not in known:
            raise click.UsageError("--language: " + unknown(language, known, "language"))
        return partial(choosing.of_language, language=language), f"are in {language}"
    if rule is None:
        return choosing.of_all, "could be read"
    reasons = {reason for source in sources for reason in source["dropped"]}
    recipe = Recipe.model_validate(run.summary["recipe"])
    named = {name for source in recipe.sources.values() for _, names in stages(source) for name in names}
    if rule != KEPT and rule_of(rule, reasons | named) is None and not any(r.startswith(f"{rule}.") for r in reasons):
        raise click.UsageError("--rule: " + unknown(rule, [KEPT, *sorted(reasons | named)], "reason"))
    return partial(choosing.of_reason, reason=rule), f"were {fate(None if rule == KEPT else rule)}"


def _print(objects: Iterable[dict[str, Any]]) -> None:
    for value in objects:
        print(json.dumps(value))
