"""The statistics step: what the report shows of a source that no other step has counted, and a sample of it.

In come a part's documents with their signals, the filter's reasons and the final verdicts. Out come counts; and in
files, because they are rows and no sums: `part-NNNNN.parquet`, a uniform sample with every signal;
`examples-NNNNN.parquet`, a few documents for each reason; `hosts-` and `copies-NNNNN.parquet`. What stays true: what is
sampled goes by hashes of ids, so that it is the same documents on every run, and all of them where they are few.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards, storage
from corpus.hashing import keyed
from filters import rules
from pipeline.judge import reasons_so_far
from pipeline.steps import Counts, Task
from pipeline.verdicts import KEPT, REASONS, VERDICTS

# Documents of a source that the report carries, with all their signals.
SAMPLE = 5000
# Documents that are shown for each reason.
EACH = 10
# Of one input file; a crawl's file has some ten thousand.
HOSTS = 500
_HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>\[[^\]/?#]*\]|[^/?#:]+)"


def count(task: Task) -> Counts:
    """The statistics step, for one part."""
    families = rules.resolve(task.params["rules"], check=False)
    signals = [family.column(signal) for family in families for signal in family.signals]
    columns = ["id", "url", "date", "language", "language_score", "dropped", *signals]
    data = shards.read_part(task.inputs["read"], task.number, columns)
    scores = ["text_bytes", *task.params["scores"]]
    filtered = shards.read_part(task.inputs["filter"], task.number, ["reason", "failed", *scores])
    verdicts = shards.read(storage.join(task.inputs["documents"], shards.part_name(task.number, VERDICTS)))
    before = reasons_so_far(data, task.params["language"])
    data = data.append_column("before", before).append_column("reason", verdicts["reason"])
    for name in scores:
        data = data.append_column(name, filtered[name])
    order = keyed(data["id"].to_numpy(), "report", task.params["seed"])
    shards.write(task.file(".parquet"), _sample(data.drop_columns(["url", "date", "dropped"]), order, task))
    _write(task, "examples", _examples(verdicts, data.select(scores[1:]), order))
    _write(task, "hosts", _hosts(data))
    _write(task, "copies", _copies(verdicts))
    reached = np.asarray(pc.is_null(before))
    names = rules.rule_names(families)
    return {
        "counted": len(data),
        "reached_rules": int(reached.sum()),
        **_rules(filtered["failed"].to_numpy()[reached], filtered["reason"].filter(pa.array(reached)), names),
        "lengths": _by(powers(filtered["text_bytes"].to_numpy()), verdicts),
        "days": _by(data["date"].cast(pa.date32()).cast(pa.string()).fill_null("unknown"), verdicts),
    }


def _write(task: Task, name: str, table: pa.Table) -> None:
    shards.write(storage.join(task.out, shards.part_name(task.number, name)), table)


def _rules(failed: NDArray[np.uint64], reasons: pa.ChunkedArray, names: Sequence[str]) -> dict[str, Any]:
    """Of documents that came as far as the rules: what each rule drops by itself (`alone`), in the recipe's order
    (`first`) and after all others (`last`); and how many documents fail two of them.
    """
    fails = [rules.fails(failed, bit) for bit in range(len(names))]
    first = dict.fromkeys(names, 0)
    for row in pc.value_counts(reasons.drop_null()).to_pylist():
        rule = rules.rule_of(row["values"], names)
        assert rule is not None, row
        first[rule] += row["counts"]
    found, overlap = {}, {}
    for bit, name in enumerate(names):
        last = int((failed == np.uint64(1 << bit)).sum())
        found[name] = {"alone": int(fails[bit].sum()), "first": first[name], "last": last}
        both = {other: int((fails[bit] & fails[n]).sum()) for n, other in enumerate(names)}
        overlap[name] = {other: number for other, number in both.items() if number}
    return {"rules": found, "overlap": overlap}


def _by(groups: pa.Array | pa.ChunkedArray, verdicts: pa.Table) -> dict[str, dict[str, int]]:
    """How many documents were `read` and how many `kept`, by group."""
    kept = groups.filter(pc.is_null(verdicts["reason"]))
    counted = {"read": pc.value_counts(groups), "kept": pc.value_counts(kept)}
    return {name: {str(row["values"]): row["counts"] for row in counts.to_pylist()} for name, counts in counted.items()}


def powers(sizes: NDArray[np.int64]) -> pa.Array:
    """The largest power of two that is no larger, and 0 for 0."""
    powers = np.left_shift(1, np.frexp(np.maximum(sizes, 1))[1].astype(np.int64) - 1)
    return pa.array(np.where(sizes > 0, powers, 0))


def _sample(data: pa.Table, order: NDArray[np.uint64], task: Task) -> pa.Table:
    """The documents of the lowest hashes; as many as a file of this size surely has among the lowest of all."""
    read = storage.read_json(storage.join(task.inputs["read"], "step.json"))["counts"]
    most = 64 + 2 * SAMPLE * len(data) // max(1, read["read"] if "read" in read else read["measured"])
    rows = np.sort(np.argsort(order, kind="stable")[:most])
    return data.append_column("order", pa.array(order)).take(rows)


def sample(folder: str, documents: Sequence[int]) -> pa.Table:
    """The uniform sample of a source, in the order of ids, from the folder of its statistics step; `documents` is how
    many each input file has.

    A file gives its lowest hashes up to a number. Where it has more, nothing is known of it above the last of these, so
    no document of any file counts above the lowest of these ends.
    """
    parts = [shards.read_part(folder, number) for number in range(len(documents))]
    cut = [part for part, there in zip(parts, documents, strict=True) if len(part) < there]
    end = min((pc.max(part["order"]).as_py() for part in cut), default=(1 << 64) - 1)
    found = pa.concat_tables(parts)
    found = found.filter(pc.less_equal(found["order"], pa.scalar(end, pa.uint64()))).sort_by("order").slice(0, SAMPLE)
    return found.sort_by("id").drop_columns("order")


def _examples(verdicts: pa.Table, scores: pa.Table, order: NDArray[np.uint64]) -> pa.Table:
    """EACH documents for every reason, and as many that are kept: those of the lowest hashes."""
    named = verdicts.append_column("order", pa.array(order))
    for name in scores.column_names:
        named = named.append_column(name, scores[name])
    named = named.set_column(1, "reason", pc.fill_null(named["reason"], KEPT)).sort_by("order")
    place = np.zeros(len(named), np.int64)
    codes = named["reason"].combine_chunks().dictionary_encode().indices.to_numpy()
    for code in np.unique(codes):
        place[codes == code] = np.arange((codes == code).sum())
    return named.filter(pa.array(place < EACH))


def _hosts(data: pa.Table) -> pa.Table:
    """host, read, kept: the HOSTS hosts of most documents in this file."""
    hosts = pc.struct_field(pc.extract_regex(data["url"], _HOST), "host")
    table = pa.table({"host": pc.utf8_lower(hosts), "kept": pc.is_null(data["reason"]).cast(pa.int64())})
    counted = table.filter(pc.is_valid(table["host"])).group_by("host").aggregate([("kept", "count"), ("kept", "sum")])
    counted = counted.rename_columns(["host", "read", "kept"])
    return counted.sort_by([("read", "descending"), ("host", "ascending")]).slice(0, HOSTS)


def _copies(verdicts: pa.Table) -> pa.Table:
    """duplicate_of, copies: how many documents of this file were removed for each document that they repeat."""
    gone = verdicts.filter(pc.is_in(verdicts["reason"], value_set=pa.array(list(REASONS.values()))))
    return gone.group_by("duplicate_of").aggregate([("id", "count")]).rename_columns(["duplicate_of", "copies"])
