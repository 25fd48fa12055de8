"""`crawlmill classifier`: classifiers trained on examples, and measured on sites and texts that they have not seen.

What stays true: no site is on both sides, so that a figure is never memory of a template; all models of one command
are measured on the same examples; and what was left out is counted and said.
"""

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import click
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, TaskID

from corpus import storage
from corpus.strict import RecipeError
from filters.classifier import KINDS, Classifier, telling
from filters.classifier import train as train_classifier
from filters.evaluation import Scored, evaluate
from filters.examples import Examples, choose, sites_of
from pipeline import classifier_figures, example_tables
from pipeline import console as terminal

EVALUATION = "evaluation.json"
TELLING = 10


@dataclass(frozen=True)
class Asked:
    """Where examples are to come from, as the options say it."""

    positives: tuple[str, ...]
    cited: tuple[str, ...]
    pages: tuple[str, ...]
    run: str | None
    source: str | None

    def check(self) -> None:
        """Raises click.UsageError where they do not say it once."""
        if bool(self.positives) == bool(self.cited):
            raise click.UsageError("give the positives once: --positives FILES, or --cited LIST of the pages' URLs")
        if bool(self.pages) == (self.run is not None):
            raise click.UsageError("give the pages once: --pages FILES, or --run FOLDER of a finished run")
        if self.source is not None and self.run is None:
            raise click.UsageError("--source is one of a run's: give --run too")


def _example_options(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.option("--positives", multiple=True, metavar="FILES", help="JSONL with a text a line. Repeatable."),
        click.option(
            "--cited", multiple=True, metavar="LIST", help="Positives are the pages whose URL is in it. Repeatable."
        ),
        click.option("--pages", multiple=True, metavar="FILES", help="JSONL with url and text. Repeatable."),
        click.option("--run", metavar="RUN", help="Pages are those that a finished run read, in wanted languages."),
        click.option("--source", metavar="NAME", help="Which source of the run.  [default: its only one]"),
        click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of all samples."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group("classifier")
def classifier() -> None:
    """Train classifiers of pages on examples of your own, and measure what they are worth."""


@classifier.command()
@_example_options
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), default=KINDS[:1], help="Repeatable.")
@click.option(
    "--held-out",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="The share of sites, and of texts without a site, that is measured on.",
)
@click.option("--out", required=True, metavar="DIR", help="Where the model and evaluation.json go.")
def train(
    positives: tuple[str, ...],
    cited: tuple[str, ...],
    pages: tuple[str, ...],
    run: str | None,
    source: str | None,
    seed: int,
    kinds: tuple[str, ...],
    held_out: float,
    out: str,
) -> None:
    """Train on one part of the examples, measure on the other, and save the model with its figures.

    Of several kinds, each goes to DIR/KIND, and the tables have them side by side, on the same examples.
    """
    asked = Asked(positives, cited, pages, run, source)
    screen = terminal.screen()
    with terminal.refusing():
        asked.check()
        examples = _examples(asked, seed, screen)
        apart = example_tables.held_out(examples, held_out, seed)
        known, unseen = examples.take(np.flatnonzero(~apart)), examples.take(np.flatnonzero(apart))
        _need_both(known, "to train on", "give more examples, or another --held-out or --seed")
        _need_both(unseen, "to measure on", "give more examples, or another --held-out or --seed")
    recipe = {"held_out": held_out, "seed": seed, "left_out": examples.left_out, **_described(asked)}
    models = {}
    for kind in dict.fromkeys(kinds):
        with terminal.bar(screen, "pieces", transient=True) as progress:
            bar = progress.add_task(f"train {kind}", total=None)
            show = partial(_show, progress, bar)
            models[kind] = train_classifier(known, kind=kind, seed=seed, progress=show)
    figures = _measured(models, unseen, seed, screen)
    words = {kind: telling(model, known.texts, TELLING) for kind, model in models.items()}
    for kind, model in models.items():
        told = replace(model, figures=figures[kind], training={**model.training, "examples": recipe})
        told.save(storage.join(out, kind) if len(models) > 1 else out)
    storage.write_json(storage.join(out, EVALUATION), {"examples": recipe, "models": figures, "telling": words})
    _say(screen, f"trained on {_sizes(known)}; left out: {_counts(examples.left_out)}")
    for table in [*classifier_figures.tables(figures), classifier_figures.words_table(words)]:
        screen.print(table)
    _say(screen, _PRIOR)
    _say(screen, f"Models: {', '.join(storage.join(out, k) if len(models) > 1 else out for k in models)}")


