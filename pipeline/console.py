"""What a person sees in the terminal: a line per step while it runs, and the run's numbers as tables at the end.

On a terminal the running step has a bar; elsewhere, as in a log, each step gets one line when it ends.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipeline.amounts import amount_of
from pipeline.steps import Progress
from pipeline.summary import totals

# A log has no width to fit into.
LOG_WIDTH = 140


def screen() -> Console:
    """The terminal, or the log or pipe that the output goes to."""
    console = Console()
    return console if console.is_terminal else Console(width=LOG_WIDTH)


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """For what is done before any work begins: a ValueError is about what was asked, and so a refusal."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def bar(console: Console, unit: str, transient: bool = False) -> Bars:
    """Bars in bytes or in pieces, on terminals only; what is `transient` does not stay there."""
    amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    return Bars(*columns, console=console, transient=transient, disable=not console.is_terminal)


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


# Whole documents come so near to the plan, as a share of all tokens, where there are enough of them.
COARSE = 0.0005


def describe(progress: Progress) -> str:
    """Parts, amount, rate, and the time left or taken: "3/6 parts  1,402 documents  233/s  6.1 s left"."""
    amount, unit = amount_of(progress.counts)
    words = [f"{progress.done}/{progress.parts} parts"]
    if unit:
        words.append(f"{amount:,} {unit}")
    if unit and progress.seconds >= 0.1:
        words.append(f"{amount / progress.seconds:,.0f}/s")
    if progress.done == progress.parts:
        words.append(duration(progress.seconds))
    elif progress.share:
        words.append(f"{duration(progress.seconds * (1 / progress.share - 1))} left")
    return "  ".join(words)


