"""The read step: one input file in, its documents with every number measured on them out, in a single pass.

Each part writes `part-NNNNN.parquet`: a row per document that could be read, whatever becomes of it, with `dropped`
naming the reason where reading itself turned it away (its text is then empty). What stays true: a row's place in the
file is its document's place in the input, and read = rows + unreadable.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from corpus import shards, storage
from corpus.documents import DOCUMENT, document_id
from filters import language, rules
from kernels.texts import Texts
from pipeline.near_columns import measure_near, near_fields
from pipeline.steps import Counts, Task
from sources.extract import extract
from sources.jsonl import read_jsonl
from sources.pages import Dropped, Found, OtherRecord, Page, Unreadable
from sources.warc import read_warc

# Large enough to spread what a batch costs, small enough that a batch of long pages stays some tens of MB.
BATCH = 256

# How a signal is kept, by its type.
ARROW_TYPES = {int: pa.int64(), float: pa.float64(), str: pa.string()}


def schema(params: Mapping[str, Any]) -> pa.Schema:
    """A document's columns, then `dropped`, one column per signal and what near-duplicates are found by."""
    fields = [*DOCUMENT, pa.field("dropped", pa.string())]
    for family in rules.measured(params["measuring"]):
        for signal, dtype in family.signals.items():
            fields.append(pa.field(family.column(signal), ARROW_TYPES[dtype]))
    fields += near_fields(params["near"]) if params["near"] else []
    return pa.schema(fields)


def run(task: Task) -> Counts:
    """Read one input file: `part` is {"file": path, "shard": its number}."""
    found = _open(task)
    seen = _Seen(task.part["file"])
    columns = schema(task.params)
    rows = 0
    languages: Counter[str] = Counter()
    with shards.writer(task.file(".parquet"), columns) as out:
        while batch := _next_batch(task, seen.documents(found)):
            table = measure(task, batch, document_id(task.part["shard"], rows))
            with task.stage("write"):
                out.write_table(table)
            rows += len(batch)
            languages.update(table["language"].drop_null().to_pylist())
    return {
        "read": rows + len(seen.unreadable),
        "unreadable": seen.unreadable,
        "other_records": dict(sorted(seen.other.items())),
        "files_without_documents": [] if rows else [seen.describe()],
        "languages": dict(sorted(languages.items())),
        "bytes_in": storage.size(task.part["file"]),
        "bytes_out": storage.size(task.file(".parquet")),
    }


def _open(task: Task) -> Iterator[Found]:
    path, source = task.part["file"], task.params["source"]
    if source["kind"] == "warc":
        return read_warc(path)
    return read_jsonl(path, str(source["text_field"]))


def _next_batch(task: Task, found: Iterator[Page | Dropped]) -> list[Page | Dropped]:
    with task.stage("read"):
        return list(islice(found, BATCH))


class _Seen:
    """Keeps what is no document while the documents pass through."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.unreadable: list[dict[str, Any]] = []
        self.other: Counter[str] = Counter()

    def documents(self, found: Iterator[Found]) -> Iterator[Page | Dropped]:
        for item in found:
            match item:
                case Unreadable(file, offset, cause):
                    self.unreadable.append({"file": file, "offset": offset, "cause": cause})
                case OtherRecord(kind):
                    self.other[kind] += 1
                case _:
                    yield item

    def describe(self) -> dict[str, str]:
        kinds = [f"{count} {kind}" for kind, count in sorted(self.other.items())]
        kinds += [f"{len(self.unreadable)} unreadable"] if self.unreadable else []
        return {"file": self.file, "found": ", ".join(kinds) or "nothing"}


def measure(task: Task, batch: list[Page | Dropped], first_id: int) -> pa.Table:
    """What `schema` says of each document of the batch; their ids count from `first_id`."""
    params = task.params
    with task.stage("language"):
        foreign = _foreign(batch, params)
    with task.stage("extract"):
        texts = ["" if row in foreign else _text(item, params) for row, item in enumerate(batch)]
    dropped = [
        i.reason if isinstance(i, Dropped) else None if t else "no_text" for i, t in zip(batch, texts, strict=True)
    ]
    columns: dict[str, Any] = {
        "id": np.arange(first_id, first_id + len(batch), dtype=np.uint64),
        "url": [item.url for item in batch],
        "date": [item.date for item in batch],
        "source": [params["name"]] * len(batch),
        "language": [None] * len(batch),
        "language_score": [None] * len(batch),
        "dropped": dropped,
    }
    if params["language_model"]:
        with task.stage("language"):
            labels, scores = language.identify(texts, params["language_model"]["path"])
        columns["language"] = [label if text else None for label, text in zip(labels, texts, strict=True)]
        columns["language_score"] = scores
        for row, (label, score) in foreign.items():
            dropped[row], columns["language"][row], scores[row] = "html_language_not_wanted", label, score
    with task.stage("rules"):
        given = Texts.of(texts, columns["language"], columns["url"])
        signals, final = rules.measure(given, rules.measured(params["measuring"]))
    columns |= {"text": final.to_arrow(), **signals}
    if params["near"]:
        with task.stage("minhash"):
            columns |= measure_near(final, params["near"])
    return pa.table(columns, schema=schema(params))


def _foreign(batch: list[Page | Dropped], params: Mapping[str, Any]) -> dict[int, tuple[str, float]]:
    """The rows of HTML pages that are surely in no wanted language, with the language and its score.

    Extraction is most of what a page costs; these are not worth it.
    """
    keep = params["keep_before_extraction"]
    if keep is None:
        return {}
    rows = [row for row, item in enumerate(batch) if isinstance(item, Page) and item.mime == "text/html"]
    pages = [item.body for item in batch if isinstance(item, Page) and item.mime == "text/html"]
    labels, scores = language.identify_html(pages, params["language_model"]["path"])
    found = zip(rows, labels, scores.tolist(), strict=True)
    return {row: (label, score) for row, label, score in found if label not in keep and score >= language.CONFIDENT}


def _text(item: Page | Dropped, params: Mapping[str, Any]) -> str:
    if isinstance(item, Dropped):
        return ""
    return extract(item.body, params["source"]["extractor"]) if item.mime == "text/html" else item.body
