"""The command line. Exit codes: 0 done, 1 failed while running, 2 refused before anything started, 130 interrupted."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, Literal

import click
from rich.progress import TaskID

from corpus import storage
from corpus.strict import RecipeError
from pipeline import (
    classifier_command,
    eval_sets_command,
    mix_plan,
    perplexity_command,
    references_command,
    token_commands,
    train_command,
)
from pipeline import console as terminal
from pipeline.cluster import Cluster
from pipeline.inspect import command as inspection
from pipeline.proxies import ablate_command
from pipeline.proxies import command as proxies_command
from pipeline.recipe import load
from pipeline.report import command as report_command
from pipeline.run import run as run_recipe
from pipeline.scaling import command as scaling_command
from pipeline.steps import VERSION
from pipeline.what_if import command as what_if_command
from sources.common_crawl import fetch as fetch_crawl
from sources.pydoc_crawl import crawl

# More than these scroll the numbers away; the report has them all.
WARNINGS = 20


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="crawlmill")
def cli() -> None:
    """Web crawls to pretraining data: read, filtered, deduplicated, mixed, tokenized, and proven by a small GPT."""


def example(text: str) -> Callable[[Any], Any]:
    """Add a runnable example to a command's help; every command has one."""

    def add(command: Any) -> Any:
        command.epilog = f"\b\nExample:\n  {text}"
        return command

    return add


@example("crawlmill run recipes/pages.yaml --set proxy.steps=50 --workers 2 --out runs/pages")
@cli.command()
@click.argument("recipe", type=click.Path(dir_okay=False))
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key: proxy.steps=50. Repeatable."
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=lambda: os.cpu_count() or 1,
    show_default="all cores",
    help="Processes that Ray runs tasks on; 0 runs all in this process, for debugging.",
)
@click.option("--address", metavar="RAY", help="Run on this Ray cluster (host:port, or auto) instead of a local one.")
@click.option("--out", metavar="DIR", help="The run's folder: any fsspec path.  [default: runs/NAME]")
def run(recipe: str, overrides: tuple[str, ...], workers: int, address: str | None, out: str | None) -> None:
    """Run RECIPE: what is done already is skipped, what a change touches is done again.

    Leaves summary.json, report.html and, under tokens/, the token shards in the run's folder.
    """
    screen = terminal.screen()
    checked = load(recipe, overrides)
    root = out or f"runs/{checked.name}"
    with Cluster(workers, address) as cluster, terminal.StepLines(screen) as show:
        result = run_recipe(checked, root, cluster, show, screen.print)
    for table in terminal.tables(result.summary):
        screen.print(table)
    warnings = terminal.warnings(result.summary)
    for warning in warnings[:WARNINGS]:
        screen.print(f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    if len(warnings) > WARNINGS:
        screen.print(f"warning: {len(warnings) - WARNINGS} more of these are in the report", style="yellow")
    screen.print(terminal.one_line(result.summary), highlight=False)
    if not result.ran:
        screen.print(f"Nothing to do: all {len(result.steps)} steps were done before.", highlight=False)
    screen.print(f"Report: {storage.join(root, 'report.html')}", highlight=False, soft_wrap=True)


cli.add_command(example("crawlmill report runs/pages --against runs/before --open")(report_command.command))
cli.add_command(example("crawlmill inspect runs/pages --rule gopher_too_few_words --limit 50")(inspection.inspect))
cli.add_command(
    example("crawlmill what-if runs/pages --set rules.gopher_quality.min_words=100")(what_if_command.command)
)
cli.add_command(mix_plan.mixing, "mix")
cli.add_command(token_commands.tokens)
example("crawlmill mix plan runs/pages --set mixture.tokens=20_000_000")(mix_plan.plan_mixture)
example("crawlmill tokens inspect runs/pages/tokens")(token_commands.inspect)
example("crawlmill tokens verify runs/pages/tokens")(token_commands.verify_shards)
example("crawlmill tokens cat runs/pages/tokens --source web --limit 3")(token_commands.cat)


cli.add_command(
    example("crawlmill references enwiki-latest-pages-articles.xml.bz2 --out cited.txt.gz")(
        references_command.references
    )
)
cli.add_command(classifier_command.classifier)
example(
    "crawlmill classifier train --positives good.jsonl.gz --run runs/pages --source web --kind linear --kind fasttext "
    "--out models/good"
)(classifier_command.train)
example(
    "crawlmill classifier evaluate models/good/linear --positives good.jsonl.gz --pages pages.jsonl.gz --plot good.png"
)(classifier_command.evaluate_models)
cli.add_command(perplexity_command.perplexity)
example("crawlmill perplexity train wikipedia.jsonl.gz --language en --out models/wikipedia")(perplexity_command.train)
cli.add_command(example("crawlmill eval-sets evals/*.jsonl.gz")(eval_sets_command.eval_sets))

cli.add_command(proxies_command.proxies_group)
proxies_command.proxies_group.add_command(
    example("crawlmill proxies ablate recipes/proxies.yaml --without web.c4 --without web.gopher_repetition")(
        ablate_command.ablate
    )
)
example("crawlmill proxies propose recipes/proxies.yaml")(proxies_command.propose)
example("crawlmill proxies run recipes/proxies.yaml --workers 2")(proxies_command.run)
example("crawlmill proxies fit recipes/proxies.yaml --set proxies.kl=0.05")(proxies_command.fit)
example("crawlmill proxies verify recipes/proxies.yaml --set proxies.verify.seeds=3")(proxies_command.verify)

cli.add_command(scaling_command.scaling_group)
example("crawlmill scaling plan recipes/proxies.yaml --set scaling.flops=1e16")(scaling_command.plan)
example("crawlmill scaling run recipes/proxies.yaml --set scaling.flops=1e16")(scaling_command.run)
example("crawlmill scaling fit --points runs.csv --target-flops 1e21 --out runs/law")(scaling_command.fit)

cli.add_command(example("crawlmill train --data demo/run/tokens --out demo/gpt --set steps=100")(train_command.train))
cli.add_command(example("crawlmill sample demo/gpt --prompt Modules --tokens 50")(train_command.sample))
cli.add_command(example("crawlmill export demo/gpt --out demo/gpt/huggingface")(train_command.export))


@example("crawlmill crawl-docs --out demo/crawl --pages 1800")
@cli.command("crawl-docs")
@click.option("--out", required=True, metavar="DIR", help="Where the WARC shards and reference.jsonl.gz go.")
@click.option("--pages", type=click.IntRange(min=1), default=1800, show_default=True, help="The most pages to crawl.")
@click.option("--package", "packages", multiple=True, metavar="NAME", help="Crawl these packages only. Repeatable.")
@click.option(
    "--servers", type=click.IntRange(min=1), default=2, show_default=True, help="pydoc servers at work at once."
)
@click.option(
    "--timeout", type=click.FloatRange(min=1), default=20.0, show_default=True, help="Seconds a page may take."
)
def crawl_docs(out: str, pages: int, packages: tuple[str, ...], servers: int, timeout: float) -> None:
    """Crawl the documentation of installed Python packages into WARC shards: a real crawl without a network.

    pydoc serves the pages over loopback HTTP. A module that hangs or crashes on import costs its own page only.
    """
    screen = terminal.screen()
    with terminal.bar(screen, "pages") as progress, terminal.refusing():
        bar = progress.add_task("crawl", total=pages)
        result = crawl(
            out,
            pages=pages,
            packages=packages or None,
            servers=servers,
            timeout=timeout,
            progress=lambda done, most: progress.update(bar, completed=done, total=most),
        )
    for failure in result.failed:
        screen.print(f"failed: {failure.module}: {failure.cause}", highlight=False, markup=False, soft_wrap=True)
    screen.print(
        f"{result.pages:,} pages, {result.bytes / 1e6:,.1f} MB of HTML, {len(result.failed)} failed; "
        f"{len(result.files)} WARC shards and {result.reference}",
        highlight=False,
        soft_wrap=True,
    )


@example("crawlmill fetch CC-MAIN-2026-04 --shards 2 --out crawl")
@cli.command()
@click.argument("crawl_name", metavar="CRAWL")
@click.option(
    "--shards", type=click.IntRange(min=1), default=1, show_default=True, help="Files to fetch, about 1 GB each."
)
@click.option("--out", required=True, metavar="DIR", help="A local folder; an interrupted fetch continues there.")
@click.option(
    "--kind", type=click.Choice(["warc", "wet"]), default="warc", show_default=True, help="Pages or their text."
)
@click.option(
    "--base-url", default="https://data.commoncrawl.org", show_default=True, help="Where the crawl is served."
)
def fetch(crawl_name: str, shards: int, out: str, kind: Literal["warc", "wet"], base_url: str) -> None:
    """Fetch WARC files of the Common Crawl called CRAWL, spread evenly over it, and check every byte.

    What is there already is kept; twice as many shards include the ones before.
    """
    screen = terminal.screen()
    with terminal.bar(screen, "bytes") as progress:
        bars: dict[str, TaskID] = {}

        def show(name: str, done: int, size: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name.rsplit("/", 1)[-1])
            progress.update(bars[name], completed=done, total=size)

        with terminal.refusing():
            files = fetch_crawl(crawl_name, shards=shards, out=out, base_url=base_url, kind=kind, progress=show)
    for file in files:
        how = "there already" if file.skipped else f"checked by {file.verified}"
        screen.print(f"{file.file}  {file.size:,} bytes  {how}", highlight=False, soft_wrap=True)


def main() -> None:
    """The entry point: turns exceptions into exit codes, with a traceback only for our own bugs."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        print("interrupted; run the same command again to continue", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        print(
            "\nThis is a bug in crawlmill; what was finished is kept, and the same command continues.", file=sys.stderr
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
