"""crawlmill's deduplication as its command runs it, on a corpus of JSON lines, and what it said of each document."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.inputs import dedup_recipe
from benchmarks.mutations import Corpus
from corpus import shards
from pipeline.cluster import Cluster
from pipeline.run import run
from pipeline.steps import folder, timing_of

# The step whose folder holds the documents that stay, and a verdict on each.
LAST = "web.documents"


def deduplicate(files: Sequence[str], root: Path) -> tuple[Path, dict[str, float]]:
    """Run the recipe in this process; the folder of its verdicts, and seconds by step."""
    with Cluster(0) as cluster:
        result = run(dedup_recipe(files), str(root), cluster, _quiet, _quiet)
    last = next(step for step in result.steps if step.name == LAST)
    seconds = {step.name.removeprefix("web."): timing_of(str(root), step)["seconds"] for step in result.steps}
    return Path(folder(str(root), last)), seconds


def _quiet(_: object) -> None:
    """For what a run would show."""


def removed(corpus: Corpus, result: Path, columns: Sequence[str] = ()) -> pa.Table:
    """A row for each document that was removed: `number`, its place in the corpus, and `columns` of its verdict."""
    names = ["id", "reason", *columns]
    found = pa.concat_tables(shards.read(str(path), names) for path in sorted(result.glob("verdicts-*.parquet")))
    assert len(found) == len(corpus.texts), "a document has no verdict"
    found = found.filter(found["reason"].is_valid())
    return found.append_column("number", pa.array(corpus.numbers(found["id"].to_numpy().astype(np.uint64))))
