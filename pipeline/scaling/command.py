"""`crawlmill scaling`: how large a model, and on how many tokens, by the law of many small runs.

    plan ─► run ─► fit          fit --points FILE.csv

Each command does what the ones before it would do, where that is not done. What comes out, in RUN/scaling:
`runs.jsonl`, a line for each size and length, `law.json` and `report.html`.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console

from corpus import storage
from corpus.strict import RecipeError
from pipeline import console as terminal
from pipeline import trials
from pipeline.cluster import Cluster
from pipeline.console import StepLines
from pipeline.scaling import report as scaling_report
from pipeline.scaling import study as scaling
from pipeline.scaling import tables as scaling_tables
from pipeline.scaling.analysis import analyse
from pipeline.scaling.points import read_points
from pipeline.scaling.schema import Point, Result
from pipeline.scaling.study import Study
from pipeline.study_options import at_work, study_options
from pipeline.train_command import need_torch
from pipeline.trials_table import TrialsTable

# Of --points alone; a recipe has keys for these.
DRAWS, SEED = 400, 0
KEY = "scaling.flops=1e15"


@click.group("scaling")
def scaling_group() -> None:
    """Scaling laws: the best size and tokens for a budget, with intervals."""


@dataclass(frozen=True)
class Session:
    """A study whose pool is there, and what its models are trained on."""

    study: Study
    cluster: Cluster
    screen: Console

    def run(self) -> list[dict[str, Any]]:
        """Train what is not done, and write and return the lines of all."""
        study = self.study
        with TrialsTable(self.screen, lambda planned: scaling.outcome(study, planned)) as show:
            trials.run(study.root, study.planned(), self.cluster, study.needs, show)
        found = scaling.lines(study)
        path = storage.join(study.root, "scaling", "runs.jsonl")
        storage.write_bytes(path, "".join(json.dumps(line) + "\n" for line in found).encode())
        return found


@contextlib.contextmanager
def session(**options: Any) -> Iterator[Session]:
    """A study whose pool is there, by the options of a command."""
    with at_work(**options) as (recipe, root, cluster, screen):
        with StepLines(screen) as show:
            study = scaling.prepare(recipe, root, cluster, show, screen.print)
        yield Session(study, cluster, screen)


@scaling_group.command()
@study_options(KEY)
def plan(**options: Any) -> None:
    """Show the sizes and lengths that would be trained for scaling.flops, and what they cost."""
    with session(**options) as working:
        working.screen.print(scaling_tables.planned(working.study))
        working.screen.print(scaling_tables.total(working.study), highlight=False, soft_wrap=True)


@scaling_group.command()
@study_options(KEY)
def run(**options: Any) -> None:
    """Train each size once, and measure it at each length. What is done already is skipped."""
    need_torch()
    with session(**options) as working:
        working.run()
        said = storage.join(working.study.root, "scaling", "runs.jsonl")
        working.screen.print(f"Losses: {said}", highlight=False, soft_wrap=True)


@scaling_group.command()
@study_options(KEY, recipe_needed=False)
@click.option(
    "--points", metavar="CSV", help="Fit runs from anywhere: columns parameters, tokens, loss; --out says where."
)
@click.option(
    "--draws", type=click.IntRange(min=40), help="With --points: resamples for the intervals.  [default: 400]"
)
@click.option(
    "--target-flops", multiple=True, type=click.FloatRange(min=0, min_open=True), help="With --points. Repeatable."
)
def fit(
    recipe: str | None, points: str | None, target_flops: tuple[float, ...], draws: int | None, **options: Any
) -> None:
    """Fit the law to the runs of RECIPE, and say how to spend scaling.target_flops."""
    if (recipe is None) == (points is None):
        raise click.UsageError("give one of the two: RECIPE, whose models are trained, or --points FILE.csv")
    if points is not None:
        _fit_points(points, target_flops, draws or DRAWS, options)
        return
    if target_flops or draws:
        raise click.UsageError("--target-flops and --draws are for --points; RECIPE has scaling.target_flops and draws")
    need_torch()
    with session(recipe=str(recipe), **options) as working:
        lines, study = working.run(), working.study
        with working.screen.status(f"resampling the runs {study.scaling.draws} times"):
            result = analyse(
                [_point(line) for line in lines],
                scaling.UNIT,
                target_flops=study.scaling.target_flops,
                draws=study.scaling.draws,
                seed=study.recipe.seed,
                config={
                    "recipe": study.recipe.name,
                    "shares": study.shares,
                    "weights": study.weights,
                    "scaling": study.scaling.model_dump(),
                },
            )
        result["warnings"] += scaling.short_of_text(study, result["allocations"])
        _leave(result, storage.join(study.root, "scaling"), working.screen)


def _fit_points(path: str, target_flops: tuple[float, ...], draws: int, options: dict[str, Any]) -> None:
    """Fit a file's points; whatever is wrong with them is a refusal, since nothing was begun."""
    if not options["out"]:
        raise click.UsageError("--points needs --out, the folder for law.json and report.html")
    if options["overrides"] or options["address"]:
        raise click.UsageError("--set and --address are for RECIPE; with --points nothing is trained")
    screen = terminal.screen()
    config = {"points": path, "target_flops": list(target_flops), "draws": draws, "seed": SEED}
    found = read_points(path)
    try:
        with screen.status(f"resampling the runs {draws} times"):
            result = analyse(found, "the file's unit", target_flops=target_flops, draws=draws, seed=SEED, config=config)
    except ValueError as error:
        raise RecipeError(f"{path}: {error}") from error
    _leave(result, options["out"], screen)


def _point(line: dict[str, Any]) -> Point:
    return {
        "run": line["name"],
        "parameters": line["parameters"],
        "tokens": line["tokens"],
        "unique": line["unique"],
        "flops": line["flops"],
        "loss": line["loss"],
        "diverged": line["diverged"],
    }


def _leave(result: Result, folder: str, screen: Console) -> None:
    """Write the page and law.json, and say the most of it in the terminal."""
    page = storage.join(folder, "report.html")
    storage.write_bytes(page, scaling_report.render(result).encode())
    storage.write_json(storage.join(folder, "law.json"), result)
    screen.print(
        f"A law of {scaling_report.counted(result['points'])}; loss: {result['unit']}", highlight=False, soft_wrap=True
    )
    for table in scaling_tables.found(result):
        screen.print(table)
    for warning in result["warnings"]:
        screen.print(f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    screen.print(f"Report: {page}", highlight=False, soft_wrap=True)
