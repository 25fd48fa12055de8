"""Positives and pages as tables that examples are chosen from: of JSON lines, of a finished run, of what a list cites.

In come files; out come tables of `SCHEMA`. What stays true: which documents are taken goes by hashes of their ids and
never by where they lie, and no more than `POOL` of a class are held, whatever the size of the crawl.
"""

from collections.abc import Iterable, Iterator, Sequence

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from corpus import shards
from corpus.documents import document_id
from corpus.hashing import keyed
from filters.citations import Cited
from filters.examples import Examples, sites_of
from filters.language import identify
from pipeline.quality_recipe import LEAST_CITED
from pipeline.summary import documents_folder, of_finished, one_source, step_folder
from sources.jsonl import read_jsonl
from sources.pages import Page, Unreadable

SCHEMA = pa.schema([("id", pa.uint64()), ("url", pa.string()), ("language", pa.string()), ("text", pa.large_string())])
# Three times what examples are chosen of at most: some are left out for their host, language or length.
POOL = 60_000
BATCH = 1024
# CCNet's.
LEAST_LANGUAGE_SCORE = 0.5
LANGUAGE_REASONS = ["language_not_wanted", "language_uncertain"]


def of_jsonl(names: Sequence[str]) -> Iterator[pa.Table]:
    """The documents of JSONL files, a batch at a time, with no language yet; ids are those of a run over these files.

    Raises ValueError for a line that is no document and for a damaged file.
    """
    for shard, name in enumerate(names):
        rows: list[tuple[int, str, None, str]] = []
        for row, item in enumerate(read_jsonl(name, "text")):
            if isinstance(item, Unreadable):
                raise ValueError(f"{name} at byte {item.offset:,}: {item.cause}")
            if isinstance(item, Page):
                rows.append((document_id(shard, row), item.url, None, item.body))
            if len(rows) == BATCH:
                yield _table(rows)
                rows = []
        yield _table(rows)


def _table(rows: Sequence[tuple[int, str, None, str]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def of_run(root: str, source: str | None) -> Iterator[pa.Table]:
    """The documents of a finished run's source that neither reading nor their language dropped, a part at a time.

    Raises ValueError for a source that the run does not have, and for none where it has several.
    """
    summary = of_finished(root)
    name = one_source(root, summary, source)
    return _of_steps(documents_folder(root, summary, name), step_folder(root, summary, f"{name}.filter"))


def _of_steps(read: str, judged: str) -> Iterator[pa.Table]:
    # The rows of both are those of the same input file, in its order.
    for number in range(shards.count_parts(read)):
        data = shards.read_part(read, number, [*SCHEMA.names, "dropped"])
        reasons = shards.read_part(judged, number, ["reason"])["reason"]
        turned_away = pc.is_in(reasons, value_set=pa.array(LANGUAGE_REASONS))
        stays = pc.and_(pc.is_null(data["dropped"]), pc.invert(turned_away))
        yield data.filter(stays).select(SCHEMA.names).cast(SCHEMA)


class Pool:
    """Of all documents that are added, those `POOL` whose ids have the smallest hashes."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.seen = 0
        self.tables: list[pa.Table] = [SCHEMA.empty_table()]

    def add(self, table: pa.Table) -> None:
        self.seen += len(table)
        self.tables.append(table)
        if sum(map(len, self.tables)) > 2 * POOL:
            self.tables = [self._smallest()]

    def table(self) -> pa.Table:
        """What was drawn, with the language of each document that had none and whose language is clear."""
        found = self._smallest()
        texts, languages = found["text"].to_pylist(), found["language"].to_pylist()
        rows = [row for row, language in enumerate(languages) if language is None]
        labels, scores = identify([texts[row] for row in rows])
        for row, label, score in zip(rows, labels, scores.tolist(), strict=True):
            languages[row] = label if score >= LEAST_LANGUAGE_SCORE else None
        return found.set_column(SCHEMA.names.index("language"), "language", pa.array(languages, pa.string()))

    def _smallest(self) -> pa.Table:
        found = pa.concat_tables(self.tables)
        hashes = keyed(found["id"].to_numpy(), "examples", self.seed)
        return found.take(np.argsort(hashes, kind="stable")[:POOL])


def drawn(batches: Iterable[pa.Table], seed: int) -> pa.Table:
    """A uniform sample of the documents, at most `POOL`."""
    pool = Pool(seed)
    for batch in batches:
        pool.add(batch)
    return pool.table()


def drawn_by_citation(
    batches: Iterable[pa.Table], lists: Sequence[str], seed: int, least: int = LEAST_CITED
) -> tuple[pa.Table, pa.Table]:
    """Samples of the pages whose URL a list holds, of at least `least` characters, and of those that no list holds.

    Raises ValueError where no page is a positive, naming the lists and an example of either side.
    """
    cited = Cited.load(lists)
    positives, pages = Pool(seed), Pool(seed)
    url, held_but_short = "", 0
    for batch in batches:
        urls = [address or "" for address in batch["url"].to_pylist()]
        url = url or next(filter(None, urls), "")
        held = pa.array(cited.holds(urls))
        long_enough = pc.greater_equal(pc.utf8_length(batch["text"]), least)
        positives.add(batch.filter(pc.and_(held, long_enough)))
        pages.add(batch.filter(pc.invert(held)))
        held_but_short += pc.sum(pc.and_(held, pc.invert(long_enough))).as_py() or 0
    if not positives.seen:
        short = f"; it holds {held_but_short:,} shorter ones" if held_but_short else ""
        raise ValueError(
            f"{', '.join(lists)} cites none of {pages.seen + held_but_short:,} pages with {least:,} "
            f'characters{short}. The list has URLs like "{_first_line(lists[0])}", the pages have URLs like "{url}"'
        )
    return positives.table(), pages.table()


def _first_line(path: str) -> str:
    with fsspec.open(path, "rt", compression="infer", encoding="utf-8") as file:
        return next((line.strip() for line in file if line.strip() and not line.startswith("#")), "")


def held_out(examples: Examples, share: float, seed: int) -> NDArray[np.bool_]:
    """Which examples are not trained on: about `share` of the sites, and all that is on each of them.

    Of a class with few sites it can be all of them or none; training and evaluating then say what is missing.
    """
    return np.asarray(
        keyed(sites_of(examples.texts, examples.split_hosts), "held-out", seed) < np.uint64(int(share * 2**64))
    )
