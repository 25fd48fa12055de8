"""Tables of numbers: shown on the terminal, appended to a Markdown log, kept as JSON; and whose numbers they are."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.table import Table as Screen

from benchmarks.inputs import ROOT

PACKAGES = (
    "crawlmill", "datatrove", "trafilatura", "spacy", "fastwarc", "warcio", "resiliparse", "datasketch", "tokenizers",
    "tiktoken", "gigatoken", "scikit-learn", "fasttext-numpy2", "numpy", "numba", "pyarrow", "ray",
)  # fmt: skip

# The column for `Rounds.spread`.
SPREAD = {"slowest/fastest": ".2f"}


@dataclass(frozen=True)
class Table:
    """`columns` are headings with their number formats; `rows` hold a value for some of them, the rest are not known.

    `note` says what each side does, so that a reader can tell whether the comparison is fair. `failures` are promises
    that the rows show to be broken, a sentence each.
    """

    title: str
    note: str
    columns: Mapping[str, str]
    rows: Mapping[str, Mapping[str, float]]
    failures: Sequence[str] = ()

    def cells(self) -> list[list[str]]:
        return [
            [name, *(format(row[column], spec) if column in row else "-" for column, spec in self.columns.items())]
            for name, row in self.rows.items()
        ]

    def screen(self) -> Screen:
        table = Screen(title=self.title, title_justify="left", title_style="bold", caption=self.note)
        table.caption_justify = "left"
        table.add_column("")
        for column in self.columns:
            table.add_column(column, justify="right")
        for cells in self.cells():
            table.add_row(*cells)
        return table

    def markdown(self) -> str:
        head = ["| | " + " | ".join(self.columns) + " |", "|---|" + "--:|" * len(self.columns)]
        lines = head + ["| " + " | ".join(cells) + " |" for cells in self.cells()]
        failed = "".join(f"\nFAILED: {failure}\n" for failure in self.failures)
        return f"### {self.title}\n\n{self.note}\n\n" + "\n".join(lines) + "\n" + failed


def versions() -> dict[str, str]:
    """Of Python and of every package that takes part; what is not installed is not there."""
    installed = {d.name.lower(): d.version for d in importlib.metadata.distributions()}
    found = {name: installed[name] for name in PACKAGES if name in installed}
    return {"python": platform.python_version(), **found, "commit": _commit()}


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def machine() -> str:
    """For example "AMD EPYC, 2 cores, 24 GB"."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    model = models[0] if models else platform.machine()
    return f"{model}, {os.cpu_count()} cores, {memory / 1e9:.0f} GB"


def as_json(tables: Sequence[Table], how: str) -> dict[str, object]:
    about = {"date": date.today().isoformat(), "machine": machine(), "how": how, "versions": versions()}
    return {**about, "tables": [{"title": t.title, "note": t.note, "rows": t.rows} for t in tables]}


def append(log: Path, tables: Sequence[Table], how: str) -> None:
    """Add a run to the log. Runs are never rewritten: a number belongs to its date, machine and commit."""
    parts = ", ".join(f"{name} {version}" for name, version in versions().items())
    section = [f"## {date.today().isoformat()}, {machine()}\n", f"{how} {parts}.\n"]
    with log.open("a") as file:
        file.write("\n" + "\n".join([*section, *(table.markdown() for table in tables)]))
