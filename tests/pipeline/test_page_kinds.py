"""What likeness to an encyclopedia says of real pages whose kind people have noted: measured, and what is not claimed.

The Web Content Extraction Benchmark notes a page's kind; two other sets are made of articles of newspapers and
magazines only.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from filters.classifier import train
from filters.evaluation import Scored, bands, evaluate
from filters.examples import choose
from kernels.texts import Texts
from pipeline.example_tables import SCHEMA, drawn, of_jsonl
from sources.extract import extract
from sources.pages import Page
from sources.warc import read_warc

# Of these two sets every page is an article of the press.
PRESS = ("scrapinghub/article-extraction-benchmark", "rundimeco/waddle")
PRODUCT_FORUM_SERVICE = ("product", "forum", "service")


def rows_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def index(shared_data: Path) -> list[dict[str, Any]]:
    return rows_of(shared_data / "pages/index.jsonl.gz")


@pytest.fixture(scope="module")
def crawl(shared_data: Path, index: list[dict[str, Any]]) -> pa.Table:
    """Every development page in English, extracted."""
    english = {row["url"] for row in index if row["lang_guess"] == "en"}
    found = [item for path in sorted((shared_data / "pages").glob("*.warc.gz")) for item in read_warc(str(path))]
    pages = [item for item in found if isinstance(item, Page) and item.url in english]
    texts = [extract(page.body, "resiliparse") if page.mime == "text/html" else page.body for page in pages]
    columns = [np.arange(len(pages), dtype=np.uint64), [page.url for page in pages], [None] * len(pages), texts]
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
    return drawn([table], seed=0)


@pytest.fixture(scope="module")
def kinds(shared_data: Path, index: list[dict[str, Any]], crawl: pa.Table) -> dict[int, str]:
    """The kind of each English page with human ground truth, by id, where it is known."""

    truth = rows_of(shared_data / "pages/ground_truth.jsonl.gz")
    human = {row["id"] for row in truth if row["kind"] == "human"}
    of_url = {
        row["url"]: "press" if row["source"] in PRESS else row["page_type"] for row in index if row["id"] in human
    }
    found = zip(crawl["id"].to_pylist(), crawl["url"].to_pylist(), crawl["text"].to_pylist(), strict=True)
    return {number: kind for number, url, text in found if text and (kind := of_url.get(url))}


@pytest.fixture(scope="module")
def scored(shared_data: Path, crawl: pa.Table) -> tuple[NDArray[np.float32], Texts]:
    """Likeness to Wikipedia of every page, by the fold that has seen neither the page nor its site."""
    wikipedia = drawn(of_jsonl([str(shared_data / "reference/wikipedia.jsonl.gz")]), seed=0)
    model = train(choose(wikipedia, crawl, seed=0))
    texts = Texts.of(crawl["text"].combine_chunks(), crawl["language"].to_pylist(), crawl["url"].to_pylist())
    return model.score(texts), texts


def test_articles_of_the_press_stand_above_shops_forums_and_services(
    crawl: pa.Table, kinds: dict[int, str], scored: tuple[NDArray[np.float32], Texts]
) -> None:
    scores, texts = scored
    rows = [row for row, number in enumerate(crawl["id"].to_pylist()) if number in kinds]
    kind = np.array([kinds[crawl["id"][row].as_py()] for row in rows])
    ours, lengths = scores[rows], np.diff(texts.offsets)[rows]
    order = np.argsort(np.argsort(ours, kind="stable"))
    percentile = {name: float(100 * order[kind == name].mean() / len(rows)) for name in np.unique(kind).tolist()}
    for name in PRODUCT_FORUM_SERVICE:
        assert percentile["press"] > percentile[name] + 10, percentile
    # Of articles of any kind, how-to pages and company blogs too, this holds only where lengths are equal.
    for name, area, at_one_length in (("press", 0.7, 0.7), ("article", 0.5, 0.7)):
        taken = np.isin(kind, [name, *PRODUCT_FORUM_SERVICE])
        n = int(taken.sum())
        # Next to all of these pages are sites of their own.
        hosts = np.arange(n, dtype=np.uint64)
        labels = (kind[taken] == name).astype(int)
        figures = evaluate(Scored.of(ours[taken], labels, lengths[taken], ["en"] * n, hosts))
        assert figures["auc_interval"][0] > area, figures["auc_interval"]
        assert figures["length"]["matched"]["auc"] > at_one_length


def test_the_bands_of_the_crawl_hold_the_kinds_in_that_order(
    crawl: pa.Table, kinds: dict[int, str], scored: tuple[NDArray[np.float32], Texts]
) -> None:
    """What the report shows: of pages with a kind, the best fifth is of the press rather than of shops and services."""
    ids = np.array(sorted(kinds), np.uint64)
    place = {number: row for row, number in enumerate(crawl["id"].to_pylist())}
    scores = scored[0][[place[number] for number in ids.tolist()]]
    found = bands(scores, ids, n=len(ids), bands=5)
    of_kind = [[kinds[number] for number in band.best] for band in found]
    press, poor = (
        [sum(kind in names for kind in band) for band in of_kind] for names in (["press"], ["product", "service"])
    )
    assert press[0] > 3 * press[4]
    assert poor[4] > 3 * poor[0]
