"""What the commands that train many small models have in common: their options, and a run's folder to work in."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.console import Console

from corpus.lock import alone_in
from corpus.strict import RecipeError
from pipeline import console as terminal
from pipeline.cluster import Cluster
from pipeline.recipe import Recipe, load


def study_options(key: str, recipe_needed: bool = True) -> Callable[[Any], Any]:
    """The recipe, and where and on what its models are trained; `key` is one to show how a key is overridden."""
    options = [
        click.argument("recipe", type=click.Path(dir_okay=False), required=recipe_needed),
        click.option(
            "--set", "overrides", multiple=True, metavar="KEY=VALUE", help=f"Override a key: {key}. Repeatable."
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=0),
            default=lambda: os.cpu_count() or 1,
            show_default="all cores",
            help="Processes that Ray trains on, a model each; 0 trains in this process, one after the other.",
        ),
        click.option("--address", metavar="RAY", help="Run on this Ray cluster (host:port, or auto)."),
        click.option("--out", metavar="DIR", help="The run's folder, that of `crawlmill run`.  [default: runs/NAME]"),
    ]

    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@contextlib.contextmanager
def at_work(
    recipe: str, overrides: tuple[str, ...], workers: int, address: str | None, out: str | None
) -> Iterator[tuple[Recipe, str, Cluster, Console]]:
    """The checked recipe, the run's folder, which nobody else works in, a cluster, and the terminal."""
    screen = terminal.screen()
    checked = load(recipe, overrides)
    if address is None:
        _refuse_needs(checked, workers)
    root = out or f"runs/{checked.name}"
    with alone_in(root), Cluster(workers, address) as cluster:
        yield checked, root, cluster, screen


def _refuse_needs(recipe: Recipe, workers: int) -> None:
    """What a model takes of this machine and cannot have."""
    for key, part in (("proxies", recipe.proxies), ("scaling", recipe.scaling)):
        if part and workers and part.cores > workers:
            raise RecipeError(f"{key}.cores is {part.cores} and --workers {workers}: lower it, or give more workers")
