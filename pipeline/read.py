"""The read step: one input file in, its documents with every number measured on them out, in a single pass.

Each part writes `part-NNNNN.parquet`: a row per document that could be read, whatever becomes of it, with `dropped`
naming the reason where reading itself turned it away (its text is then empty). What stays true: a row's place in the
file is its document's place in the input, and read = rows + unreadable.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    """A document's columns, then `dropped`, where in the input file its record starts, one column per signal and what
    near-duplicates are found by.
    """
    fields = [*DOCUMENT, pa.field("dropped", pa.string()), pa.field("offset", pa.int64())]
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
    rows = size = 0
    languages: Counter[str] = Counter()
    with shards.writer(task.file(".parquet"), columns) as out:
        while batch := _next_batch(task, seen.documents(found)):
            table = documents(task, batch, document_id(task.part["shard"], rows))
            with task.stage("write"):
                out.write_table(table)
            rows += len(batch)
            languages.update(table["language"].drop_null().to_pylist())
            size += pc.sum(shards.text_bytes(table["text"])).as_py() or 0
    return {
        "read": rows + len(seen.unreadable),
        "files": [{"file": task.part["file"], "documents": rows, "unreadable": len(seen.unreadable)}],
        "text_bytes": size,
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


def documents(task: Task, batch: list[Page | Dropped], first_id: int) -> pa.Table:
    """What `schema` says of each document of the batch; their ids count from `first_id`."""
    with task.stage("language"):
        foreign = _foreign(batch, task.params["before_extraction"])
    with task.stage("extract"):
        texts = ["" if row in foreign else _text(item, task.params) for row, item in enumerate(batch)]
    dropped = [
        i.reason if isinstance(i, Dropped) else None if t else "no_text" for i, t in zip(batch, texts, strict=True)
    ]
    for row in foreign:
        dropped[row] = "html_language_not_wanted"
    columns: dict[str, Any] = {
        "id": np.arange(first_id, first_id + len(batch), dtype=np.uint64),
        "url": [item.url for item in batch],
        "date": [item.date for item in batch],
        "source": [task.params["name"]] * len(batch),
        "dropped": dropped,
        "offset": [item.offset for item in batch],
    }
    known = [foreign.get(row) for row in range(len(batch))]
    return pa.table(columns | measure(task, texts, columns["url"], known), schema=schema(task.params))


# What is known of a document's language without its text.
Known = Sequence[tuple[str, float] | None]


def measure(task: Task, texts: Sequence[str] | pa.Array, urls: Sequence[str], known: Known) -> dict[str, Any]:
    """The columns of `schema` that follow from the texts: themselves, as the rules leave them, and every number."""
    params = task.params
    columns: dict[str, Any] = {"language": [found and found[0] for found in known]}
    columns["language_score"] = [found and found[1] for found in known]
    if params["language_model"]:
        with task.stage("language"):
            columns |= _identified(texts, params["language_model"], known)
    with task.stage("rules"):
        given = Texts.of(texts, columns["language"], urls)
        signals, final = rules.measure(given, rules.measured(params["measuring"]))
    columns |= {"text": final.to_arrow(), **signals}
    if params["near"]:
        with task.stage("minhash"):
            columns |= measure_near(final, params["near"])
    return columns


def _identified(texts: Sequence[str] | pa.Array, model: Mapping[str, Any], known: Known) -> dict[str, Any]:
    strings = texts.to_pylist() if isinstance(texts, pa.Array) else list(texts)
    labels, scores = language.identify(strings, model["path"], model["characters"])
    found: list[str | None] = [label if text else None for label, text in zip(labels, strings, strict=True)]
    for row, told in enumerate(known):
        if told:
            found[row], scores[row] = told
    return {"language": found, "language_score": scores}


def _foreign(batch: list[Page | Dropped], wanted: Mapping[str, Any] | None) -> dict[int, tuple[str, float]]:
    """The rows of HTML pages that are surely in no wanted language, with the language and its score.

    Extraction is most of what a page costs; these are not worth it.
    """
    if wanted is None:
        return {}
    rows = [row for row, item in enumerate(batch) if isinstance(item, Page) and item.mime == "text/html"]
    pages = [item.body for item in batch if isinstance(item, Page) and item.mime == "text/html"]
    labels, scores = language.identify_html(pages, wanted["model"]["path"])
    found = zip(rows, labels, scores.tolist(), strict=True)
    sure = language.CONFIDENT
    return {row: (label, score) for row, label, score in found if label not in wanted["keep"] and score >= sure}


def _text(item: Page | Dropped, params: Mapping[str, Any]) -> str:
    if isinstance(item, Dropped):
        return ""
    return extract(item.body, params["source"]["extractor"]) if item.mime == "text/html" else item.body
