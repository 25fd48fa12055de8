"""Lines taken out before anything is measured, as CCNet does: planted ones go, and all that follows sees the rest."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.cluster import Cluster
from pipeline.recipe import load
from pipeline.run import Result, run
from tests.conftest import GERMAN, prose

MENU = "Home | Über uns | Impressum | Datenschutz | Kontakt | Alle Rechte vorbehalten und noch vieles mehr"
_LINES = Counter(line for text in prose(46) for line in text.split("\n") if line)
TEXTS = [text for text in prose(46) if all(_LINES[line] == 1 for line in text.split("\n") if line)][:40]


def words(text: str) -> int:
    """As Gopher counts them: what is more than symbols."""
    return sum(any(map(str.isalnum, word)) for word in text.split())


# A quarter of the texts are shorter, without the menu.
LEAST = sorted(map(words, TEXTS))[10]
Go = Callable[..., Result]


@pytest.fixture
def go(tmp_path: Path) -> Go:
    """Runs over 40 English texts between the lines of a German menu, and three others; into tmp_path/NAME."""
    texts = [f"{MENU}\n{text}\n{MENU.upper()}" for text in TEXTS]
    # Nothing but menu; a German text; a page that shares no line and is as short as it was.
    texts += [f"{MENU}\n{MENU}\nOnly this.", GERMAN, "A short one of its own."]
    rows = [{"text": text, "url": f"https://site.example/{n}"} for n, text in enumerate(texts)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows[:20])) + "\n")
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows[20:])) + "\n")

    def start(name: str, *overrides: str, workers: int = 0) -> Result:
        recipe = tmp_path / f"{name}.yaml"
        recipe.write_text(
            f"name: lines\nsources:\n  web: {{kind: jsonl, paths: '{tmp_path}/*.jsonl', "
            f"language: {{keep: [en], min_score: 0.3}}, rules: [{{gopher_quality: {{min_words: {LEAST}}}}}], "
            "dedup: {lines: {first: true}}}\n"
        )
        with Cluster(workers) as cluster:
            return run(load(str(recipe), overrides), str(tmp_path / name), cluster, lambda _: None, lambda _: None)

    return start


def kept(root: Path) -> list[str]:
    [folder] = root.glob("steps/web.documents-*")
    return [text for file in sorted(folder.glob("part-*.parquet")) for text in pq.read_table(file)["text"].to_pylist()]


def test_repeated_lines_go_before_language_and_rules(go: Go, tmp_path: Path) -> None:
    source = go("run").summary["sources"]["web"]
    long = [text for text in TEXTS if words(text) >= LEAST]
    assert source["dropped"] == {
        "gopher_too_few_words": 40 - len(long) + 1,
        "language_not_wanted": 1,
        "repeated_lines": 1,
    }
    assert kept(tmp_path / "run") == long
    assert source["read"] == 43
    assert source["repeated_units"] == 2 * 40 + 2


def test_each_stage_says_what_it_left(go: Go) -> None:
    source = go("run").summary["sources"]["web"]
    funnel = {row["stage"]: row for row in source["funnel"]}
    assert list(funnel) == ["reading", "repeated lines", "language", "gopher_quality"]
    assert [row["documents"] for row in funnel.values()] == [43, 42, 41, source["kept"]]
    menu = len(MENU.encode()) + len("\n")
    lost = funnel["reading"]["text_bytes"] - funnel["repeated lines"]["text_bytes"]
    # Of the page that is nothing but menu, what is left goes too.
    assert lost == 82 * menu + len("Only this.")
    assert funnel["gopher_quality"]["text_bytes"] == source["text_bytes"]


def test_the_first_copy_stays_where_the_recipe_says_so(go: Go, tmp_path: Path) -> None:
    go("run", "sources.web.dedup.lines={first: true, keep: first}", "sources.web.rules=[]")
    assert sum(MENU in text for text in kept(tmp_path / "run")) == 1


def test_rows_are_those_of_the_input(go: Go, tmp_path: Path) -> None:
    go("run")
    [folder] = (tmp_path / "run").glob("steps/web.measure-*")
    table = pq.read_table(folder / "part-00001.parquet")
    assert table["id"].to_pylist() == [(1 << 32) + row for row in range(23)]
    assert table["url"].to_pylist() == [f"https://site.example/{20 + row}" for row in range(23)]
    assert table["dropped"].to_pylist() == [None] * 20 + ["repeated_lines", None, None]


def test_a_changed_rule_reads_and_counts_no_line_again(go: Go) -> None:
    go("run")
    again = go("run", "sources.web.rules=[{gopher_quality: {min_words: 2}}]")
    assert [step.name for step in again.ran] == ["web.filter", "web.documents", "web.statistics", "web.examples"]


def test_lines_last_measures_the_whole_text(go: Go) -> None:
    last = go("run", "sources.web.dedup.lines=true").summary["sources"]["web"]
    assert [row["stage"] for row in last["funnel"]] == ["reading", "language", "gopher_quality", "repeated lines"]
    assert last["funnel"][-1]["text_bytes"] == last["text_bytes"]
    # The menu made up for missing words when the rule looked.
    assert (
        last["dropped"].get("gopher_too_few_words", 0)
        < go("first").summary["sources"]["web"]["dropped"]["gopher_too_few_words"]
    )