_PRIOR = (
    "Scores are probabilities for as many positives as pages. Where a share q of pages is like the positives, "
    "a score p stands for p q / (p q + (1 - p)(1 - q))."
)


@classifier.command("evaluate")
@click.argument("folders", metavar="MODEL...", nargs=-1, required=True)
@_example_options
@click.option("--plot", metavar="FILE.png", help="Draw ROC curves, calibration, scores, and scores against length.")
def evaluate_models(
    folders: tuple[str, ...],
    positives: tuple[str, ...],
    cited: tuple[str, ...],
    pages: tuple[str, ...],
    run: str | None,
    source: str | None,
    seed: int,
    plot: str | None,
) -> None:
    """Measure saved models, side by side, on those of the examples that none of them was trained on."""
    asked = Asked(positives, cited, pages, run, source)
    if plot and importlib.util.find_spec("matplotlib") is None:
        raise RecipeError('--plot needs matplotlib; install it with: pip install "crawlmill[train]"')
    screen = terminal.screen()
    with terminal.refusing():
        asked.check()
        models = {folder: Classifier.load(folder) for folder in folders}
        examples = _examples(asked, seed, screen)
        seen = np.any([model.has_seen(examples.texts) for model in models.values()], axis=0)
        unseen = examples.take(np.flatnonzero(~seen))
        _need_both(unseen, "that no model was trained on", "give other files")
    figures = _measured(models, unseen, seed, screen)
    _say(screen, f"left out: {_counts({**examples.left_out, 'trained_on': int(seen.sum())})}")
    for table in classifier_figures.tables(figures):
        screen.print(table)
    _say(screen, _PRIOR)
    if plot:
        classifier_figures.draw(plot, figures)
        _say(screen, f"Picture: {plot}")


def _examples(asked: Asked, seed: int, screen: Console) -> Examples:
    """Both classes, read, sampled and made alike in all that the classifier is not to learn."""
    with terminal.bar(screen, "pieces", transient=True) as progress:

        def shown(batches: Iterable[pa.Table], what: str) -> Iterator[pa.Table]:
            bar = progress.add_task(f"read {what}", total=None)
            for batch in batches:
                yield batch
                progress.advance(bar, len(batch))

        if asked.run is not None:
            crawl = example_tables.of_run(asked.run, asked.source)
        else:
            crawl = example_tables.of_jsonl(storage.matching(asked.pages))
        crawl = shown(crawl, "pages")
        if asked.cited:
            both = example_tables.drawn_by_citation(crawl, storage.matching(asked.cited), seed)
        else:
            texts = shown(example_tables.of_jsonl(storage.matching(asked.positives)), "positives")
            both = example_tables.drawn(texts, seed), example_tables.drawn(crawl, seed)
    return choose(*both, seed=seed)


def _show(progress: Progress, bar: TaskID, done: int, all_pieces: int) -> None:
    progress.update(bar, completed=done, total=all_pieces)


def _need_both(examples: Examples, what: str, instead: str) -> None:
    for label, name in ((1, "positive"), (0, "page")):
        if not (examples.labels == label).any():
            raise ValueError(f"there is no {name} {what}; {instead}")


def _measured(
    models: Mapping[str, Classifier], unseen: Examples, seed: int, screen: Console
) -> dict[str, dict[str, Any]]:
    """The figures of each model on the same examples."""
    found = {}
    lengths, hosts = np.diff(unseen.texts.offsets), sites_of(unseen.texts, unseen.split_hosts)
    with terminal.bar(screen, "pieces", transient=True) as progress:
        bar = progress.add_task("measure", total=len(models))
        for name, model in models.items():
            scores: NDArray[np.float32] = model.score(unseen.texts)
            scored = Scored.of(scores, unseen.labels, lengths, unseen.texts.languages, hosts)
            found[name] = evaluate(scored, seed)
            progress.advance(bar)
    return found


def _described(asked: Asked) -> dict[str, Any]:
    """The options that were given, as JSON."""
    given = {"positives": asked.positives, "cited": asked.cited, "pages": asked.pages, "run": asked.run}
    return {name: value if isinstance(value, str) else list(value) for name, value in given.items() if value}


def _sizes(examples: Examples) -> str:
    positives = int(examples.labels.sum())
    return f"{positives:,} positives and {len(examples.labels) - positives:,} pages"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing"


def _say(screen: Console, words: str) -> None:
    screen.print(words, highlight=False, markup=False, soft_wrap=True)
