"""The bands step: for the eye, the best and the worst documents of each tenth of the reference scores.

In come the scores of documents that stand when this score's turn has come; out come, in the step's counts, their URLs,
scores and first words. What stays true: of a large crawl a uniform sample is shown, by hashes of ids, and always the
same one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards, storage
from corpus.hashing import keyed
from filters.evaluation import bands
from pipeline.quality import ROWS, Cutoffs
from pipeline.steps import Counts, Task

SAMPLE = 100_000
# Characters of a text that are shown.
SHOWN = 240
BANDS = EACH = 10


def show(task: Task) -> Counts:
    """`bands`, from the best to the worst tenth, as `filters.evaluation.bands` has them, with the documents in full."""
    ids, scores = _sample(task)
    found = bands(scores, ids, n=EACH, bands=BANDS)
    wanted = sorted({number for band in found for number in (*band.best, *band.worst)})
    told = _documents(task, np.array(wanted, np.uint64))
    score_of = dict(zip(ids.tolist(), scores.tolist(), strict=True))

    def rows(numbers: Sequence[int]) -> list[dict[str, Any]]:
        return [{"score": score_of[number], **told[number]} for number in numbers]

    return {
        "sampled": len(ids),
        "bands": [{**asdict(band), "best": rows(band.best), "worst": rows(band.worst)} for band in found],
    }


def _sample(task: Task) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Ids and scores of SAMPLE documents that stand, in the order of their hashes."""
    cutoffs = Cutoffs(task.inputs)
    columns = list(dict.fromkeys(["id", "reason", "reference_score", *cutoffs.columns]))
    ids, scores = np.empty(0, np.uint64), np.empty(0, np.float32)
    for number in range(task.params["parts"]):
        for batch in shards.batches(storage.join(task.inputs["filter"], shards.part_name(number)), columns, ROWS):
            stands = batch.filter(pc.is_null(cutoffs.reasons(batch)))
            ids = np.concatenate([ids, stands["id"].to_numpy()])
            scores = np.concatenate([scores, stands["reference_score"].to_numpy()])
            chosen = np.argsort(keyed(ids, "bands", task.params["seed"]), kind="stable")[:SAMPLE]
            ids, scores = ids[chosen], scores[chosen]
    return ids, scores


def _documents(task: Task, ids: NDArray[np.uint64]) -> Mapping[int, dict[str, Any]]:
    """What is shown of each of these documents."""
    found: dict[int, dict[str, Any]] = {}
    first = int(task.params["first_shard"])
    for shard in np.unique(ids >> np.uint64(32)).tolist():
        here = ids[ids >> np.uint64(32) == shard].tolist()
        path = storage.join(task.inputs["read"], shards.part_name(shard - first))
        table = shards.read(path, ["id", "url", "text"], [("id", "in", here)])
        for row in table.to_pylist():
            found[row["id"]] = {"id": row["id"], "url": row["url"], "text": " ".join(row["text"][:SHOWN].split())}
    return found
