"""The reference step: a classifier learns, in this run, what pages that an encyclopedia cites look like.

In come the crawl's documents in the wanted languages, and references: texts from files, or those of the documents whose
URL is cited. Out come the classifier and what it is worth on hosts that it had not seen. What stays true: examples are
drawn by hashes of ids, as for `crawlmill classifier train`.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import shards
from filters import classifier, evaluation, examples
from pipeline import example_tables
from pipeline.judge import reasons_so_far
from pipeline.steps import Counts, Task


def learn(task: Task) -> Counts:
    """Train on references and pages, and keep what was learnt of them in the step's folder.

    A source that has no document left has nothing to be scored, so nothing is learnt and `figures` are None.
    """
    params = task.params
    try:
        with task.stage("read"):
            positives, pages = _drawn(task)
            if not len(pages):
                return {"positives": len(positives), "pages": 0, "left_out": {}, "figures": None}
            chosen = examples.choose(positives, pages, seed=params["seed"])
        with task.stage("train"):
            model = classifier.train(chosen, kind=params["kind"], seed=params["seed"])
    except ValueError as error:
        raise ValueError(f"sources.{params['name']}.reference: {error}") from error
    with task.stage("measure"):
        texts, sites = chosen.texts, examples.sites_of(chosen.texts, chosen.split_hosts)
        scores = model.score(texts)
        scored = evaluation.Scored.of(scores, chosen.labels, np.diff(texts.offsets), texts.languages, sites)
        figures = evaluation.evaluate(scored, params["seed"])
    replace(model, figures=figures).save(task.out)
    left_out = chosen.left_out
    return {"positives": len(positives), "pages": len(pages), "left_out": left_out, "figures": figures}


def _drawn(task: Task) -> tuple[pa.Table, pa.Table]:
    """Samples of the references and of the pages to tell them from."""
    wanted, seed = task.params["positives"], task.params["seed"]
    files = [file["file"] for file in wanted["files"]]
    if wanted["kind"] == "cited":
        if not any(map(len, _standing(task))):
            nothing = example_tables.SCHEMA.empty_table()
            return nothing, nothing
        return example_tables.drawn_by_citation(_standing(task), files, seed, wanted["min_characters"])
    return example_tables.drawn(example_tables.of_jsonl(files), seed), example_tables.drawn(_standing(task), seed)


def _standing(task: Task) -> Iterator[pa.Table]:
    """The documents that neither reading nor their language dropped, a part at a time."""
    names = example_tables.SCHEMA.names
    for number in range(task.params["parts"]):
        rows = shards.read_part(task.inputs["read"], number, [*names, "dropped", "language_score"])
        stays = pc.is_null(reasons_so_far(rows, task.params["language"]))
        yield rows.filter(stays).select(names).cast(example_tables.SCHEMA)
