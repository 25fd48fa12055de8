"""`crawlmill perplexity train`: language models of reference texts, for the perplexity of pages.

What stays true: texts are in memory as a whole, and so is the model; the folder's model.json comes last, and says what
the models were made of.
"""

from collections.abc import Iterator, Sequence

import click
from rich.console import Console
from rich.progress import TaskID
from rich.table import Table

from corpus import storage
from filters.language import identify
from filters.perplexity import need_kenlm
from filters.perplexity_training import MOST_ORDER, ORDER, VOCABULARY, Reference
from filters.perplexity_training import train as train_model
from pipeline import console as terminal
from sources.jsonl import read_jsonl
from sources.pages import Page, Unreadable

# CCNet's.
LEAST_SCORE = 0.5
# Of less text than this an n-gram model knows little more than the commonest words.
LEAST_CHARACTERS = 1_000_000
_BATCH = 1024


@click.group("perplexity")
def perplexity() -> None:
    """Language models of reference texts, for the perplexity of pages."""


@perplexity.command()
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@click.option("--language", metavar="LABEL", help="What all texts are in.  [default: each is identified]")
@click.option(
    "--order",
    type=click.IntRange(2, MOST_ORDER),
    default=ORDER,
    show_default=True,
    help="How many pieces the longest n-grams have.",
)
@click.option(
    "--vocabulary",
    type=click.IntRange(100, VOCABULARY),
    default=VOCABULARY,
    show_default=True,
    help="The most pieces; little text gives fewer.",
)
@click.option("--text-field", default="text", show_default=True, help="The field of a line that holds its text.")
@click.option("--out", required=True, metavar="DIR", help="Where the models and model.json go.")
def train(texts: tuple[str, ...], language: str | None, order: int, vocabulary: int, text_field: str, out: str) -> None:
    """Train a SentencePiece and an n-gram model of each language on JSONL files of good prose, such as Wikipedia's.

    A hundredth of the texts is held out and measured on. Without --language, a language needs a million characters.
    """
    screen = terminal.screen()
    try:
        need_kenlm()
        by_language = _by_language(storage.matching(texts), text_field, language, screen)
        if not by_language:
            raise ValueError(f"no language has {LEAST_CHARACTERS:,} characters; give more text, or say its --language")
        shown = Table("language", "texts", "tokens", "pieces", "n-grams", "held out", "perplexity", "words shuffled")
        with terminal.bar(screen, "pieces") as progress:
            for label, found in sorted(by_language.items()):
                bar = progress.add_task(label, total=6)

                def say(step: str, bar: TaskID = bar, label: str = label) -> None:
                    progress.update(bar, advance=step != "normalise", description=f"{label}: {step}")

                entry = train_model(Reference.of(found), out, label, order, vocabulary, say)
                progress.update(bar, advance=1, description=label)
                held_out = entry["held_out"]
                counts = (entry["texts"], entry["tokens"], entry["vocabulary"], sum(entry["ngrams"]), held_out["texts"])
                medians = (str(held_out[key] or "") for key in ("perplexity", "perplexity_shuffled"))
                shown.add_row(label, *(f"{count:,}" for count in counts), *medians)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    screen.print(shown)
    screen.print(f"Models: {out}", highlight=False, markup=False, soft_wrap=True)


def _by_language(names: Sequence[str], text_field: str, language: str | None, screen: Console) -> dict[str, list[str]]:
    """The texts of each language that has enough; all of them are in `language` where it is given."""
    found: dict[str, list[str]] = {}
    with terminal.bar(screen, "pieces", transient=True) as progress:
        bar = progress.add_task("read texts", total=None)
        for batch in _batches(names, text_field):
            labels = [language] * len(batch) if language else _identified(batch)
            for label, text in zip(labels, batch, strict=True):
                if label:
                    found.setdefault(label, []).append(text)
            progress.advance(bar, len(batch))
    return found if language else {k: v for k, v in found.items() if sum(map(len, v)) >= LEAST_CHARACTERS}


def _identified(texts: Sequence[str]) -> list[str | None]:
    labels, scores = identify(texts)
    return [label if score >= LEAST_SCORE else None for label, score in zip(labels, scores.tolist(), strict=True)]


def _batches(names: Sequence[str], text_field: str) -> Iterator[list[str]]:
    batch: list[str] = []
    for name in names:
        for item in read_jsonl(name, text_field):
            if isinstance(item, Unreadable):
                raise ValueError(f"{name} at byte {item.offset:,}: {item.cause}")
            if isinstance(item, Page):
                batch.append(str(item.body))
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch
