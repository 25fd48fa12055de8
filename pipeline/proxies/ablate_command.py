"""`crawlmill proxies ablate`: what each rule family, or a keep share, is worth to a model that is trained.

What comes out, in RUN/proxies: `ablations.jsonl`, a line a trial, and `ablations.json`, of the variants asked for last.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from corpus import storage
from pipeline import console as terminal
from pipeline.console import StepLines
from pipeline.proxies import ablation, ablation_result
from pipeline.proxies.ablation import Variant
from pipeline.proxies.command import Session, session, shared_options
from pipeline.proxies.result import ABLATIONS, FOLDER, show_ablations
from pipeline.proxies.study import Study
from pipeline.recipe import load
from pipeline.run import run_steps


@click.command()
@shared_options
@click.option(
    "--without",
    multiple=True,
    metavar="SOURCE.FAMILY",
    help="Leave out a rule family, perplexity or reference of a source: web.c4. Repeatable.  [default: every family, "
    "one at a time, but for personal_data and decontamination]",
)
@click.option(
    "--keep",
    "keeps",
    multiple=True,
    metavar="SOURCE=SHARE",
    help="Have the source's reference classifier keep another share: web=0.3. Repeatable.",
)
def ablate(without: tuple[str, ...], keeps: tuple[str, ...], **options: Any) -> None:
    """Train the proxy with and without a rule family, or at another keep share, on equal tokens, and compare.

    A difference below 0 says that it is better with it; its interval is that of proxies.verify.seeds pairs of trials.
    Held-out text of a source is chosen by the rules that are judged, which favours them: give proxies.targets with text
    of no source, and believe these.
    """
    recipe = load(options["recipe"], options["overrides"])
    with terminal.refusing():
        variants = ablation.variants(recipe, without, keeps)
    with session(**options) as at_work:
        study, screen = at_work.study, at_work.screen
        obstacles = _prepare(at_work, variants)
        compared = [variant for variant in variants if variant.name not in obstacles]
        lines = at_work.run(ablation.trials_of(study, compared)) if compared else []
        found = ablation_result.result(study, variants, obstacles, lines)
        folder = storage.join(study.root, FOLDER)
        storage.write_bytes(
            storage.join(folder, "ablations.jsonl"), "".join(json.dumps(line) + "\n" for line in lines).encode()
        )
        storage.write_json(storage.join(folder, ABLATIONS), found)
        show_ablations(study)
        _show(screen, study, found)
        screen.print(f"All of it: {storage.join(folder, 'ablations.json')}", highlight=False, soft_wrap=True)


def _prepare(at_work: Session, variants: Sequence[Variant]) -> dict[str, str]:
    """Run the steps up to each variant's pool; the obstacles to training on them, by the variant's name."""
    study, found = at_work.study, {}
    with StepLines(at_work.screen) as show:
        for variant in variants:
            run_steps(study.root, variant.pool.steps, at_work.cluster, show, at_work.screen.print)
            if reason := ablation.obstacle(study, variant):
                found[variant.name] = reason
    return found


def _show(screen: Console, study: Study, found: Mapping[str, Any]) -> None:
    told = found["variants"]
    rows = [(each["name"], *_amounts(each), *_difference(each["objective"])) for each in told]
    columns = ["", "documents", "tokens", "recipe's documents", "tokens", "difference", "95 % interval", "so it is"]
    screen.print(terminal.table("With minus without it, objective: below 0 it helps", columns, rows))
    rows = [(each["name"], *_means(study, each["targets"])) for each in told if each["targets"]]
    if rows:
        title = "The same by what is measured; * where the whole 95 % interval is on one side of 0"
        screen.print(terminal.table(title, ["", *study.measured], rows))
    for line in found["diverged"]:
        screen.print(f"{line['name']}, seed {line['seed']} diverged and counts nowhere: {line['diverged']}")
    for words in found["warnings"]:
        screen.print(words, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _amounts(told: Mapping[str, Any]) -> list[int]:
    return [told[whose][what] for whose in ("variant", "recipe") for what in ("documents", "tokens")]


def _difference(own: Mapping[str, Any]) -> tuple[str, str, str]:
    if "reason" in own:
        return "-", "-", "not compared"
    return f"{own['mean']:+.4f}", f"{own['low']:+.4f} to {own['high']:+.4f}", own["word"]


def _means(study: Study, targets: Mapping[str, Any]) -> list[str]:
    return [
        "-" if "reason" in own else f"{own['mean']:+.4f}{'' if own['word'] == 'not told apart' else '*'}"
        for own in (targets[target] for target in study.measured)
    ]
