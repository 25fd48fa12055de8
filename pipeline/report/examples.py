"""The examples step: documents for each drop reason with the passage that caused it, the largest hosts and clusters.

In come what the statistics step left of every input file, the read and documents steps of all sources, because a
duplicate may repeat any source's document, and the input itself. Out come `examples.json`, a list for each reason, and
in the counts `hosts` and `clusters`. What stays true: texts are shortened and never changed, so whoever shows them has
to escape them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards, storage
from dedup import preference
from filters import rules
from filters.family import Family
from filters.passages import excerpt
from pipeline import evidence
from pipeline.differences import shared_passages
from pipeline.evidence import SHOWN, Shown
from pipeline.finished import take
from pipeline.report.statistics import EACH, powers
from pipeline.steps import Counts, Task
from pipeline.verdicts import DIFFERING, VERDICTS

EXAMPLES = "examples.json"
HOSTS = 50
CLUSTERS = 10

Row = Mapping[str, Any]


def gather(task: Task) -> Counts:
    """The examples step, one part."""
    families = rules.as_measured(rules.resolve(task.params["source"]["rules"], check=False), task.params["measuring"])
    chosen = _chosen(task)
    own = _rows(task, (row["id"] for row in chosen))
    repeated = _rows(task, (row["duplicate_of"] for row in chosen if row["duplicate_of"] is not None))
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in chosen:
        other = repeated.get(row["duplicate_of"])
        found[row["reason"]].append(_example(task, families, row, own[row["id"]], other))
    storage.write_json(storage.join(task.out, EXAMPLES), found)
    return {"shown": len(chosen), "hosts": _hosts(task), "clusters": _clusters(task)}


def _parts(task: Task, name: str) -> pa.Table:
    """The rows that the statistics step left under a name, of all input files."""
    folder, files = task.inputs["statistics"], task.params["files"]
    paths = [storage.join(folder, shards.part_name(number, name)) for number in range(len(files))]
    return pa.concat_tables(map(shards.read, paths))


def _chosen(task: Task) -> list[dict[str, Any]]:
    """For every reason the EACH documents of the lowest hashes."""
    rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _parts(task, "examples").sort_by([("reason", "ascending"), ("order", "ascending")]).to_pylist():
        if len(rows[row["reason"]]) < EACH:
            rows[row["reason"]].append(row)
    return [row for of_reason in rows.values() for row in of_reason]


def _rows(task: Task, ids: Iterable[int], columns: list[str] | None = None) -> dict[int, dict[str, Any]]:
    """All columns, or these, of documents by their ids; those of earlier runs are left out."""
    wanted: defaultdict[int, set[int]] = defaultdict(set)
    for number in ids:
        if preference.of_earlier(number) is None:
            wanted[number >> 32].add(number & 0xFFFFFFFF)
    found: dict[int, dict[str, Any]] = {}
    for source in task.params["sources"]:
        for shard in range(source["first_shard"], source["first_shard"] + source["parts"]):
            if shard in wanted:
                number = shard - source["first_shard"]
                path = storage.join(task.inputs[f"{source['name']}.read"], shards.part_name(number))
                table = take(path, np.array(sorted(wanted[shard])), columns)
                found |= {row["id"]: row for row in table.to_pylist()}
    return found


def _example(task: Task, families: Sequence[Family], verdict: Row, row: Row, other: Row | None) -> dict[str, Any]:
    """What is shown of one document."""
    source, file = task.params["source"], task.params["files"][(row["id"] >> 32) - task.params["first_shard"]]
    if verdict["duplicate_of"] is None:
        shown = evidence.explain(source, families, file, {**verdict, **row}, verdict["reason"])
    else:
        shown = _beside(verdict, row, other)
    return {
        "id": row["id"],
        "url": row["url"],
        "text": shown.text,
        "marks": [list(mark) for mark in shown.marks],
        "note": shown.note,
    }


def _beside(verdict: Row, row: Row, other: Row | None) -> Shown:
    """A removed duplicate: what it has in common with the document that it repeats."""
    alike = f", similarity {verdict['similarity']:.3f}" if verdict["similarity"] is not None else ""
    repeats = f"repeats {other['url'] if other else 'a document of an earlier run'}{alike}"
    differing = other is not None and verdict["reason"] in DIFFERING
    spans = shared_passages(row["text"], other["text"]) if other and differing else ()
    text, marks = excerpt(row["text"], spans, SHOWN)
    return Shown(text, marks, repeats)


def _hosts(task: Task) -> list[list[Any]]:
    """[host, documents read, documents kept] of the HOSTS hosts with the most documents."""
    hosts = _parts(task, "hosts").group_by("host").aggregate([("read", "sum"), ("kept", "sum")])
    hosts = hosts.sort_by([("read_sum", "descending"), ("host", "ascending")]).slice(0, HOSTS)
    return [[row["host"], row["read_sum"], row["kept_sum"]] for row in hosts.to_pylist()]


def _clusters(task: Task) -> dict[str, Any]:
    """How many documents are repeated by 1, 2 to 3, 4 to 7 and so on others that were removed, by the lower end; and
    those that most repeat.
    """
    copies = _parts(task, "copies")
    last = pa.array(_last_repeated(task, copies["duplicate_of"].to_numpy()))
    copies = pa.table({"duplicate_of": last, "copies": copies["copies"]})
    copies = copies.group_by("duplicate_of").aggregate([("copies", "sum")])
    counted = pc.value_counts(powers(copies["copies_sum"].to_numpy())).to_pylist()
    sizes = sorted([row["values"], row["counts"]] for row in counted)
    most = copies.sort_by([("copies_sum", "descending"), ("duplicate_of", "ascending")]).slice(0, CLUSTERS).to_pylist()
    urls = _rows(task, (row["duplicate_of"] for row in most), ["id", "url"])
    largest = [
        {"copies": row["copies_sum"], "id": row["duplicate_of"], "url": urls.get(row["duplicate_of"], {}).get("url")}
        for row in most
    ]
    return {"sizes": sizes, "largest": largest}


def _last_repeated(task: Task, ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """For each document the one that it repeats in the end: what repeats a text may itself be a near-duplicate."""
    found = ids
    while len(links := _links(task, np.unique(found))):
        place = np.minimum(np.searchsorted(links[:, 0], found), len(links) - 1)
        found = np.where(links[place, 0] == found, links[place, 1], found)
    return found


def _links(task: Task, ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Rows of id and what that repeats, of those among `ids` (ascending) that were removed as duplicates."""
    links = [np.empty((0, 2), np.uint64)]
    for source in task.params["sources"]:
        first = source["first_shard"]
        for number in range(source["parts"]):
            start, end = np.searchsorted(
                ids, np.array([first + number, first + number + 1], np.uint64) << np.uint64(32)
            )
            if start < end:
                path = storage.join(task.inputs[f"{source['name']}.documents"], shards.part_name(number, VERDICTS))
                table = take(path, (ids[start:end] & np.uint64(0xFFFFFFFF)).astype(np.int64), ["id", "duplicate_of"])
                table = table.filter(pc.is_valid(table["duplicate_of"]))
                links.append(np.column_stack([table[name].to_numpy() for name in ("id", "duplicate_of")]))
    found = np.concatenate(links)
    return found[np.argsort(found[:, 0])]