class StepLines:
    """Shows steps as they go; used as `with StepLines(console) as show: show(progress)`."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, transient=True, refresh_per_second=8)
        self.start = time.monotonic()

    def __enter__(self) -> "StepLines":
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def __call__(self, progress: Progress) -> None:
        if progress.done == progress.parts:
            self.live.update("")
            self.console.print(f"{progress.step:<30} {describe(progress)}", highlight=False)
        elif self.console.is_terminal:
            row = Table.grid(padding=(0, 1))
            bar = ProgressBar(total=1, completed=progress.share, width=24, pulse=progress.share == 0)
            row.add_row(f"{progress.step:<30}", bar, describe(progress))
            so_far = f"step {progress.number} of {progress.of}, {duration(time.monotonic() - self.start)} so far"
            self.live.update(Group(row, Text(so_far, "dim")))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for n, column in enumerate(columns):
        table.add_column(column, justify="right" if n else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    return table


def tables(summary: Mapping[str, Any]) -> list[Table]:
    """The numbers of summary.json as a person reads them: documents, drop reasons, mixture, proxy."""
    rows = [
        (name, s["read"], s["kept"], sum(s["dropped"].values()), len(s["unreadable"]), _or_dash(s["unique_tokens"]))
        for name, s in summary["sources"].items()
    ]
    made = [table("Documents", ["source", "read", "kept", "dropped", "unreadable", "tokens kept"], rows)]
    funnels = {name: source["funnel"] for name, source in summary["sources"].items()}
    made += [_funnel_table(name, funnel) for name, funnel in funnels.items() if len(funnel) > 1]
    reasons = [
        (name, reason, count, f"{count / source['read']:.1%}")
        for name, source in summary["sources"].items()
        for reason, count in sorted(source["dropped"].items(), key=lambda item: -item[1])
    ]
    if reasons:
        made.append(table("Dropped", ["source", "reason", "documents", "of read"], reasons))
    if summary["mixture"]:
        made.append(mixture_table("Mixture", summary["mixture"], realised=True))
    if summary["proxy"]:
        made.append(_proxy_table(summary["proxy"]))
    return made


def _funnel_table(name: str, stages: Sequence[Mapping[str, Any]]) -> Table:
    """What each step left, and how much that is of what came into the step."""
    rows: list[Sequence[object]] = []
    for before, stage in zip([None, *stages], stages, strict=False):
        shares = (f"{stage[key] / max(before[key], 1):.1%}" if before else "-" for key in ("documents", "text_bytes"))
        of_documents, of_text = shares
        rows.append((stage["stage"], stage["documents"], of_documents, f"{stage['text_bytes'] / 1e6:,.2f}", of_text))
    columns = ["after", "documents", "of those before", "text, MB", "of that before"]
    return table(f"What each step of {name} kept", columns, rows)


def _or_dash(value: object) -> object:
    return "-" if value is None else value


def mixture_table(title: str, mixture: Mapping[str, Any], realised: bool) -> Table:
    """What each source was asked for and what it gives; `realised` adds the share that came of it."""
    total = max(sum(source["tokens"] for source in mixture.values()), 1)
    rows = [
        (
            name,
            "-" if source["weight"] is None else f"{source['weight']:g}",
            f"{source['share']:.2%}",
            *([f"{source['tokens'] / total:.2%}"] if realised else []),
            f"{source['epochs']:.2f}",
            source["unique_tokens"],
            source["tokens"],
            source["repeated_tokens"],
            source["missing_tokens"],
        )
        for name, source in mixture.items()
    ]
    columns = ["source", "weight", "wanted", *(["realised"] if realised else []), "epochs", "unique tokens", "tokens"]
    return table(title, [*columns, "repeated", "missing"], rows)


def _proxy_table(proxy: Mapping[str, Any]) -> Table:
    size = f"{proxy['parameters']:,} parameters, {proxy['steps']:,} steps, {proxy['train_tokens']:,} tokens"
    loss = f"training loss {proxy['final_loss']:.3f} nats a token, unigram entropy {proxy['unigram_entropy']:.3f}"
    return losses(f"Proxy: {size}; {loss}", proxy["validation"], proxy["unigram"])


def losses(title: str, validation: Mapping[str, Any] | None, unigram: Mapping[str, Any] | None = None) -> Table:
    """Losses on held-out text, source by source, and what token frequencies alone give, where that is known."""
    columns = ["validation", "tokens", "nats per token", "bits per byte"]
    rows: list[Sequence[object]] = []
    for name, loss in _with_all(validation).items():
        bits = [f"{loss['bits_per_byte']:.3f}"]
        bits += [f"{_with_all(unigram)[name]['bits_per_byte']:.3f}"] if unigram else []
        rows.append((name, loss["tokens"], f"{loss['nats_per_token']:.3f}", *bits))
    return table(title, [*columns, "unigram bits per byte"] if unigram else columns, rows)


def _with_all(validation: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**validation["sources"], "all": validation["overall"]} if validation else {}


def warnings(summary: Mapping[str, Any]) -> list[str]:
    """What a person must not miss: what could not be read, what was not learnt, what is missing."""
    said = []
    for name, source in summary["sources"].items():
        said += [
            f"{name}: {u['file']} at byte {u['offset']:,} is unreadable: {u['cause']}" for u in source["unreadable"]
        ]
        damaged = {u["file"] for u in source["unreadable"]}
        without = [f for f in source["files_without_documents"] if f["file"] not in damaged]
        said += [f"{name}: {f['file']} holds no document: {f['found']}" for f in without]
        if source["unscored"]["perplexity"]:
            said.append(
                f"{name}: {source['unscored']['perplexity']:,} documents that nothing before has dropped have no "
                "perplexity and stay: there is no model of their language, or they have no word"
            )
        if source["reference"]:
            said += [f"{name}: {text}" for text in _about_reference(source["reference"])]
    mixture = summary["mixture"] or {}
    drawn = sum(source["tokens"] for source in mixture.values())
    for name, source in mixture.items():
        off = source["tokens"] + source["missing_tokens"] - source["wanted_tokens"]
        if not source["unique_tokens"]:
            said.append(f"{name}: has no tokens to train on, so that its part of the mixture is missing")
        elif source["missing_tokens"]:
            said.append(
                f"{name}: {source['missing_tokens']:,} tokens fewer than its weight asks for: it has "
                f"{source['unique_tokens']:,} and mixture.max_epochs does not let it repeat them more often"
            )
        if source["unique_tokens"] and abs(off) > COARSE * drawn:
            said.append(
                f"{name}: {source['tokens']:,} tokens, where {source['tokens'] - off:,} were planned: its documents "
                "are too long for so small a part; ask for more tokens in all"
            )
    return said


def _about_reference(reference: Mapping[str, Any]) -> list[str]:
    """What is to be said of a classifier that learnt nothing."""
    figures = reference["figures"]
    if figures is None:
        return [f"nothing to learn from: no document is left to tell {reference['positives']:,} references from"]
    low, high = figures["auc_interval"]
    if low > 0.5:
        return []
    return [
        f"the reference classifier tells references from pages no better than chance (AUC {figures['auc']:.3f}, 95 % "
        f"interval {low:.3f} to {high:.3f}): what its scores keep is kept at random; give other or more references"
    ]


def one_line(summary: Mapping[str, Any]) -> str:
    """The sum that must agree, in words."""
    total = totals(summary)
    dropped = sum(total["dropped"].values())
    return f"read {total['read']:,} = kept {total['kept']:,} + dropped {dropped:,} + unreadable {total['unreadable']:,}"
