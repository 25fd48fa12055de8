"""Perplexity and likeness to references as reasons to drop a document: scored by itself, judged against the crawl.

    read ─► perplexity ─┐
      └─► (reference) ──┴─► filter ─► perplexity_cutoff ─► reference_cutoff ─► wherever documents stand

A cutoff step looks at those that nothing before has turned away, and leaves `cutoff.json`, a few numbers. What stays
true: scores are kept for what is dropped too, and another rule about them scores nothing again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards, storage
from filters.keep import BUCKETS, Keep, Scored, Scores, Selection, select
from filters.perplexity import PerplexityModel
from kernels.texts import Texts
from pipeline import read
from pipeline.steps import Counts, Task
from pipeline.trained import folder_of

Quality = Literal["perplexity", "reference"]
# In the order in which they decide: Llama-1's.
QUALITIES: tuple[Quality, ...] = ("perplexity", "reference")
COLUMNS: Mapping[Quality, str] = {"perplexity": "perplexity", "reference": "reference_score"}
CUTOFF = "cutoff.json"
# Rows of scores that are read together.
ROWS = 1 << 16


def reasons_of(quality: Quality) -> list[str]:
    """All the reasons that a quality can give."""
    first = {"perplexity": ["perplexity_too_high"], "reference": ["reference_low_score", "reference_not_drawn"]}
    return [*first[quality], *(f"{quality}_{bucket}" for bucket in BUCKETS)]


def score(task: Task) -> Counts:
    """The perplexity step, for one part: `perplexity` of each document, null where there is no model or no text."""
    model = PerplexityModel.load(folder_of(task.params))
    columns = ["text", "language", "dropped"]
    scored = 0
    with shards.writer(task.file(".parquet"), pa.schema([("perplexity", pa.float64())])) as out:
        for batch in shards.batches(
            storage.join(task.inputs["read"], shards.part_name(task.number)), columns, read.BATCH
        ):
            stays = np.asarray(pc.is_null(batch["dropped"]))
            found = np.full(len(batch), np.nan)
            left = batch.filter(pa.array(stays))
            found[stays] = model.score(Texts.of(left["text"], left["language"].to_pylist()))
            out.write_batch(pa.record_batch({"perplexity": pa.array(found, mask=np.isnan(found))}))
            scored += int(np.count_nonzero(~np.isnan(found)))
    return {"scored": scored}


def find_cutoff(task: Task) -> Counts:
    """A cutoff step: where in this crawl the rule `keep` about the quality `by` cuts, as cutoff.json."""
    by: Quality = task.params["by"]
    keep = _of_goodness(by, Keep.model_validate(task.params["keep"]))
    groups, unscored = _seen(task, by)
    numbers = {group: number for number, group in enumerate(groups)}

    def scored() -> Scored:
        for batch in _standing(task):
            names = batch["language"].to_pylist() if by == "perplexity" else [""] * len(batch)
            scores = goodness(by, batch)
            known = ~np.isnan(scores)
            group = np.array([numbers[names[row] or ""] for row in np.flatnonzero(known)], np.int64)
            yield scores[known], batch["text_bytes"].to_numpy()[known], batch["id"].to_numpy()[known], group

    found = select(scored, keep, task.params["seed"], groups)
    storage.write_json(storage.join(task.out, CUTOFF), found.as_json())
    cuts = {group: [_shown(by, end.score) for end in ends] for group, ends in found.cutoffs.items()}
    return {"cutoff": cuts, "unscored": unscored}


def _of_goodness(by: Quality, keep: Keep) -> Keep:
    """The rule with its threshold, if any, as `goodness` has it."""
    if by == "reference" or keep.threshold is None:
        return keep
    return keep.model_copy(update={"threshold": 1 / keep.threshold})


def _shown(by: Quality, score: float) -> float:
    """A cut as people know it."""
    return score if by == "reference" else 1 / score


def _seen(task: Task, by: Quality) -> tuple[list[str], int]:
    """The groups of documents that stand and have a score, and how many have none: languages, "" for those without one,
    or all in one where scores of different languages can be compared.
    """
    groups: set[str] = set()
    unscored = 0
    for batch in _standing(task):
        known = pc.is_valid(batch[COLUMNS[by]])
        known = pc.and_(known, pc.invert(pc.is_nan(batch[COLUMNS[by]]))).fill_null(False)
        unscored += len(batch) - (pc.sum(known).as_py() or 0)
        scored = batch.filter(known)
        names = pc.unique(scored["language"]).to_pylist() if by == "perplexity" else [""] * min(1, len(scored))
        groups |= {name or "" for name in names}
    return sorted(groups), unscored


def _standing(task: Task) -> Iterator[pa.RecordBatch]:
    """The rows of the filter step's files that stand when this quality's turn has come."""
    cutoffs = Cutoffs(task.inputs)
    by: Quality = task.params["by"]
    own = [COLUMNS[by], *(["language"] if by == "perplexity" else [])]
    columns = list(dict.fromkeys(["id", "reason", "text_bytes", *own, *cutoffs.columns]))
    for number in range(task.params["parts"]):
        path = storage.join(task.inputs["filter"], shards.part_name(number))
        for batch in shards.batches(path, columns, ROWS):
            yield batch.filter(pc.is_null(cutoffs.reasons(batch)))


def goodness(by: Quality, batch: pa.RecordBatch) -> Scores:
    """The quality as a score of which larger is better; NaN where there is none."""
    values = batch[COLUMNS[by]].to_numpy(zero_copy_only=False)
    return np.asarray(1 / values if by == "perplexity" else values, np.float32)


class Cutoffs:
    """The cutoffs of a source, from the folders of those cutoff steps that are among a step's inputs.

    `prefix` is what the names of these inputs begin with, as in "web.reference_cutoff".
    """

    def __init__(self, inputs: Mapping[str, str], prefix: str = "") -> None:
        found = {quality: inputs.get(f"{prefix}{quality}_cutoff") for quality in QUALITIES}
        self.selections = {
            quality: Selection.of_json(storage.read_json(storage.join(folder, CUTOFF)))
            for quality, folder in found.items()
            if folder
        }

    @property
    def columns(self) -> list[str]:
        """The columns of the filter step that `reasons` needs besides `id` and `reason`."""
        needed = [COLUMNS[quality] for quality in self.selections]
        return [*needed, *(["language"] if "perplexity" in self.selections else [])]

    def reasons(self, batch: pa.RecordBatch) -> pa.Array:
        """The filter's reasons, and of documents that have none the first that a quality gives."""
        reasons = batch["reason"]
        for quality, selection in self.selections.items():
            scores, ids = goodness(quality, batch), batch["id"].to_numpy()
            groups = (
                [name or "" for name in batch["language"].to_pylist()] if quality == "perplexity" else [""] * len(ids)
            )
            places = selection.places(scores, ids, groups)
            names = _names(quality, selection, places)
            reasons = pc.coalesce(reasons, pa.array(names, pa.string(), mask=selection.stays(places)))
        return reasons


def _names(quality: Quality, selection: Selection, places: NDArray[np.int8]) -> Sequence[str] | NDArray[np.object_]:
    if selection.keep.buckets:
        return np.array([f"{quality}_{bucket}" for bucket in BUCKETS], object)[places]
    name = reasons_of(quality)[1 if selection.keep.pareto is not None else 0]
    return np.full(len(places), name, object)
