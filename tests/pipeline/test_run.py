"""The main job on a small crawl whose every page's fate is known, and on the real pages where they are."""

import hashlib
import json
import os
import pkgutil
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from corpus.strict import RecipeError
from pipeline import cli, steps
from pipeline.cluster import Cluster
from pipeline.console import warnings
from pipeline.recipe import load
from pipeline.run import Result, run
from sources.extract import extract
from tests.conftest import FORKS


def go(recipe: str, root: Path | str, *overrides: str, workers: int = 0) -> Result:
    with Cluster(workers) as cluster:
        return run(load(recipe, overrides), str(root), cluster, lambda _: None)


def digests(root: Path, *endings: str) -> dict[str, str]:
    """sha256 of every file of the steps with one of these endings, by its place in the run's folder."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((root / "steps").rglob("*"))
        if path.is_file() and path.name.endswith(endings)
    }


DATA = (".parquet", ".bin", ".idx", "manifest.json", "tokenizer.json", "mixture.json", "step.json", ".f64")
DATA += (".hashes", ".copies", ".keys", ".edges", ".members", ".documents", ".shingles", ".near", ".tally", ".repeated")


def names(ran: list[steps.Step]) -> list[str]:
    return [step.name for step in ran]


def test_every_planted_page_meets_its_fate_and_the_sums_agree(
    small_recipe: Callable[..., str], planted: dict[str, int], tmp_path: Path
) -> None:
    summary = go(small_recipe(), tmp_path / "run").summary
    web = summary["sources"]["web"]
    assert web["dropped"] == planted
    assert [(Path(u["file"]).name, u["offset"] > 0, bool(u["cause"])) for u in web["unreadable"]] == [
        ("c.warc.gz", True, True)
    ]
    assert web["read"] == web["kept"] + sum(web["dropped"].values()) + 1 == 38
    kept = pq.read_table(next((tmp_path / "run/steps").glob("web.documents-*/part-00002.parquet")))
    assert len(kept) == 0, "the third shard holds nothing but planted pages"
    assert json.loads((tmp_path / "run/summary.json").read_text()) == json.loads(json.dumps(summary))


def test_a_second_run_does_nothing(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    recipe = small_recipe()
    first = go(recipe, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run/steps").rglob("*")}
    second = go(recipe, tmp_path / "run")
    assert names(first.ran) == names(first.steps)
    assert second.ran == []
    assert second.summary == first.summary
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "run/steps").rglob("*")} == before


@pytest.mark.parametrize(
    ("deleted", "again"),
    [
        ("tokens", ["tokens"]),
        (
            "web.verify",
            [
                *("web.verify", "web.tally", "web.repeated", "web.documents", "web.statistics", "web.examples"),
                "reference.examples",
                *("tokenizer", "web.tokenize", "reference.tokenize", "mixture", "tokens"),
            ],
        ),
        ("reference.tokenize", ["reference.tokenize", "mixture", "tokens"]),
    ],
)
def test_deleting_a_steps_output_redoes_it_and_what_depends_on_it(
    deleted: str, again: list[str], small_recipe: Callable[..., str], tmp_path: Path
) -> None:
    recipe, root = small_recipe(), tmp_path / "run"
    go(recipe, root)
    before = digests(root, *DATA)
    shutil.rmtree(next((root / "steps").glob(f"{deleted}-*")))
    assert names(go(recipe, root).ran) == again
    assert digests(root, *DATA) == before


def test_a_single_lost_file_is_noticed(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    recipe, root = small_recipe(), tmp_path / "run"
    go(recipe, root)
    next((root / "steps").glob("tokens-*/web-00001.bin")).unlink()
    assert names(go(recipe, root).ran) == ["tokens"]


def test_another_bound_redoes_the_filter_and_not_the_reading(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    recipe, root = small_recipe(), tmp_path / "run"
    go(recipe, root)
    result = go(recipe, root, "sources.web.rules=[{gopher_quality: {min_words: 3}}]")
    assert "web.read" not in names(result.ran)
    assert "web.reference" not in names(result.ran)
    assert names(result.ran)[0] == "web.filter"
    assert "gopher_too_few_words" not in result.summary["sources"]["web"]["dropped"]


def test_surely_foreign_pages_are_not_extracted(
    small_recipe: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extracted: list[str] = []

    def spy(html: str, extractor: str) -> str:
        extracted.append(html)
        return extract(html, extractor)

    monkeypatch.setattr("pipeline.read.extract", spy)
    go(small_recipe(), tmp_path / "run")
    assert extracted
    assert not any("Die Maschine" in html for html in extracted)
    table = pq.read_table(next((tmp_path / "run/steps").glob("web.read-*/part-00002.parquet")))
    (row,) = [r for r in table.to_pylist() if r["dropped"] == "html_language_not_wanted"]
    assert (row["url"], row["text"], row["language"]) == ("https://other.example/german", "", "de")
    assert 0.8 <= row["language_score"] <= 1


def test_without_the_look_before_extraction_the_filter_drops_them_and_reading_knows_no_wanted_language(
    small_recipe: Callable[..., str], planted: dict[str, int], tmp_path: Path
) -> None:
    recipe, root, off = small_recipe(), tmp_path / "run", "sources.web.language.before_extraction=false"
    found = go(recipe, root, off).summary["sources"]["web"]
    planted["language_not_wanted"] = planted.pop("html_language_not_wanted")
    assert found["dropped"] == planted
    assert found["read"] == found["kept"] + sum(found["dropped"].values()) + len(found["unreadable"])
    again = go(recipe, root, off, "sources.web.language.keep=[en, de]")
    assert "web.read" not in names(again.ran)
    assert "language_not_wanted" not in again.summary["sources"]["web"]["dropped"]


def test_with_it_other_wanted_languages_redo_reading_and_their_order_does_not(
    small_recipe: Callable[..., str], tmp_path: Path
) -> None:
    recipe, root = small_recipe(), tmp_path / "run"
    go(recipe, root)
    wider = go(recipe, root, "sources.web.language.keep=[en, de]")
    assert "web.read" in names(wider.ran)
    assert "html_language_not_wanted" not in wider.summary["sources"]["web"]["dropped"]
    assert "web.read" not in names(go(recipe, root, "sources.web.language.keep=[de, en]").ran)


def test_any_number_of_workers_gives_the_same_bytes(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    recipe = small_recipe()
    for workers in (0, 1, 2):
        go(recipe, tmp_path / f"run{workers}", "tokens.also=[llm.c, text]", workers=workers)
    alone = digests(tmp_path / "run0", *DATA)
    assert len(alone) > 40
    assert digests(tmp_path / "run1", *DATA) == alone
    assert digests(tmp_path / "run2", *DATA) == alone


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Ray cluster whose workers start in another folder and without crawlmill on their path."""
    (tmp_path / "elsewhere").mkdir()
    # Ray asks for a token by default, and both sides take it from the same file.
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        "--block",
        "--include-dashboard",
        "false",
    ]
    command += ["--port", str(port), "--num-cpus", "1", "--disable-usage-stats"]
    with open(tmp_path / "ray.log", "wb") as log:
        cluster = subprocess.Popen(command, cwd=tmp_path / "elsewhere", stdout=log, stderr=log, start_new_session=True)
    while b"Ray runtime started" not in (tmp_path / "ray.log").read_bytes():
        assert cluster.poll() is None, (tmp_path / "ray.log").read_text()
        time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    os.killpg(cluster.pid, signal.SIGKILL)
    cluster.wait()


