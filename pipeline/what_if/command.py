"""`crawlmill what-if`: what other bounds would keep of a finished run, without reading a text again.

In come a run's folder and bounds to change; out come tables, or JSON, and where asked for the changed recipe. What
stays true: nothing of the run is changed, and whatever came from the web reaches the terminal as plain text.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict

import click
from rich.console import Console
from rich.text import Text

from corpus import storage
from pipeline import console as terminal
from pipeline.finished import Run
from pipeline.paging import until_closed
from pipeline.recipe import Recipe
from pipeline.summary import of_finished
from pipeline.web_text import url_line, visible
from pipeline.what_if.examples import Example
from pipeline.what_if.recipe import changed
from pipeline.what_if.result import Change, WhatIf, what_if

# Moves that the table has; --json has them all.
MOVES = 20
# What --apply says when no file is named.
BESIDE = "what-if.yaml in RUN"


@click.command("what-if")
@click.argument("run_folder", metavar="RUN")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    required=True,
    metavar="KEY=VALUE",
    help="Change a bound: rules.gopher_quality.min_words=100, or null for no such rule. Repeatable.",
)
@click.option("--source", help="The source that short keys are about.  [default: the only one that has them]")
@click.option(
    "--examples",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Documents to show of each kind that would be let in or turned away.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option(
    "--apply",
    "apply_to",
    is_flag=False,
    flag_value=BESIDE,
    metavar="[FILE]",
    help="Write the changed recipe.  [default: RUN/what-if.yaml]",
)
def command(
    run_folder: str,
    overrides: tuple[str, ...],
    source: str | None,
    examples: int,
    as_json: bool,
    apply_to: str | None,
) -> None:
    """Show what the finished run in folder RUN would keep with other bounds, from its signals alone.

    Bounds of rules, `language.keep` and `language.min_score`, `perplexity.keep` and `reference.keep` may change, as far
    as no document has to be measured or scored again. What is left before duplicates are looked for is exact; what is
    kept after that, and tokens, are estimates.
    """
    with terminal.refusing():
        summary = of_finished(run_folder)
        run = Run(run_folder, summary)
        run.check()
        recipe = changed(run_folder, summary, overrides, source)
        file = _free(run_folder, recipe, apply_to) if apply_to else None
    with terminal.bar(Console(stderr=True), "parts", transient=True) as progress:
        bar = progress.add_task("judge again", total=None)
        found = what_if(run, recipe, examples, lambda: progress.advance(bar))
    if file:
        storage.write_bytes(file, recipe.yaml())
    with until_closed():
        if as_json:
            sources = {name: asdict(of_source) for name, of_source in found.items()}
            print(json.dumps({"run": run_folder, "set": overrides, "recipe": file, "sources": sources}, indent=1))
        else:
            _print(run_folder, recipe, found, file)


def _print(run_folder: str, recipe: Recipe, found: Mapping[str, WhatIf], file: str | None) -> None:
    _show(terminal.screen(), found)
    for group in recipe.dedup.across:
        if not set(group).isdisjoint(found):
            click.echo(f"{', '.join(group)} are compared with each other: what that changes in the others is not told")
    if file:
        again = shlex.join(["crawlmill", "run", file, "--out", run_folder])
        click.echo(f"Wrote {file}; to run it: {again}")


def _free(root: str, recipe: Recipe, file: str) -> str:
    """The file that the recipe can be written to. Raises ValueError where something else would be lost."""
    if file == BESIDE:
        return storage.join(root, "what-if.yaml")
    if storage.exists(file) and storage.read_bytes(file) != recipe.yaml():
        raise ValueError(f"--apply: {file} is there already and is another recipe; name a new file, or remove it")
    return file


def _show(screen: Console, found: Mapping[str, WhatIf]) -> None:
    if not found:
        screen.print("These are the bounds that the run had: nothing changes.", highlight=False)
    for name, of_source in found.items():
        screen.print(terminal.table(f"What would be left of {name}", _COLUMNS, list(_rows(of_source))))
        if not of_source.kept_exact:
            screen.print(
                "about: documents that are new are taken to be duplicates as often as those that stood", highlight=False
            )
        _show_moves(screen, name, of_source)


_COLUMNS = ["after", "documents", "would be", "change", "text, MB", "would be"]


def _rows(found: WhatIf) -> Iterator[list[object]]:
    for stage in found.stages:
        yield [stage.stage, *_change(stage.left, "")]
    about = "" if found.kept_exact else "about "
    yield ["kept", *_change(found.kept, about)]
    if found.tokens:
        before, after = found.tokens.before, found.tokens.after
        yield ["tokens kept", before, f"about {after:,}", f"{after - before:+,}", "", ""]


def _change(change: Change, about: str) -> list[object]:
    before, after = change.before, change.after
    return [
        before.documents,
        f"{about}{after.documents:,}",
        f"{after.documents - before.documents:+,}",
        _mb(before.text_bytes),
        f"{about}{_mb(after.text_bytes)}",
    ]


def _mb(text_bytes: int) -> str:
    return f"{text_bytes / 1e6:,.2f}"


def _show_moves(screen: Console, name: str, found: WhatIf) -> None:
    if not found.moves:
        return
    rows = [
        [visible(move.before), visible(move.after), move.documents, _mb(move.text_bytes)]
        for move in found.moves[:MOVES]
    ]
    screen.print(terminal.table(f"Documents of {name} that change", ["was", "would be", "documents", "text, MB"], rows))
    if len(found.moves) > MOVES:
        screen.print(f"{len(found.moves) - MOVES} smaller ones are in --json", highlight=False)
    for move in found.moves:
        if move.examples:
            screen.print(Text(f"\n{visible(move.before)} -> {visible(move.after)}", "bold"))
        for example in move.examples:
            _show_example(screen, example)


def _show_example(screen: Console, example: Example) -> None:
    screen.print(url_line(screen, example.url), soft_wrap=True)
    bounds = " -> ".join("no bound" if bound is None else _shown(bound) for bound in (example.before, example.after))
    screen.print(Text(f"    {example.id}: {example.signal} {_shown(example.value)}; bound {bounds}"), soft_wrap=True)
    line = Text(f"    {visible(' '.join(example.text.split()))}", "dim")
    line.truncate(screen.width, overflow="ellipsis")
    screen.print(line, soft_wrap=True)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, int | float):
        return f"{value:,.0f}" if value == int(value) else f"{value:.6g}"
    return visible(str(value))
