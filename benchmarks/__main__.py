"""The command: `python -m benchmarks`, or `make bench`, which installs the peers first.

Runs crawlmill and its peers on the same pages, in turns, and prints medians and ratios; appends them to the log.
"""

import importlib
import json
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console

from benchmarks.timing import one_core

PARTS = (
    "rules",
    "classifier",
    "end-to-end",
    "libraries",
    "tokens",
    "training",
    "trials",
    "learning-rate",
    "mixture-law",
    "mixture-truth",
    "scaling-law",
    "workers",
    "startup",
    "dedup",
    "dedup-truth",
    "dedup-memory",
    "languages",
    "personal-data",
    "what-if",
)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Only this one. Repeatable.")
@click.option("--pages", metavar="GLOB", help="WARC files.  [default: the development pages, or else the demo's]")
@click.option(
    "--sample", type=click.IntRange(min=1), default=240, show_default=True, help="Pages that slow peers get of these."
)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="Rounds of every comparison.")
@click.option(
    "--documents",
    # The least that has every kind of them.
    type=click.IntRange(min=100),
    default=50_000,
    show_default=True,
    help="Documents to make of the pages for the parts dedup and dedup-truth.",
)
@click.option(
    "--millions",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="The most million signatures to make up for the part dedup-memory (50 take 50 GB of disk and half an hour).",
)
@click.option(
    "--published",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(__file__).parents[2] / "shared/data/proxies",
    show_default="../shared/data/proxies",
    help="Folder with the published numbers for the parts mixture-law (RegMix) and scaling-law (Chinchilla).",
)
@click.option("--full-peers", is_flag=True, help="Give datatrove's deduplication all of them (minutes a round).")
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(__file__).parents[1] / "docs/benchmarks.md",
    show_default="docs/benchmarks.md",
    help="Markdown file to append the tables to.",
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all numbers here.")
def main(
    parts: tuple[str, ...],
    pages: str | None,
    sample: int,
    repeats: int,
    documents: int,
    millions: int,
    published: Path,
    full_peers: bool,
    log: Path,
    json_file: Path,
) -> None:
    """Compare crawlmill with datatrove and with plain libraries, on the same pages in one run. Downloads nothing.

    Fails, after all tables, where one shows that crawlmill broke a promise.
    """
    start = time.perf_counter()
    pinned = one_core()
    # Only now may libraries be imported: they start their threads then.
    from benchmarks import results
    from benchmarks.inputs import prepare

    console = Console()
    if not console.is_terminal:
        console.width = 140
    tables: list[results.Table] = []
    with tempfile.TemporaryDirectory(prefix="crawlmill-benchmark-") as folder:
        inputs = prepare(pages, sample, repeats, Path(folder), documents, millions, full_peers, published)
        how = f"{inputs.pages:,} pages, a sample of {inputs.sample_pages:,}; {pinned}; medians of {repeats} rounds."
        console.print(f"{results.machine()}. {how}", highlight=False)
        console.print(", ".join(f"{k} {v}" for k, v in results.versions().items()), highlight=False)
        for part in parts or PARTS:
            module = importlib.import_module(f"benchmarks.{part.replace('-', '_')}")
            for table in module.run(inputs):
                tables.append(table)
                console.print(table.screen())
    results.append(log, tables, how)
    if json_file:
        json_file.write_text(json.dumps(results.as_json(tables, how), indent=1, ensure_ascii=False) + "\n")
    console.print(f"{time.perf_counter() - start:.0f} s; appended to {log}", highlight=False, soft_wrap=True)
    if failures := [failure for table in tables for failure in table.failures]:
        raise click.ClickException("\n".join(failures))


if __name__ == "__main__":
    main()
