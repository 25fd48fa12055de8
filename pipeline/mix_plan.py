"""`crawlmill mix plan`: what a mixture would take from each source, before it is paid for.

What goes in: a run's folder, as far as the run has come, and keys of the mixture to change. What comes out: the plan
that the mixture step would make. What stays true: where the mixture's own token ids are there, it is that plan to the
token; where they are not, what there is is estimated, and the output says so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import click
from pydantic import model_validator
from rich.console import Console
from rich.progress import Progress

from corpus import shards
from corpus.strict import RecipeError, Strict
from mixtures import plan
from mixtures.mixture import Mixture
from pipeline import configuration, mix, steps
from pipeline import console as terminal
from pipeline.graph import steps_of
from pipeline.recipe import Recipe, of_run
from pipeline.steps import Step

# English web text has about this many with vocabularies of some 100,000.
BYTES_PER_TOKEN = 4.4


class Asked(Strict):
    """A mixture of these sources."""

    sources: list[str]
    mixture: Mixture

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Asked":
        self.mixture.check(self.sources)
        return self


@dataclass(frozen=True)
class Unique:
    """What a source has for training; `estimated_by` says by what, where it was not counted as the mixture counts."""

    tokens: int
    documents: int
    estimated_by: str | None = None


@click.group()
def mixing() -> None:
    """Mixtures: what they take from each source."""


@mixing.command("plan")
@click.argument("run_folder", metavar="RUN")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key: mixture.tokens=1000. Repeatable."
)
@click.option(
    "--bytes-per-token",
    type=click.FloatRange(min=0, min_open=True),
    default=BYTES_PER_TOKEN,
    show_default=True,
    help="To estimate tokens by, of sources that were not tokenized yet.",
)
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
def plan_mixture(run_folder: str, overrides: tuple[str, ...], bytes_per_token: float, as_json: bool) -> None:
    """Show what the mixture of the run in folder RUN takes from each source: tokens, epochs, what is missing.

    The run need not have come further than its documents: tokens are then estimated from their bytes. Its recipe's
    paths are relative to where it was started, so this has to be started there, too.
    """
    recipe = of_run(run_folder)
    mixture = _mixture_of(recipe, run_folder, overrides)
    with terminal.bar(Console(stderr=True), "parts", transient=True) as progress:
        unique = _unique(run_folder, recipe, mixture, bytes_per_token, progress)
    plans = plan.plan({source: there.tokens for source, there in unique.items()}, mixture)
    rows = {
        source: {
            **mix.reported(planned, planned.planned),
            "unique_documents": unique[source].documents,
            "estimated_by": unique[source].estimated_by,
        }
        for source, planned in plans.items()
    }
    if as_json:
        print(json.dumps({"tokens": sum(planned.planned for planned in plans.values()), "sources": rows}, indent=1))
    else:
        _show(rows)
    plan.refuse_missing(plans, mixture)


def _show(rows: Mapping[str, Any]) -> None:
    screen = terminal.screen()
    total = sum(row["tokens"] for row in rows.values())
    estimates = {row["estimated_by"] for row in rows.values()} - {None}
    title = f"Plan of {total:,} tokens{' (estimated)' if estimates else ''}"
    screen.print(terminal.mixture_table(title, rows, realised=False))
    for source, row in rows.items():
        if row["estimated_by"]:
            screen.print(f"{source}: unique tokens are estimated by {row['estimated_by']}", highlight=False)


def _mixture_of(recipe: Recipe, run_folder: str, overrides: tuple[str, ...]) -> Mixture:
    given = recipe.mixture.model_dump() if recipe.mixture else None
    if given is None and not overrides:
        raise RecipeError(
            f"{run_folder} has no mixture; give one: --set mixture.tokens=1_000_000 --set mixture.temperature=1.0"
        )
    data = {"sources": list(recipe.sources), "mixture": given}
    return configuration.checked(data, Asked, overrides, f"the mixture of {run_folder}").mixture


def _unique(
    root: str, recipe: Recipe, mixture: Mixture, bytes_per_token: float, progress: Progress
) -> dict[str, Unique]:
    """What there is of each source: counted with the mixture's own tokenizer, with the run's, or estimated."""
    own = _by_name(recipe.model_copy(update={"mixture": mixture}))
    recorded = _by_name(recipe)
    found = {}
    for source in mixture.mixed(recipe.sources):
        name, documents = f"{source}.tokenize", recorded[f"{source}.documents"]
        if name in own and steps.is_done(root, own[name]):
            found[source] = _counted(root, own[name], recipe.seed, mixture.validation, progress)
        elif name in recorded and steps.is_done(root, recorded[name]):
            counted = _counted(root, recorded[name], recipe.seed, mixture.validation, progress)
            found[source] = replace(counted, estimated_by="the run's tokenizer; this mixture trains another")
        elif steps.is_done(root, documents):
            found[source] = _estimated(steps.counts_of(root, documents), mixture.validation, bytes_per_token)
        else:
            raise ValueError(f"{root}: the documents of {source} are not done; run the recipe first")
    return found


def _by_name(recipe: Recipe) -> dict[str, Step]:
    return {step.name: step for step in steps_of(recipe)}


def _counted(root: str, step: Step, seed: int, validation: float, progress: Progress) -> Unique:
    """Tokens, EOS included, and documents of a source without those held out, as the mixture step counts them."""
    folder = steps.folder(root, step)
    tokens = documents = 0
    for number in progress.track(range(shards.count_parts(folder)), description=step.name):
        data = shards.read_part(folder, number, ["id", "tokens"])
        train = data["tokens"].to_numpy()[~plan.held_out(data["id"].to_numpy(), seed, validation)]
        tokens += int(train.sum()) + len(train)
        documents += len(train)
    return Unique(tokens, documents)


def _estimated(counts: Mapping[str, Any], validation: float, bytes_per_token: float) -> Unique:
    """The same by the bytes of a source's documents; each ends with an EOS."""
    documents = round(counts["kept"] * (1 - validation))
    tokens = round(counts["text_bytes"] * (1 - validation) / bytes_per_token) + documents
    return Unique(tokens, documents, f"the text, at {bytes_per_token:g} bytes a token")
