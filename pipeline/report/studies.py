"""What proxy runs and scaling laws of a run have come to, in short, for the report of the run.

What goes in: the run's folder. What comes out: for each study that is there, its verdict, a table, and the path of its
own page from the run's folder, which has all the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from corpus import storage
from pipeline.plots import power, short
from pipeline.proxies import schema as proxies_schema
from pipeline.scaling import schema as scaling_schema
from pipeline.scaling.report import counted, ends


@dataclass(frozen=True, slots=True)
class Study:
    title: str
    words: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    page: str


def of_run(root: str) -> list[Study]:
    """The studies in a run's folder."""
    found = []
    if storage.exists(path := storage.join(root, "proxies", "result.json")):
        found.append(_mixture(storage.read_json(path)))
    if storage.exists(path := storage.join(root, "scaling", "law.json")):
        found.append(_law(storage.read_json(path)))
    return found


def _mixture(result: proxies_schema.Result) -> Study:
    chosen = result["chosen"]
    if result["verdict"]:
        words = f"The chosen mixture is {result['verdict']['words']}."
    else:
        words = "A mixture is chosen, and not verified." if chosen else "No mixture is chosen yet."
    columns = ["source", "natural, % of tokens", *(["chosen, %", "95 % interval, %", "epochs"] if chosen else [])]
    rows = []
    for source in result["sources"]:
        row = [source, f"{100 * result['natural'][source]:.1f}"]
        if chosen:
            low, high = chosen["intervals"][source]
            row += [f"{100 * chosen['shares'][source]:.1f}", f"{100 * low:.1f} to {100 * high:.1f}"]
            row.append(f"{chosen['epochs'][source]:.2f}")
        rows.append(row)
    words += f" {len(result['trials'])} trials, {len(result['targets'])} targets."
    return Study("Mixture by proxy runs", words, columns, rows, "proxies/report.html")


def _law(result: scaling_schema.Result) -> Study:
    words = f"{'A law is' if result['law'] else 'No law is'} fitted to {counted(result['points'])}."
    columns = ["FLOPs", "parameters", "95 % interval", "tokens", "95 % interval", f"loss, {result['unit']}"]
    rows = []
    for spent in result["allocations"]:
        size, tokens = spent["parameters"], spent["tokens"]
        row = [power(spent["flops"])]
        for found in (size, tokens):
            row += [short(found["value"]), " to ".join(ends(found, short))]
        rows.append([*row, f"{spent['loss']['value']:.4f}"])
    return Study("Scaling law", words, columns, rows, "scaling/report.html")
