"""docs/signals.md: every column is in it, and every query in it runs and gives the run's numbers."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from corpus import shards
from filters.rules import FAMILIES
from pipeline.cluster import Cluster
from pipeline.recipe import load
from pipeline.run import run

PAGE = (Path(__file__).parents[2] / "docs/signals.md").read_text()
# "`top_2_gram_ratio` and `_3_`, `_4_`" stands for three columns, "`5_gram` and `_6_` to `_10_`" for six.
FOLDED = re.compile(r"gopher_repetition_(top|duplicate)_\d+_gram_ratio")


@pytest.fixture
def finished(small_recipe: Callable[..., str], tmp_path: Path) -> tuple[str, dict[str, Any]]:
    with Cluster(0) as cluster:
        return str(tmp_path / "run"), run(load(small_recipe()), str(tmp_path / "run"), cluster, lambda _: None).summary


def test_every_signal_has_a_line() -> None:
    columns = {family.column(signal) for family in FAMILIES.values() for signal in family.signals}
    missing = {column for column in columns if f"`{column}`" not in PAGE}
    assert {column for column in missing if not FOLDED.fullmatch(column)} == set()
    assert len(missing) == 7, "of 2 to 4 and 5 to 10 words two have a line, and the others are named in it"


def test_every_column_of_the_files_has_a_line(finished: tuple[str, dict[str, Any]]) -> None:
    root, summary = finished
    for step, file in {
        "read": shards.part_name(0),
        "filter": shards.part_name(0),
        "documents": "verdicts-00000.parquet",
    }.items():
        path = f"{root}/{summary['steps'][f'web.{step}']['folder']}/{file}"
        for column in pq.read_schema(path).names:
            assert f"`{column}`" in PAGE or column.endswith(("_hash", "_hashes")), column


def test_the_queries_give_the_runs_numbers(finished: tuple[str, dict[str, Any]]) -> None:
    root, summary = finished
    queries = [block.replace("RUN/", f"{root}/") for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)]
    reasons, short, hosts, tenths = (duckdb.sql(query).fetchall() for query in queries)
    web = summary["sources"]["web"]
    assert dict(reasons) == {**web["dropped"], "kept": web["kept"]}
    assert hosts
    assert sum(documents for _, documents, _ in hosts) == web["kept"], "there are fewer than ten hosts"
    assert sum(size for _, _, size in hosts) == web["text_bytes"]
    assert {language: count for language, count, _ in tenths if language} == {
        language: count for language, count in web["languages"].items() if language != "de"
    }
    assert short == [(0,)], "every page of prose has more words, and those without enough fail the rules"
    # The classifier keeps all, so what passes the rules is kept or a duplicate.
    passing = web["kept"] + web["dropped"]["exact_duplicate"] + web["dropped"]["near_duplicate"]
    assert duckdb.sql(queries[1].replace("< 100", ">= 100")).fetchall() == [(passing,)]


def test_the_expressions_of_polars_give_them_too(finished: tuple[str, dict[str, Any]]) -> None:
    root, summary = finished
    blocks = [block.replace("RUN/", f"{root}/") for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)]
    reasons, short, joined = (eval(block, {"pl": pl}) for block in blocks)
    web = summary["sources"]["web"]
    assert {reason or "kept": count for reason, count in reasons.rows()} == {**web["dropped"], "kept": web["kept"]}
    read = pl.read_parquet(f"{root}/steps/web.read-*/part-*.parquet")
    assert short.item() == (read["gopher_quality_words"] < 100).sum() > 0
    assert joined.rows() == [("https://other.example/short", 5)]
