"""The steps that judge each document by itself: learn what references look like, then filter.

    read ──► reference ──► filter

`reference` trains the classifier on a uniform sample of the crawl; `filter` gives every document its first reason, if
any, and notes what it will be compared by. What stays true: only numbers measured by the read step and the text
itself decide here, so another bound costs a scan of columns.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards
from corpus.hashing import keyed
from filters import reference, rules
from kernels import signatures
from kernels.lines import find_units
from kernels.texts import Texts
from pipeline.steps import Counts, Task
from sources.jsonl import read_jsonl
from sources.pages import Page

# Enough pages for a linear model over hashed words, few enough to hold in memory.
REFERENCE_SAMPLE = 20_000


def _reasons_so_far(data: pa.Table, wanted: Mapping[str, Any] | None) -> pa.ChunkedArray:
    """Why each document is dropped before any rule: by the reader or for its language; null where it is not."""
    if wanted is None:
        return data["dropped"]
    kept = pc.is_in(data["language"], value_set=pa.array(wanted["keep"]))
    uncertain = pc.less(data["language_score"], pa.scalar(wanted["min_score"], pa.float32()))
    return _first_reason(data["dropped"], {"language_not_wanted": pc.invert(kept), "language_uncertain": uncertain})


def _first_reason(reasons: pa.ChunkedArray, later: Mapping[str, pa.ChunkedArray]) -> pa.ChunkedArray:
    nothing = pa.scalar(None, pa.string())
    return pc.coalesce(reasons, *(pc.if_else(failed, name, nothing) for name, failed in later.items()))


def learn(task: Task) -> Counts:
    """The reference step: train on the positives against a uniform sample of the pages in the wanted languages."""
    data = shards.read_parts(task.inputs["read"], ["id", "dropped", "language", "language_score"])
    ids = data.filter(pc.is_null(_reasons_so_far(data, task.params["language"])))["id"].to_numpy()
    chosen = pa.array(ids[np.argsort(keyed(ids, "reference", task.params["seed"]), kind="stable")[:REFERENCE_SAMPLE]])
    pages, urls = [], []
    for number in range(task.params["parts"]):
        rows = shards.read_part(task.inputs["read"], number, ["id", "url", "text"])
        rows = rows.filter(pc.is_in(rows["id"], value_set=chosen))
        pages += rows["text"].to_pylist()
        urls += rows["url"].to_pylist()
    found = [item for file in task.params["positives"] for item in read_jsonl(file["file"], "text")]
    positives = [item.body for item in found if isinstance(item, Page)]
    model = reference.train(positives, pages, urls)
    model.save(task.out)
    split = "host" if model.by_host else "text"
    return {"positives": len(positives), "pages": len(pages), "auc": model.auc, "split_by": split}


def judge(task: Task) -> Counts:
    """The filter step, for one part: what is wrong with each document, and what it is compared by.

    Columns: id, reason (null while it stays), failed (a bit for each of the rules in the file's metadata),
    text_bytes, reference_score, and for documents that stay text_hash and line_hashes (0 and null for others).
    """
    data = shards.read_part(task.inputs["read"], task.number)
    families = rules.resolve(task.params["rules"])
    names = rules.rule_names(families)
    verdicts = rules.judge(families, data, len(data), data["language"].to_pylist())
    ruled = rules.reasons(families, verdicts, data)
    reasons = pc.coalesce(_reasons_so_far(data, task.params["language"]), ruled)
    texts = Texts.of(data["text"].combine_chunks())
    columns: dict[str, Any] = {
        "id": data["id"],
        "reason": reasons,
        "failed": verdicts.failed,
        "text_bytes": shards.text_bytes(data["text"]),
    }
    if "reference" in task.inputs:
        model = reference.Model.load(task.inputs["reference"])
        with task.stage("score"):
            columns["reference_score"] = reference.score(model, texts, data["url"].to_pylist())
    with task.stage("hash"):
        columns |= _hashes(data["text"], reasons, task.params)
    # A bit means nothing without the list it counts in, and the recipe decides on that.
    table = pa.table(columns).replace_schema_metadata({"rules": json.dumps(names)})
    shards.write(task.file(".parquet"), table)
    return {"judged": len(data), "rules_failed": _failed_counts(verdicts.failed, names)}


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


def _failed_counts(failed: NDArray[np.uint64], names: list[str]) -> dict[str, int]:
    """How many documents fail each rule, whichever rule gave the reason."""
    counts = {name: int(((failed >> np.uint64(bit)) & np.uint64(1)).sum()) for bit, name in enumerate(names)}
    return {name: count for name, count in counts.items() if count}
