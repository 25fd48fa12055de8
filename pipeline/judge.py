"""The filter step: it gives every document its first reason, if any, and notes what it will be compared by.

What stays true: only numbers measured by earlier steps and the text itself decide here, so another bound costs a scan
of columns.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards, storage
from filters import rules
from filters.classifier import RECORD, Classifier
from filters.family import Family
from filters.rules import Verdicts
from kernels import signatures
from kernels.lines import find_units
from kernels.texts import Texts
from pipeline.steps import Counts, Task
from pipeline.trained import folder_of


def reasons_so_far(data: pa.Table, wanted: Mapping[str, Any] | None) -> pa.ChunkedArray:
    """Why each document is dropped before any rule: by the reader or for its language; null where it is not."""
    if wanted is None:
        return data["dropped"]
    kept = pc.is_in(data["language"], value_set=pa.array(wanted["keep"]))
    uncertain = pc.less(data["language_score"], pa.scalar(wanted["min_score"], pa.float32()))
    return _first_reason(data["dropped"], {"language_not_wanted": pc.invert(kept), "language_uncertain": uncertain})


def _first_reason(reasons: pa.ChunkedArray, later: Mapping[str, pa.ChunkedArray]) -> pa.ChunkedArray:
    nothing = pa.scalar(None, pa.string())
    return pc.coalesce(reasons, *(pc.if_else(failed, name, nothing) for name, failed in later.items()))


def judged(
    data: pa.Table, families: Sequence[Family], wanted: Mapping[str, Any] | None
) -> tuple[Verdicts, pa.ChunkedArray]:
    """What the rules say of documents, and why each is dropped before it is scored: null where it is not.

    Of the columns that the read step leaves it takes `dropped`, the language's and the signals that rules bound.
    """
    verdicts = rules.judge(families, data, len(data), data["language"])
    return verdicts, pc.coalesce(reasons_so_far(data, wanted), rules.reasons(families, verdicts, data))


def judge(task: Task) -> Counts:
    """The filter step, for one part: what is wrong with each document, and what it is compared by.

    Columns: id, reason (null while it stays), failed (a bit for each of the rules in the file's metadata),
    text_bytes, language, perplexity, reference_score where they are scored, and for documents that stay text_hash and
    line_hashes (0 and null for others).
    """
    data = shards.read_part(task.inputs["read"], task.number)
    # What the graph has checked: a list of millions of domains is for whoever measures.
    families = rules.resolve(task.params["rules"], check=False)
    names = rules.rule_names(families)
    verdicts, reasons = judged(data, families, task.params["language"])
    texts = Texts.of(data["text"].combine_chunks(), data["language"].to_pylist(), data["url"].to_pylist())
    columns: dict[str, Any] = {
        "id": data["id"],
        "reason": reasons,
        "failed": verdicts.failed,
        "text_bytes": shards.text_bytes(data["text"]),
    }
    if "perplexity" in task.inputs:
        columns["language"] = data["language"]
        columns["perplexity"] = shards.read_part(task.inputs["perplexity"], task.number)["perplexity"]
    if "reference" in task.inputs or task.params["classifier"]:
        with task.stage("score"):
            columns["reference_score"] = _scores(task, texts)
    with task.stage("hash"):
        columns |= _hashes(data["text"], reasons, task.params)
    # A bit means nothing without the list it counts in, and the recipe decides on that.
    table = pa.table(columns).replace_schema_metadata({"rules": json.dumps(names)})
    shards.write(task.file(".parquet"), table)
    return {"judged": len(data)}


def _scores(task: Task, texts: Texts) -> NDArray[np.float32]:
    """P(reference) of each text."""
    if task.params["classifier"]:
        return Classifier.load(folder_of(task.params["classifier"])).score(texts)
    if not storage.exists(storage.join(task.inputs["reference"], RECORD)):
        # The source has nothing left to be scored, and so nothing was learnt.
        return np.full(len(texts), np.nan, np.float32)
    return Classifier.load(task.inputs["reference"]).score(texts)


def _hashes(texts: pa.ChunkedArray, reasons: pa.ChunkedArray, params: Mapping[str, Any]) -> dict[str, pa.Array]:
    """The columns of hashes; only of documents that stay, since nobody compares the others."""
    stays = np.asarray(pc.is_null(reasons))
    kept = Texts.of(texts.filter(pa.array(stays)).combine_chunks())
    columns: dict[str, pa.Array] = {}
    if params["exact"]:
        hashes = np.zeros((len(texts), 2), np.uint64)
        hashes[stays] = signatures.text_hashes(kept)
        columns["text_hash"] = pa.FixedSizeListArray.from_arrays(hashes.reshape(-1), 2)
    if params["lines"]:
        units = find_units(kept.lines, params["lines"])
        of_lines = pa.LargeListArray.from_arrays(units.first, signatures.unit_hashes(kept, units))
        columns["line_hashes"] = of_lines.take(pa.array(np.cumsum(stays) - 1, mask=~stays))
    return columns
