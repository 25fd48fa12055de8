"""Perplexity and likeness to references as reasons to drop a document: scored by itself, judged against the crawl.

    read ─► perplexity ─┐
      └─► (reference) ──┴─► filter ─► perplexity_cutoff ─► reference_cutoff ─► wherever documents stand

A cutoff step looks at those that nothing before has turned away, and leaves `cutoff.json`, a few numbers. What stays
true: scores are kept for what is dropped too, and another rule about them scores nothing again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

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
    keep = Keep.model_validate(task.params["keep"])
    found = cut(by, keep, task.params["seed"], lambda: _standing(task))
    storage.write_json(storage.join(task.out, CUTOFF), found.selection.as_json())
    return {"cutoff": found.shown, "unscored": found.unscored}


@dataclass(frozen=True)
class Cut:
    """Where a rule cuts: the `selection` it makes, for each group its cuts as people know them, and how many documents
    that stand are `unscored`.
    """

    selection: Selection
    shown: Mapping[str, Sequence[float]]
    unscored: int


def cut(by: Quality, keep: Keep, seed: int, standing: Callable[[], Iterable[pa.RecordBatch]]) -> Cut:
    """Where the rule cuts among the documents that stand when this quality's turn has come, in the order of ids.

    `standing` gives them, as often as it is called, with the columns id, text_bytes and the quality's own.
    """
    groups, unscored = _seen(by, standing())

    def scored() -> Scored:
        for batch in standing():
            scores = goodness(by, batch)
            known = ~np.isnan(scores)
            group = pc.index_in(_groups(by, batch), value_set=pa.array(groups, pa.string())).to_numpy(
                zero_copy_only=False
            )
            sizes, ids = batch["text_bytes"].to_numpy()[known], batch["id"].to_numpy()[known]
            yield scores[known], sizes, ids, group[known].astype(np.int64)

    found = select(scored, _of_goodness(by, keep), seed, groups)
    shown = {group: [_shown(by, end.score) for end in ends] for group, ends in found.cutoffs.items()}
    return Cut(found, shown, unscored)


def _groups(by: Quality, batch: pa.RecordBatch) -> pa.Array:
    """The group that each document is compared in: its language, "" for none, or "" for all where scores of different
    languages can be compared.
    """
    return batch["language"].fill_null("") if by == "perplexity" else pa.repeat("", len(batch))


def _of_goodness(by: Quality, keep: Keep) -> Keep:
    """The rule with its threshold, if any, as `goodness` has it."""
    if by == "reference" or keep.threshold is None:
        return keep
    return keep.model_copy(update={"threshold": 1 / keep.threshold})


def _shown(by: Quality, score: float) -> float:
    """A cut as people know it."""
    return score if by == "reference" else 1 / score


def _seen(by: Quality, standing: Iterable[pa.RecordBatch]) -> tuple[list[str], int]:
    """The groups of documents that stand and have a score, and how many have none."""
    groups: set[str] = set()
    unscored = 0
    for batch in standing:
        known = ~np.isnan(goodness(by, batch))
        unscored += len(batch) - int(known.sum())
        groups |= set(pc.unique(_groups(by, batch).filter(pa.array(known))).to_pylist())
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

    @classmethod
    def of(cls, selections: Mapping[Quality, Selection]) -> Self:
        """Cutoffs that no step has left."""
        found = cls({})
        found.selections |= selections
        return found

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
            places = selection.places(scores, ids, _groups(quality, batch).to_pylist())
            names = _names(quality, selection, places)
            reasons = pc.coalesce(reasons, pa.array(names, pa.string(), mask=selection.stays(places)))
        return reasons


def _names(quality: Quality, selection: Selection, places: NDArray[np.int8]) -> Sequence[str] | NDArray[np.object_]:
    if selection.keep.buckets:
        return np.array([f"{quality}_{bucket}" for bucket in BUCKETS], object)[places]
    name = reasons_of(quality)[1 if selection.keep.pareto is not None else 0]
    return np.full(len(places), name, object)
