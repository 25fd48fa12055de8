import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from corpus import storage
from filters.examples import Examples
from kernels.texts import Texts
from pipeline import example_tables
from pipeline.cluster import Cluster
from pipeline.example_tables import drawn, drawn_by_citation, held_out, of_jsonl, of_run
from pipeline.recipe import load
from pipeline.run import run
from tests.conftest import GERMAN, prose


def write(path: Path, rows: list[dict[str, str]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def pages(count: int, text: str = "A page about nothing in particular, in English. ") -> list[dict[str, str]]:
    return [{"url": f"https://site{n}.example/", "text": f"{text} {n} " * 30} for n in range(count)]


def test_json_lines_become_rows_with_an_id_and_a_language(tmp_path: Path) -> None:
    rows = [{"text": GERMAN, "url": "https://a.example/"}, {"text": " "}, {"text": prose(1)[0], "id": "enwiki:7"}]
    names = [write(tmp_path / "a.jsonl", rows), write(tmp_path / "b.jsonl", [{"text": "1 + 1 = 2"}])]
    table = drawn(of_jsonl(names), seed=0)
    assert table.schema.equals(example_tables.SCHEMA)
    found = {row["id"]: (row["url"], row["language"]) for row in table.to_pylist()}
    assert found == {0: ("https://a.example/", "de"), 2: ("enwiki:7", "en"), 1 << 32: ("", None)}


@pytest.mark.parametrize(
    ("content", "words"), [(b'{"text": 3}\n', 'no "text" with a text'), (b"{\n", "not a JSON line")]
)
def test_a_line_that_is_no_document_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"text": "fine"}\n' + content)
    with pytest.raises(ValueError, match=f"bad.jsonl at byte 17: {words}"):
        list(of_jsonl([str(path)]))


def test_a_pattern_that_matches_nothing_is_named_and_a_file_counts_once(tmp_path: Path) -> None:
    name = write(tmp_path / "a.jsonl", pages(2))
    assert storage.matching([name, f"{tmp_path}/*.jsonl"]) == [name]
    with pytest.raises(ValueError, match=r'no file matches ".*/none-\*.jsonl"'):
        storage.matching([name, f"{tmp_path}/none-*.jsonl"])


def test_the_sample_goes_by_ids_and_not_by_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order of the batches, and however often the pool is cut down on the way."""
    monkeypatch.setattr(example_tables, "POOL", 40)
    rows = pa.table(
        {"id": np.arange(500, dtype=np.uint64), "url": [""] * 500, "language": ["en"] * 500, "text": ["text"] * 500}
    ).cast(example_tables.SCHEMA)
    found = drawn([rows], seed=1)["id"].to_pylist()
    assert len(set(found)) == 40
    assert max(found) > 400
    assert min(found) < 100
    small = [rows.slice(start, 30) for start in range(0, 500, 30)]
    assert drawn(reversed(small), seed=1)["id"].to_pylist() == found
    assert drawn(small, seed=2)["id"].to_pylist() != found


def test_cited_pages_of_a_thousand_characters_are_the_positives(tmp_path: Path) -> None:
    rows = pages(6)
    rows[2]["text"] = "cited, and a stub"
    cited = tmp_path / "cited.txt"
    cited.write_text("".join(f"https://site{n}.example/\n" for n in (1, 2, 4, 77)))
    names = [write(tmp_path / "pages.jsonl", rows)]
    positives, others = drawn_by_citation(of_jsonl(names), [str(cited)], seed=0)
    assert sorted(positives["id"].to_pylist()) == [1, 4]
    assert sorted(others["id"].to_pylist()) == [0, 3, 5], "a cited stub is no page to tell positives from"


def test_a_list_that_cites_no_page_is_named_with_what_was_looked_up(tmp_path: Path) -> None:
    cited = tmp_path / "cited.txt"
    cited.write_text("# by hand\nhttps://elsewhere.example/a\nhttps://site1.example/\n")
    rows = pages(3)
    rows[1]["text"] = "too short"
    names = [write(tmp_path / "pages.jsonl", rows)]
    with pytest.raises(ValueError, match="cites none of 3 pages") as refused:
        drawn_by_citation(of_jsonl(names), [str(cited)], seed=0)
    for word in ("cited.txt", "1 shorter", "https://elsewhere.example/a", "https://site0.example/"):
        assert word in str(refused.value)


RECIPE = """
name: two
sources:
  web: {{kind: warc, paths: {crawl}/*.warc.gz, language: {{keep: [en], min_score: 0.5}}, rules: [counts]}}
  reference: {{kind: jsonl, paths: {crawl}/reference.jsonl.gz}}
"""


def test_a_run_gives_what_reading_and_language_left(small_crawl: Path, tmp_path: Path) -> None:
    recipe, root = tmp_path / "two.yaml", str(tmp_path / "run")
    recipe.write_text(RECIPE.format(crawl=small_crawl))
    with Cluster(0) as cluster:
        run(load(str(recipe), []), root, cluster, lambda _: None, lambda _: None)
    found = drawn(of_run(root, "web"), seed=0)
    urls = found["url"].to_pylist()
    # 30 pages of the crawl; the copies and the short page stay, since neither reading nor language dropped them.
    assert sum(".example/" in url and url.startswith("https://site") for url in urls) == 30
    assert {url for url in urls if not url.startswith("https://site")} == {
        "https://copy.example/exact",
        "https://copy.example/near",
        "https://other.example/short",
    }
    assert set(found["language"].to_pylist()) == {"en"}
    with pytest.raises(ValueError, match="has several sources; name one with --source: reference, web"):
        of_run(root, None)
    with pytest.raises(ValueError, match="has no source 'wbe'; name one with --source: reference, web"):
        of_run(root, "wbe")


def examples(urls: list[str | None], texts: list[str], labels: list[int]) -> Examples:
    n = len(urls)
    given = Texts.of(texts, ["en"] * n, urls)
    return Examples(given, np.array(labels, np.int8), np.zeros(n, np.int64), {}, ("en.wikipedia.org",))


def test_a_site_is_on_one_side_and_an_encyclopedia_is_taken_apart_by_text() -> None:
    articles = [f"article {n}" for n in range(400)]
    web = [f"https://site{n % 50}.example/{n}" for n in range(400)]
    given = examples(
        [*(f"https://en.wikipedia.org/wiki/{n}" for n in range(400)), *web],
        [*articles, *(f"page {n}" for n in range(400))],
        [1] * 400 + [0] * 400,
    )
    apart = held_out(given, 0.3, seed=0)
    for site in range(50):
        assert len(set(apart[400 + site :: 50].tolist())) == 1
    assert 0.2 < apart[:400].mean() < 0.4
    assert 0.1 < apart[400:].mean() < 0.5
    assert (held_out(given, 0.3, seed=1) != apart).any()
