"""The command line. Exit codes: 0 done, 1 failed while running, 2 refused before anything started, 130 interrupted."""

import os
import sys
import traceback
import webbrowser
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console

from corpus import storage
from pipeline import console as terminal
from pipeline import report as report_page
from pipeline.cluster import Cluster
from pipeline.recipe import RecipeError, load
from pipeline.run import run as run_recipe
from pipeline.steps import VERSION


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
    screen = Console()
    checked = load(recipe, overrides)
    root = out or f"runs/{checked.name}"
    with Cluster(workers, address) as cluster, terminal.StepLines(screen) as show:
        result = run_recipe(checked, root, cluster, show)
    for table in terminal.tables(result.summary):
        screen.print(table)
    for warning in terminal.warnings(result.summary):
        screen.print(f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    screen.print(terminal.one_line(result.summary), highlight=False)
    if not result.ran:
        screen.print(f"Nothing to do: all {len(result.steps)} steps were done before.", highlight=False)
    screen.print(f"Report: {storage.join(root, 'report.html')}", highlight=False, soft_wrap=True)


@example("crawlmill report runs/pages --open")
@cli.command()
@click.argument("run_folder", metavar="RUN")
@click.option("--open", "open_page", is_flag=True, help="Show it in the browser.")
def report(run_folder: str, open_page: bool) -> None:
    """Write RUN/report.html again from RUN/summary.json."""
    path = storage.join(run_folder, "summary.json")
    if not storage.exists(path):
        raise RecipeError(f"{path} is not there: {run_folder} is not the folder of a finished run")
    page = storage.join(run_folder, "report.html")
    storage.write_bytes(page, report_page.render(storage.read_json(path)).encode())
    click.echo(page)
    if open_page:
        webbrowser.open(f"file://{os.path.abspath(page)}")


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
