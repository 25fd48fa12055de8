"""Run a recipe: what is missing of its steps, then the summary and the report.

What comes out, in the run's folder: `steps/`, `summary.json`, `report.html`, and `recipe.yaml` as it was run.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from corpus import storage
from corpus.lock import alone_in
from corpus.strict import RecipeError
from pipeline import steps
from pipeline.cluster import Cluster
from pipeline.graph import steps_of
from pipeline.recipe import Recipe
from pipeline.report import page as report
from pipeline.steps import Progress, Step
from pipeline.summary import summarise
from pipeline.warm import warm

# Steps whose output is what a run is for: it is found in the run's folder under the step's name.
LINKED = ("tokens", "llmc", "text")


@dataclass(frozen=True)
class Result:
    """A finished run: its summary, the steps there are, and those that had to be run this time."""

    summary: dict[str, Any]
    steps: list[Step]
    ran: list[Step]


def run(
    recipe: Recipe, root: str, cluster: Cluster, show: Callable[[Progress], None], say: Callable[[str], None] = print
) -> Result:
    """Run what is not done yet; `show` hears of steps, `say` of what delays them.

    Raises `RecipeError` before anything starts if the recipe's inputs are not there or another run has the folder.
    """
    for earlier in recipe.dedup.against:
        # It would find all of its own documents held already, and hold none of them afterwards.
        if storage.same_place(earlier, root):
            raise RecipeError(f"dedup.against: {earlier} is the folder of this run; name another by --out")
    all_steps = steps_of(recipe)
    with alone_in(root):
        return _run(recipe, root, all_steps, cluster, show, say)


def _run(
    recipe: Recipe,
    root: str,
    all_steps: list[Step],
    cluster: Cluster,
    show: Callable[[Progress], None],
    say: Callable[[str], None],
) -> Result:
    storage.write_bytes(storage.join(root, "recipe.yaml"), recipe.yaml())
    todo = run_steps(root, all_steps, cluster, show, say)
    summary = summarise(root, recipe, all_steps)
    storage.write_json(storage.join(root, "summary.json"), summary)
    report.write(root, summary)
    for name in LINKED:
        local = storage.local_path(storage.join(root, name))
        if name in summary["steps"] and local:
            _link(local, summary["steps"][name]["folder"])
        elif local and os.path.islink(local):
            # Of a recipe that had this step; what is not of this run is not found here.
            os.unlink(local)
    return Result(summary, all_steps, todo)


def run_steps(
    root: str, all_steps: list[Step], cluster: Cluster, show: Callable[[Progress], None], say: Callable[[str], None]
) -> list[Step]:
    """Run those steps that are not done, in their order, and return them."""
    todo = steps.stale(root, all_steps)
    if todo:
        cluster.start()
    linked = False
    for number, step in enumerate(todo, 1):
        # Each step's kernels when it is their turn, so that the first page waits for as few as can be.
        warm(step, say)
        for progress in steps.execute(root, step, cluster):
            show(replace(progress, number=number, of=len(todo)))
            if not linked and cluster.dashboard:
                say(f"Ray's dashboard: {cluster.dashboard}")
                linked = True
    return todo


def _link(path: str, target: str) -> None:
    """Let RUN/tokens and the like lead to the newest; replaced in one go, so that they always lead somewhere."""
    temporary = f"{path}{storage.TEMPORARY}{os.getpid()}"
    os.symlink(target, temporary)
    os.replace(temporary, path)
