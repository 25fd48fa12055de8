"""What a comparison promises: the same pages on both sides, turns, and every ratio there. Never a time."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import dedup_memory, dedup_truth, inputs, mutations, results, timing, workers
from benchmarks.inputs import recipe
from pipeline.graph import steps_of
from sources.pages import Page
from sources.warc import read_warc
from tests.conftest import html, prose, response

ROOT = Path(__file__).parents[2]
needs_datatrove = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("spacy", "warcio", "cchardet", "pylibmagic", "orjson")),
    reason='needs what datatrove needs: pip install "crawlmill[bench]"',
)


def benchmarks(crawl: Path, *arguments: str) -> dict[str, dict[str, dict[str, float]]]:
    """The rows of each table, by its title, after checking that the log has them too."""
    log, numbers = crawl / "log.md", crawl / "numbers.json"
    files = ["--pages", f"{crawl}/[ab].warc.gz", "--log", str(log), "--json", str(numbers), "--repeats", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *files, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(numbers.read_text())
    assert found["versions"]["crawlmill"]
    assert found["machine"] in log.read_text()
    tables = {table["title"]: table["rows"] for table in found["tables"]}
    for title, rows in tables.items():
        assert f"### {title}\n" in log.read_text()
        for row in rows:
            assert f"| {row} |" in log.read_text()
    return tables


def test_every_library_has_its_ratio_and_runs_append(small_crawl: Path) -> None:
    rows = benchmarks(small_crawl, "--part", "libraries")["Plain libraries"]
    assert [name.rsplit(": ", 1)[1] for name in rows] == ["FastWARC, resiliparse", "datasketch", "HF tokenizers"]
    assert all(row["ratio"] > 0 and row["items"] == row["library's items"] >= 30 for row in rows.values())
    assert rows["read and extract: FastWARC, resiliparse"]["items"] == 30
    benchmarks(small_crawl, "--part", "libraries", "--sample", "10")
    assert (small_crawl / "log.md").read_text().count("### Plain libraries") == 2, "no run replaces another"


@needs_datatrove
def test_datatrove_gets_the_same_pages(small_crawl: Path) -> None:
    tables = benchmarks(small_crawl, "--part", "rules", "--part", "end-to-end")
    rules = tables["Rules: Gopher repetition and quality, C4, FineWeb"]
    assert {row["documents"] for row in rules.values()} == {30}
    assert all(row["ratio"] > 0 for row in rules.values())
    ours = rules["crawlmill, all signals"]
    assert ours["kept"] == rules["datatrove, words by str.split"]["kept"] > 0, "the same words give the same verdicts"

    whole = tables["End to end"]
    assert {row["pages"] for row in whole.values()} == {row["documents read"] for row in whole.values()} == {30}
    assert all(row["kept"] > 0 for row in whole.values())
    stages = tables["End to end, by stage"]
    for peer in ("datatrove, Trafilatura", "datatrove, resiliparse"):
        assert whole[peer]["ratio"] > 0
        assert whole[peer]["ratio, all pages"] > 0
        for stage in ("read", "extract", "language", "rules", "write", "all of it"):
            assert stages[stage][f"{peer}: ratio"] > 0, stage
    for name in ("crawlmill", "datatrove, Trafilatura"):
        parts = sum(row.get(name, 0) for stage, row in stages.items() if stage != "all of it")
        assert 0.5 < parts / stages["all of it"][name] <= 1, "the stages are the whole"


@pytest.fixture
def long_crawl(tmp_path: Path) -> Path:
    """Pages long enough to cut windows of."""
    folder = tmp_path / "long"
    folder.mkdir()
    pages = [response(f"https://site.example/{n}", html(text).encode()) for n, text in enumerate(prose(12, 50))]
    (folder / "a.warc.gz").write_bytes(b"".join(pages))
    return folder


@needs_datatrove
def test_deduplication_removes_copies_and_nothing_else_on_both_sides(long_crawl: Path) -> None:
    tables = benchmarks(long_crawl, "--part", "dedup", "--documents", "100")
    signatures = tables["MinHash signatures"]
    assert {row["documents"] for row in signatures.values()} == {100}
    whole = tables["Deduplication"]
    assert {row["documents"] for row in whole.values()} == {100}
    for name, row in whole.items():
        assert row["removed"] == sum(row[kind] for kind in mutations.KINDS)
        assert row["different"] == 0, name
    for name in ("datatrove, its spaCy words", "datatrove, words by str.split"):
        for rows in (signatures, whole):
            assert rows[name]["ratio"] > 0
            assert rows[name]["ratio, all documents"] > 0
    assert whole["crawlmill"]["removed"] == whole["crawlmill, all documents"]["removed"] > 0
    assert len(benchmarks(long_crawl, "--part", "dedup", "--documents", "100", "--full-peers")["Deduplication"]) == 3


def test_the_whole_command_removes_what_is_planted_and_nothing_below_the_threshold(long_crawl: Path) -> None:
    tables = benchmarks(long_crawl, "--part", "dedup-truth", "--documents", "500")
    pairs = tables["Deduplication: planted pairs"]
    assert len(pairs) == 10
    assert all(row["wrongly removed"] == row["wrongly kept"] == 0 for row in pairs.values())
    assert pairs["0.95 to 1.00"]["removed"] == pairs["0.95 to 1.00"]["pairs"] > 0
    assert sum(row["chains"] for row in tables["Deduplication: chains of near copies"].values()) == 1
    precision = tables["Deduplication: precision"]
    assert precision["template"] == {"documents": 50, "removed": 0, "wrongly removed": 0}
    assert precision["all"]["precision"] == 1
    assert precision["all"]["removed"] == precision["pairs"]["removed"] + precision["chains"]["removed"]


def test_a_broken_promise_fails_the_command_after_its_tables(
    monkeypatch: pytest.MonkeyPatch, small_crawl: Path
) -> None:
    table = results.Table("Title", "Note.", {"n": ",d"}, {"row": {"n": 1}}, ["1 pair is gone"])
    monkeypatch.setattr(dedup_truth, "run", lambda _: [table])
    monkeypatch.setattr(command, "one_core", lambda: "not pinned")
    log = small_crawl / "log.md"
    arguments = ["--part", "dedup-truth", "--pages", f"{small_crawl}/a.warc.gz", "--log", str(log)]
    done = CliRunner().invoke(command.main, arguments)
    assert done.exit_code == 1
    assert done.output.endswith("Error: 1 pair is gone\n")
    assert log.read_text().endswith("| row | 1 |\n\nFAILED: 1 pair is gone\n")


def test_no_pages_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="crawlmill crawl-docs --out demo/crawl"):
        inputs.prepare(str(tmp_path / "*.warc.gz"), 10, 1, tmp_path, documents=100, millions=1, full_peers=False)


def test_the_sample_is_every_kth_page_byte_for_byte(small_crawl: Path, tmp_path: Path) -> None:
    made = inputs.prepare(f"{small_crawl}/[ab].warc.gz", 10, 1, tmp_path, documents=100, millions=1, full_peers=False)

    def pages(files: list[str]) -> list[Page]:
        """Wherever in a file they lie."""
        found = [item for file in files for item in read_warc(file)]
        return [replace(item, offset=0) for item in found if isinstance(item, Page)]

    everything = pages(made.files)
    assert made.pages == len(everything) == 30
    assert pages([made.sample]) == everything[::3]
    assert made.sample_pages == 10
    assert pages([made.first]) == everything[:1]


def test_sides_take_turns_after_a_warm_up() -> None:
    calls: list[str] = []
    sides = {name: lambda data, name=name: calls.append(name + data) for name in "AB"}
    rounds = timing.interleave(sides, "!", 3, "?")
    assert calls == ["A?", "B?", "A!", "B!", "A!", "B!", "A!", "B!"]
    assert len(rounds["A"].seconds) == 3, "the warm-up does not count"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no such call")
def test_one_core_is_one_core_and_lets_go_again() -> None:
    program = (
        "import os; from benchmarks import timing; before = os.sched_getaffinity(0); timing.one_core()\n"
        "assert len(os.sched_getaffinity(0)) == 1 and os.environ['OMP_NUM_THREADS'] == '1'\n"
        "with timing.all_cores(): assert os.sched_getaffinity(0) == before\n"
        "assert len(os.sched_getaffinity(0)) == 1"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_bare_processes_do_every_part_once(small_crawl: Path, tmp_path: Path) -> None:
    files = [str(small_crawl / f"{name}.warc.gz") for name in "abc"]
    step, warm_up = steps_of(recipe(files))[0], steps_of(recipe(files[:2]))[0]
    workers.bare_processes(2, step, warm_up, tmp_path)
    made = sorted(path.name for path in (tmp_path / "parts").glob("*.parquet"))
    assert made == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]


def test_a_number_that_is_not_known_is_a_dash() -> None:
    table = results.Table(
        "Title", "Note.", {"n": ",d", "ratio": ".1f"}, {"ours": {"n": 1000}, "theirs": {"ratio": 2.0}}
    )
    assert table.markdown().splitlines()[-2:] == ["| ours | 1,000 | - |", "| theirs | - | 2.0 |"]


def test_made_up_signatures_go_through_all_steps_and_some_of_those_that_meet_go(tmp_path: Path) -> None:
    found = dedup_memory.measure(30_000, tmp_path / "made")
    assert 0.4 * 30_000 < found["candidates"] < 0.6 * 30_000, "a third of all, and what they were made from"
    assert 0.05 * 30_000 < found["verified"] < 0.1 * 30_000
    assert found["bytes"] > 30_000 * 14 * 16
    assert all(found[step]["peak, MB"] > 100 for step in dedup_memory.STEPS)