def test_a_cluster_gives_the_same_bytes_and_relative_paths_mean_the_same(
    elsewhere: str, small_recipe: Callable[..., str], small_crawl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_crawl.parent)
    overrides = ["sources.web.paths=crawl/*.warc.gz", "sources.web.reference.positives.paths=crawl/reference.jsonl.gz"]
    recipe = load(small_recipe(), ("sources.reference.paths=crawl/reference.jsonl.gz", *overrides))
    with Cluster(0, elsewhere) as cluster:
        run(recipe, "on-ray", cluster, lambda _: None)
    with Cluster(0) as cluster:
        run(recipe, "here", cluster, lambda _: None)
    assert digests(Path("on-ray"), *DATA) == digests(Path("here"), *DATA)


def command(*arguments: str) -> None:
    sys.argv = ["crawlmill", *arguments]
    cli.main()


def test_a_killed_run_continues_to_the_same_bytes(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    recipe, root = small_recipe(), tmp_path / "killed"
    go(recipe, tmp_path / "whole")
    kills = 0

    def progress() -> int:
        return sum(path.suffix == ".json" for path in (root / "steps").rglob("*"))

    # Kill it again and again, each time as soon as it has got one file further.
    for _ in range(12):
        there = progress()
        process = FORKS.Process(target=command, args=("run", recipe, "--workers", "0", "--out", str(root)))
        process.start()
        while process.is_alive() and progress() < there + 5:
            time.sleep(0.005)
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    assert kills >= 3
    go(recipe, root)
    assert digests(root, *DATA) == digests(tmp_path / "whole", *DATA)
    assert not list(root.rglob("*.tmp-*"))


def test_a_run_in_object_storage(small_recipe: Callable[..., str], planted: dict[str, int]) -> None:
    summary = go(small_recipe(), "memory://bucket/run").summary
    assert summary["sources"]["web"]["dropped"] == planted
    assert go(small_recipe(), "memory://bucket/run").ran == []


def test_a_second_run_in_the_same_folder_is_refused_while_the_first_is_at_work(
    small_recipe: Callable[..., str], planted: dict[str, int], tmp_path: Path
) -> None:
    recipe, root = small_recipe(), tmp_path / "run"
    refused = []

    def start_another(progress: steps.Progress) -> None:
        if not refused:
            with pytest.raises(RecipeError, match="another run is at work in") as error:
                go(recipe, root)
            refused.append(error)

    with Cluster(0) as cluster:
        result = run(load(recipe), str(root), cluster, start_another)
    assert refused
    assert result.summary["sources"]["web"]["dropped"] == planted
    assert go(recipe, root).ran == [], "the folder is free again"


@pytest.mark.parametrize("nothing", ["", '{"text": "Zu kurz."}\n'])
def test_a_source_of_which_nothing_stays_is_said_and_stops_nothing(nothing: str, tmp_path: Path) -> None:
    (tmp_path / "nothing.jsonl").write_text(nothing)
    (tmp_path / "one.jsonl").write_text('{"text": "one lonely text"}\n')
    (tmp_path / "recipe.yaml").write_text(f"""
name: nothing
sources:
  gone:
    kind: jsonl
    paths: {tmp_path}/nothing.jsonl
    language: {{keep: [en]}}
    rules: [gopher_quality, gopher_repetition, c4, fineweb]
    reference: {{positives: {{kind: jsonl, paths: {tmp_path}/one.jsonl}}, keep: 0.5}}
    dedup: {{exact: true, lines: true, minhash: {{}}}}
  one: {{kind: jsonl, paths: {tmp_path}/one.jsonl}}
mixture: {{tokens: 100, weights: {{gone: 1, one: 1}}, validation: 0, missing: report}}
tokens: {{tokenizer: {{train: 300}}}}
""")
    summary = go(str(tmp_path / "recipe.yaml"), tmp_path / "run").summary
    assert summary["sources"]["gone"]["kept"] == summary["mixture"]["gone"]["tokens"] == 0
    assert summary["mixture"]["gone"]["missing_tokens"] == 50
    assert summary["mixture"]["one"]["epochs"] == 4
    assert any("nothing to learn from" in warning for warning in warnings(summary))


def read_megatron(folder: Path, file: str) -> list[np.ndarray[Any, Any]]:
    """Documents of a shard of 16-bit ids by the published .idx layout alone."""
    idx = (folder / file).with_suffix(".idx").read_bytes()
    assert idx[:9] == b"MMIDIDX\0\0"
    assert int.from_bytes(idx[9:17], "little") == 1
    count = int.from_bytes(idx[18:26], "little")
    lengths = np.frombuffer(idx, "<i4", count, 34)
    pointers = np.frombuffer(idx, "<i8", count, 34 + 4 * count)
    data = (folder / file).read_bytes()
    return [np.frombuffer(data, "<u2", n, p) for n, p in zip(lengths, pointers, strict=True)]


def test_token_shards_hold_the_kept_texts_and_one_eos_each(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    root = tmp_path / "run"
    go(small_recipe(), root, "mixture.tokens=1_000_000")
    tokens = root / "tokens"
    tokenizer = Tokenizer.from_file(str(next((root / "steps").glob("tokenizer-*/tokenizer.json"))))
    tokenizer.encode_special_tokens = True
    manifest = json.loads((tokens / "manifest.json").read_text())
    for source in ("web", "reference"):
        paths = sorted((root / "steps").glob(f"{source}.documents-*/part-*.parquet"))
        texts = [text for path in paths for text in pq.read_table(path)["text"].to_pylist()]
        wanted = {(*tokenizer.encode(text).ids, manifest["eos_id"]) for text in texts}
        uses: dict[str, Counter[tuple[int, ...]]] = {"train": Counter(), "validation": Counter()}
        for shard in manifest["shards"]:
            if shard["source"] == source:
                uses[shard["split"]].update(tuple(d.tolist()) for d in read_megatron(tokens, shard["file"]))
        assert uses["train"].keys() | uses["validation"].keys() == wanted, "every kept text is there, and nothing else"
        assert set(uses["train"].values()) == {4}, "the cap is four epochs, whole"
        assert set(uses["validation"].values()) == {1}
        assert all(ids.count(manifest["eos_id"]) == 1 for ids in wanted)


def test_held_out_documents_are_in_no_training_shard(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    go(small_recipe(), tmp_path / "run")
    tokens = tmp_path / "run/tokens"
    manifest = json.loads((tokens / "manifest.json").read_text())
    split: dict[str, set[bytes]] = {"train": set(), "validation": set()}
    for shard in manifest["shards"]:
        split[shard["split"]] |= {d.tobytes() for d in read_megatron(tokens, shard["file"])}
    assert split["validation"]
    assert not split["train"] & split["validation"]


def test_odd_and_broken_files_never_stop_a_run_and_none_is_silently_empty(shared_data: Path, tmp_path: Path) -> None:
    recipe = str(Path(__file__).parents[2] / "recipes/pages.yaml")
    wikipedia = f"{shared_data}/reference/wikitext2_valid_test.jsonl.gz"
    paths = [
        f"sources.web.paths=[{shared_data}/warc/*, {shared_data}/warc-bad/*]",
        f"sources.wikipedia.paths={wikipedia}",
        f"sources.web.reference.positives.paths={wikipedia}",
    ]
    small = ("proxy=null", "tokens.tokenizer.train=1000", "mixture.missing=report")
    summary = go(recipe, tmp_path / "run", *paths, *small).summary
    found = summary["sources"]["web"]
    assert found["read"] == found["kept"] + sum(found["dropped"].values()) + len(found["unreadable"])
    assert all(u["cause"] and u["offset"] >= 0 for u in found["unreadable"])
    read = next((tmp_path / "run/steps").glob("web.read-*"))
    files = len(list((shared_data / "warc").iterdir())) + len(list((shared_data / "warc-bad").iterdir()))
    parts = [json.loads(path.read_text())["counts"] for path in sorted(read.glob("part-*.json"))]
    assert len(parts) == files
    assert all(part["read"] or part["files_without_documents"] for part in parts)


def test_all_kernels_are_compiled_before_the_first_task(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    """A worker that compiled for itself would do so silently, and every worker anew."""
    kernels = [
        value
        for module in pkgutil.iter_modules(import_module("kernels").__path__)
        for value in vars(import_module(f"kernels.{module.name}")).values()
        if hasattr(value, "signatures")
    ]

    def compiled() -> dict[str, int]:
        return {f"{kernel.__module__}.{kernel.__name__}": len(kernel.signatures) for kernel in kernels}

    before: list[dict[str, int]] = []
    with Cluster(0) as cluster:
        run(load(small_recipe()), str(tmp_path / "run"), cluster, lambda _: before.append(compiled()))
    assert before[0] == compiled()
    assert sum(before[0].values()) > 0


def test_a_filter_of_datatroves_in_a_recipe(
    small_recipe: Callable[..., str], planted: dict[str, int], tmp_path: Path
) -> None:
    """It finds the page that our rule finds, under its own name and reason, and what it says is kept with the page."""
    root = tmp_path / "run"
    result = go(small_recipe(), root, "sources.web.rules=[{datatrove.GopherQualityFilter: {min_doc_words: 30}}]")
    reason = "datatrove.GopherQualityFilter.gopher_short_doc"
    planted[reason] = planted.pop("gopher_too_few_words")
    assert result.summary["sources"]["web"]["dropped"] == planted
    [folder] = (root / "steps").glob("web.read-*")
    column = "datatrove.GopherQualityFilter_reason"
    said = [row for part in sorted(folder.glob("*.parquet")) for row in pq.read_table(part)[column].to_pylist()]
    assert said.count("gopher_short_doc") >= 1
    assert "" in said
