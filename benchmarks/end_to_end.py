"""WARC to kept documents: crawlmill's steps in one process against datatrove's pipeline, on one core."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from datatrove.pipeline.extractors.base import BaseExtractor

from benchmarks import peers
from benchmarks.inputs import Inputs, recipe
from benchmarks.results import SPREAD, Table
from benchmarks.timing import Rounds, interleave
from pipeline.cluster import Cluster
from pipeline.graph import steps_of
from pipeline.steps import counts_of, execute, timing_of

# Documents that left each stage, and seconds spent in each.
Outcome = tuple[dict[str, int], dict[str, float]]

OURS, ALL = "crawlmill", "crawlmill, all pages"
# In the order of a page's way; what a later version names is put behind.
STAGES = ("read", "extract", "language", "rules", "minhash", "write")
TOTAL = "all of it"
# The last step of what is measured; the mixture behind it is drawn once a corpus, not once a page.
LAST = "web.tokenize"


def run(inputs: Inputs) -> list[Table]:
    def crawlmill(files: Sequence[str]) -> Outcome:
        return _crawlmill(files, inputs.tokenizer, tempfile.mkdtemp(dir=inputs.folder))

    def datatrove(extractor: Callable[[], BaseExtractor]) -> Callable[[Sequence[str]], Outcome]:
        return lambda files: peers.pipeline(files[0], extractor(), Path(tempfile.mkdtemp(dir=inputs.folder)))

    sides = {OURS: crawlmill, **{name: datatrove(extractor) for name, extractor in peers.EXTRACTORS.items()}}
    rounds = interleave(sides, [inputs.sample], inputs.repeats, [inputs.warm_up])
    whole = interleave({ALL: crawlmill}, inputs.files, inputs.repeats, [inputs.warm_up])
    return [_whole(inputs, {**rounds, **whole}), _stages(inputs, {**rounds, **whole})]


def _crawlmill(files: Sequence[str], tokenizer: str, root: str) -> Outcome:
    steps = steps_of(recipe(files, tokenizer))
    names = [step.name for step in steps]
    # The tokenizer stands in the list between the two.
    steps = steps[: names.index(LAST) + 1]
    with Cluster(0) as cluster:
        for step in steps:
            for _ in execute(root, step, cluster):
                pass
    found = {step.name.removeprefix("web."): counts_of(root, step) for step in steps}
    timing = {step.name.removeprefix("web."): timing_of(root, step) for step in steps}
    stages = timing["read"]["stages"]
    rest = {"read step, rest": timing["read"]["seconds"] - sum(stages.values())}
    after = {name: times["seconds"] for name, times in timing.items() if name != "read"}
    return {"read": found["read"]["read"], "kept": found["documents"]["kept"]}, {**stages, **rest, **after}


def _whole(inputs: Inputs, rounds: dict[str, Rounds[Outcome]]) -> Table:
    counted = dict.fromkeys(("pages", "documents read", "kept"), ",d")
    columns = {**counted, **dict.fromkeys(("pages per second", "ratio", "ratio, all pages"), ",.1f"), **SPREAD}
    rows: dict[str, dict[str, float]] = {}
    for name, side in rounds.items():
        pages = inputs.pages if name == ALL else inputs.sample_pages
        counts = side.results[-1][0]
        rows[name] = {
            "pages": pages,
            "documents read": counts["read"],
            "kept": counts["kept" if name in (OURS, ALL) else "write"],
            "pages per second": pages / side.median,
            "slowest/fastest": side.spread,
        }
    for name in peers.EXTRACTORS:
        for column, ours in (("ratio", OURS), ("ratio, all pages", ALL)):
            rows[name][column] = rows[ours]["pages per second"] / rows[name]["pages per second"]
    note = (
        f"One core. The peers are slow, so they get {inputs.sample_pages:,} pages, taken at equal distances from the "
        f"{inputs.pages:,}; the ratio is how many times as many pages per second crawlmill does, on the same ones and "
        "on all, where what it costs to start a step no longer counts. "
        "crawlmill: resiliparse, language, all signals, MinHash bands, exact and line hashes, removal of all three "
        "kinds of duplicates, Parquet, tokens. datatrove: WarcReader, extractor, LanguageFilter, Gopher repetition and "
        "quality, C4 and FineWeb filters with spaCy words, JsonlWriter; no duplicates, no tokens, and pages that it "
        "cannot decode are not counted."
    )
    return Table("End to end", note, columns, rows)


def _stages(inputs: Inputs, rounds: dict[str, Rounds[Outcome]]) -> Table:
    per_page: dict[str, dict[str, float]] = {stage: {} for stage in (*STAGES, TOTAL)}
    for name, side in rounds.items():
        pages = inputs.pages if name == ALL else inputs.sample_pages
        for stage in side.results[0][1]:
            seconds = statistics.median(outcome[1][stage] for outcome in side.results)
            per_page.setdefault(stage, {})[name] = seconds / pages * 1e6
        per_page[TOTAL][name] = side.median / pages * 1e6
    # At the end, whatever stages there were.
    per_page[TOTAL] = per_page.pop(TOTAL)
    for row in per_page.values():
        for name in peers.EXTRACTORS:
            if name in row and OURS in row:
                row[f"{name}: ratio"] = row[name] / row[OURS]
    columns = {**dict.fromkeys(rounds, ",.0f"), **{f"{name}: ratio": ",.1f" for name in peers.EXTRACTORS}}
    note = (
        "Microseconds per page of the input, whether or not it got that far: datatrove extracts first and drops as it "
        "goes. Reading is gunzip, WARC and charset. Each step writes its files and waits for the disk."
    )
    return Table("End to end, by stage", note, columns, per_page)
