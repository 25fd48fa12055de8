"""A scaling law in the terminal: what would be trained, and what came of it."""

from collections.abc import Callable

from rich.table import Table

from pipeline import console as terminal
from pipeline.plots import power, short
from pipeline.scaling import study as scaling
from pipeline.scaling.report import interval
from pipeline.scaling.schema import OpenRange, Range, Result
from pipeline.scaling.study import Study


def planned(study: Study) -> Table:
    """A row for each size; where sources repeat, the most repeated one of its longest run."""
    times = scaling.seconds(study)
    rows = []
    for run in study.runs:
        epochs = study.epochs(max(run.horizons))
        most = max(epochs, key=lambda source: epochs[source])
        name = scaling.size_name(run.layers, run.width)
        rows.append(
            (
                name,
                run.parameters,
                ", ".join(map(short, run.horizons)),
                ", ".join(f"{tokens / run.parameters:.3g}" for tokens in run.horizons),
                power(run.flops),
                f"{epochs[most]:.2f} of {most}",
                terminal.duration(times[name]) if name in times else "-",
            )
        )
    columns = ["layers x width", "parameters", "tokens", "tokens a parameter", "FLOPs", "most epochs", "time"]
    return terminal.table(f"{len(rows)} runs, each measured at {len(study.scaling.ratios)} lengths", columns, rows)


def total(study: Study) -> str:
    spent, times = sum(run.flops for run in study.runs), scaling.seconds(study)
    words = [f"{power(spent)} of {power(study.scaling.flops)} FLOPs ({spent / study.scaling.flops:.0%})"]
    if times:
        words.append(f"{terminal.duration(sum(times.values()))} of one task, by the runs that are done")
    return "; ".join(words)


def found(result: Result) -> list[Table]:
    """The law, the best spending of budgets, and what a law of the smaller runs made of the largest."""
    law, tables = result["law"], []
    assert law
    names = ("E", "A", "alpha", "B", "beta")
    rows = [(name, *_cells(law[name], "{:.4g}".format)) for name in names]  # type: ignore[literal-required]
    tables.append(
        terminal.table("L = E + A / N^alpha + B / D^beta", ["", "value", f"95 % of {law['draws']} resamples"], rows)
    )
    if result["allocations"]:
        columns = [
            "FLOPs",
            "times the largest run",
            "parameters",
            "95 %",
            "tokens",
            "95 %",
            "tokens a parameter",
            "95 %",
        ]
        best = [
            (
                power(each["flops"]),
                power(each["extrapolation"]),
                *_cells(each["parameters"], short),
                *_cells(each["tokens"], short),
                *_cells(each["tokens_per_parameter"], power),
            )
            for each in result["allocations"]
        ]
        tables.append(terminal.table("The best size and tokens", columns, best))
    if result["held_out"]:
        unseen = [
            (h["run"], power(h["flops"]), f"{h['loss']:.4f}", f"{h['predicted']:.4f}", f"{h['relative_error']:+.2%}")
            for h in result["held_out"]
        ]
        tables.append(
            terminal.table("Runs that a law had not seen", ["run", "FLOPs", "loss", "predicted", "error"], unseen)
        )
    return tables


def _cells(found: Range | OpenRange, text: Callable[[float], str]) -> tuple[str, str]:
    return text(found["value"]), interval(found, text)
