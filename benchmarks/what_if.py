"""What-if: the whole command on a million documents, and what it says against what runs with the changed recipe do.

The million are made by drawing from the real signals of the pages, in files like those that a run leaves. The other
table runs the pages for ten changes, one after the other, and compares every reason.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from benchmarks.inputs import ROOT, Inputs
from benchmarks.results import SPREAD, Table
from benchmarks.timing import ENVIRONMENT, all_cores
from corpus import shards, storage
from pipeline import read, steps
from pipeline.cluster import Cluster
from pipeline.finished import Run
from pipeline.funnel import funnel
from pipeline.recipe import Recipe
from pipeline.run import run as run_recipe
from pipeline.source_graph import files_of, source_steps
from pipeline.summary import of_finished
from pipeline.verdicts import KEPT
from pipeline.what_if.recipe import changed
from pipeline.what_if.result import STANDS, what_if

DOCUMENTS, PART = 1_000_000, 100_000
# A process says it of itself: who starts it would be told the larger of its memory and their own.
PEAK = """
import atexit, re
from pathlib import Path
def told():
    Path({file!r}).write_text(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
atexit.register(told)
"""
# What the command may take, from its start to its end.
SECONDS, MEGABYTES = 5.0, 1000.0
RULES = ["gopher_quality", "gopher_repetition", "c4", "fineweb"]
ASKED = ["rules.gopher_quality.min_words=100", "reference.keep=0.5", "language.min_score=0.8"]
CHANGES = (
    ["rules.gopher_quality.min_words=100"],
    ["rules.gopher_quality.min_words=null"],
    ["rules.gopher_quality.min_stop_words=4", "rules.c4.min_sentences=3"],
    ["rules.gopher_repetition.max_duplicate_line_ratio=0.1"],
    ["rules.c4.max_curly_bracket=null"],
    ["rules.fineweb.min_punctuated_line_ratio=0.3"],
    ["reference.keep=0.2"],
    ["reference.keep={threshold: 0.3}"],
    ["reference.keep={pareto: 9}"],
    ["reference.keep={buckets: [head, middle]}", "rules.c4.min_sentences=10"],
)
# What a terminal would take for colours.
PLAIN = str.maketrans("[]", "()")
TRUTH = {"left": ",d", "left by the run": ",d", "change": ",d", "what-if, s": ".2f", "run, s": ".1f"}


def run(inputs: Inputs) -> list[Table]:
    return [_speed(inputs), _truth(inputs)]


def _source(inputs: Inputs, reference: dict[str, Any]) -> dict[str, Any]:
    language = {"keep": ["en"], "min_score": 0.65}
    return {"kind": "warc", "paths": inputs.files, "language": language, "rules": RULES, "reference": reference}


def _recipe(source: dict[str, Any]) -> Recipe:
    return Recipe.model_validate({"name": "what-if", "sources": {"web": source}})


def _speed(inputs: Inputs) -> Table:
    root = inputs.folder / "what-if-million"
    _make(inputs, root)
    parts = str(root / "steps/web.read/part-*.parquet")
    query = f"import duckdb; print(duckdb.sql(\"select count(*) from '{parts}' where gopher_quality_words < 100\"))"
    sides = {
        "crawlmill what-if": ["from pipeline.cli import main; main()", "what-if", str(root), *_sets(ASKED), "--json"],
        "DuckDB, counting one bound": [query],
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    with all_cores():
        for number in range(inputs.repeats + 1):
            for name, arguments in sides.items():
                found = _measured(arguments, inputs.folder / "peak.txt")
                # The first brings the files into memory.
                taken[name] += [found] if number else []
    shutil.rmtree(root)
    rows = {}
    for name, each in taken.items():
        seconds = [second for second, _ in each]
        spread = max(seconds) / min(seconds)
        peak = max(megabytes for _, megabytes in each)
        rows[name] = {"seconds": statistics.median(seconds), "slowest/fastest": spread, "peak, MB": peak}
    ours = rows["crawlmill what-if"]
    failures = []
    if ours["seconds"] > SECONDS:
        failures.append(f"what-if took {ours['seconds']:.1f} s, and {SECONDS:g} were promised")
    if ours["peak, MB"] > MEGABYTES:
        failures.append(f"what-if took {ours['peak, MB']:,.0f} MB, and {MEGABYTES:,.0f} were promised")
    note = (
        f"{DOCUMENTS:,} documents drawn from the signals of the pages, {PART:,} a file, with made-up reference scores. "
        f"The whole command with {', '.join(ASKED)}: documents judged again, the share found anew, three examples of "
        "each move. DuckDB, in a process of its own too, counts what one bound on one of the columns drops. Not pinned."
    )
    return Table("What-if: a million documents", note, {"seconds": ".2f", **SPREAD, "peak, MB": ",.0f"}, rows, failures)


def _sets(assignments: Sequence[str]) -> list[str]:
    return [word for assignment in assignments for word in ("--set", assignment)]


def _measured(program: Sequence[str], peak: Path) -> tuple[float, float]:
    """Seconds of a process that runs a program with its arguments, and its largest resident memory in MB."""
    code, *arguments = program
    command = [sys.executable, "-c", f"{PEAK.format(file=str(peak))}\n{code}", *arguments]
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start, int(peak.read_text()) / 1024


def _make(inputs: Inputs, root: Path) -> None:
    """The files of a finished run of DOCUMENTS documents that what-if looks at; its scores keep all of them."""
    pages, judged = _of_pages(inputs)
    recipe = _recipe(_source(inputs, {"model": "made-up", "keep": 1.0}))
    rng = np.random.default_rng(0)
    folders = {step: f"steps/web.{step}" for step in ("read", "filter", "documents")}
    reasons = []
    for number in range(DOCUMENTS // PART):
        rows = pa.array(rng.integers(0, len(pages), PART))
        ids = pa.array((np.uint64(number) << np.uint64(32)) + np.arange(PART, dtype=np.uint64))
        documents = pages.take(rows).set_column(0, "id", ids)
        with shards.writer(str(root / folders["read"] / shards.part_name(number)), documents.schema) as out:
            for batch in documents.to_batches(read.BATCH):
                out.write_batch(batch)
        found = judged.take(rows).set_column(0, "id", ids)
        scored = found.append_column("reference_score", pa.array(rng.random(PART, np.float32)))
        shards.write(str(root / folders["filter"] / shards.part_name(number)), scored)
        verdicts = found.select(["id", "reason"])
        shards.write(str(root / folders["documents"] / f"verdicts-{number:05d}.parquet"), verdicts)
        reasons.append(found.select(["reason", "text_bytes"]))
    _summarise(root, recipe, pa.concat_tables(reasons), folders)


def _of_pages(inputs: Inputs) -> tuple[pa.Table, pa.Table]:
    """What a run measures of the pages, and of its filter what what-if looks at."""
    recipe = _recipe({**_source(inputs, {}), "reference": None})
    found = source_steps(recipe, "web", recipe.sources["web"], files_of("pages", inputs.files), 0)
    root = str(inputs.folder / "what-if-pages")
    for step in (found["read"], found["filter"]):
        for _ in steps.execute(root, step, Cluster(0)):
            pass
    measured = [shards.read_part(steps.folder(root, found["read"]), n) for n in range(len(inputs.files))]
    columns = ["id", "reason", "failed", "text_bytes"]
    judged = [shards.read_part(steps.folder(root, found["filter"]), n, columns) for n in range(len(inputs.files))]
    return pa.concat_tables(measured), pa.concat_tables(judged)


def _summarise(root: Path, recipe: Recipe, documents: pa.Table, folders: dict[str, str]) -> None:
    """The summary, with what what-if reads of it, and the recipe."""
    dropped = documents.filter(pc.is_valid(documents["reason"])).group_by("reason")
    counted = dropped.aggregate([("text_bytes", "count"), ("text_bytes", "sum")]).to_pylist()
    total = int(pc.sum(documents["text_bytes"]).as_py())
    written = {
        "kept": len(documents) - sum(row["text_bytes_count"] for row in counted),
        "text_bytes": total - sum(row["text_bytes_sum"] for row in counted),
        "dropped": {row["reason"]: row["text_bytes_count"] for row in counted},
        "dropped_bytes": {row["reason"]: row["text_bytes_sum"] for row in counted},
    }
    left = funnel(recipe.sources["web"], {"read": len(documents), "unreadable": [], "text_bytes": total}, None, written)
    files = [{"file": f"{number}.warc.gz", "documents": PART} for number in range(DOCUMENTS // PART)]
    source = {**written, "files": files, "funnel": left, "cutoffs": {"reference": None}, "unique_tokens": None}
    for folder in folders.values():
        storage.write_json(str(root / folder / "step.json"), {"params": {"first_shard": 0}, "files": {}})
    by_step = {f"web.{step}": {"folder": folder} for step, folder in folders.items()}
    summary = {"sources": {"web": source}, "steps": by_step, "recipe_hash": recipe.hash()}
    storage.write_json(str(root / "summary.json"), summary)
    storage.write_bytes(str(root / "recipe.yaml"), yaml.safe_dump(recipe.model_dump(), sort_keys=False).encode())


def _truth(inputs: Inputs) -> Table:
    """What-if beside a run with the changed recipe."""
    references = inputs.folder / "what-if-references.jsonl"
    references.write_text("".join(json.dumps({"text": text}) + "\n" for text in inputs.english))
    positives = {"kind": "jsonl", "paths": str(references)}
    root = str(inputs.folder / "what-if-run")
    _run(_recipe(_source(inputs, {"positives": positives, "keep": 0.5})), root)
    summary = of_finished(root)
    finished, before = Run(root, summary), _reasons(root)
    rows: dict[str, dict[str, float]] = {}
    said = []
    for change in CHANGES:
        start = time.perf_counter()
        recipe = changed(root, summary, change, None)
        [found] = what_if(finished, recipe, 3, lambda: None).values()
        rows[", ".join(change).translate(PLAIN)] = {
            "what-if, s": time.perf_counter() - start,
            "left": found.stands.after.documents,
        }
        said.append((recipe, found))
    failures = []
    for (recipe, found), (name, row) in zip(said, rows.items(), strict=True):
        start = time.perf_counter()
        funnel_now = _run(recipe, root)["sources"]["web"]["funnel"]
        after = _reasons(root)
        row |= {"run, s": time.perf_counter() - start, "left by the run": sum(reason is None for reason in after)}
        moved = Counter((was or KEPT, now or STANDS) for was, now in zip(before, after, strict=True) if was != now)
        row["change"] = moved.total()
        stages = [{"stage": stage.stage, **asdict(stage.left.after)} for stage in found.stages]
        if stages != funnel_now or {(m.before, m.after): m.documents for m in found.moves} != moved:
            failures.append(f"what-if {name} is not what the run with that recipe gives")
    note = (
        f"All {len(before):,} pages, language, {', '.join(RULES)} and a reference classifier trained in the run. "
        "Documents left by what-if and by `crawlmill run` with the changed recipe, and those whose reason changes; the "
        "numbers of every stage and of every move from one reason to another are compared too. Both in this process; "
        "the run reads no page again, but judges, cuts and writes documents and samples of them."
    )
    return Table("What-if: against the runs themselves", note, TRUTH, rows, failures)


def _run(recipe: Recipe, root: str) -> dict[str, Any]:
    return run_recipe(recipe, root, Cluster(0), lambda _: None, lambda _: None).summary


def _reasons(root: str) -> list[str | None]:
    parts = Run(root, of_finished(root)).parts
    reasons = pa.concat_tables(shards.read(part.verdicts, ["reason"]) for part in parts)["reason"]
    found: list[str | None] = reasons.to_pylist()
    return found
