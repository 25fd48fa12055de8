"""`crawlmill scaling` from texts to a page: four tiny sizes, each trained to three lengths, in this process."""

import csv
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from corpus.strict import RecipeError
from mixtures.repetition import effective
from mixtures.scaling_law import Points, ScalingLaw
from mixtures.scaling_plan import Family, PlannedRun
from pipeline.cli import main
from pipeline.scaling import study as scaling
from pipeline.scaling.command import scaling_group

RECIPE = """
name: sizes
sources:
  web: {{kind: jsonl, paths: {folder}/web.jsonl}}
  books: {{kind: jsonl, paths: {books}}}
mixture: {{tokens: 20_000, weights: {{web: 1, books: 1}}, validation: 0.25, missing: report}}
tokens: {{tokenizer: {{train: 300}}}}
scaling:
  flops: 1e15
  target_flops: [1e12]
  mixture: {{web: 1, books: 3}}
  draws: 40
  measured_tokens: 500
  training: {{context: 16, batch: 4, warmup: 0.001, optimizer: {{learning_rate: 1e-2}}}}
"""
STEPS = (16, 32, 120)
SHAPES = ((1, 32), (2, 32), (1, 64), (1, 96))


def small_plan(budget: float, family: Family, step_tokens: int, ratios: list[float]) -> list[PlannedRun]:
    """Sizes and lengths that take seconds; the real plan has no such small ones, and has its own tests."""
    runs = []
    for layers, width in SHAPES:
        size, horizons = family.parameters(layers, width), tuple(steps * step_tokens for steps in STEPS)
        runs.append(PlannedRun(layers, width, size, horizons, 1e9 * size))
    return runs


def made_up(points: Points, law: ScalingLaw, draws: int, seed: int) -> list[ScalingLaw]:
    """Resampling takes its time, and has its own tests."""
    rng = np.random.default_rng(seed)
    return [replace(law, E=law.E * (1 + each)) for each in rng.normal(0, 0.01, draws)]


@pytest.fixture(scope="module", autouse=True)
def small_sizes() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.scaling.study.scaling_plan.plan", small_plan)
        patch.setattr("pipeline.scaling.analysis.scaling_law.bootstrap", made_up)
        yield


def go(*words: str) -> None:
    scaling_group.main(list(words), standalone_mode=False)


@pytest.fixture(scope="module")
def recipe(three_sources: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    # So few that the longest runs repeat them.
    books = (three_sources / "books.jsonl").read_text().splitlines(keepends=True)[:12]
    (path.parent / "books.jsonl").write_text("".join(books))
    path.write_text(RECIPE.format(folder=three_sources, books=path.parent / "books.jsonl"))
    return str(path)


@pytest.fixture(scope="module")
def done(recipe: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    go("fit", recipe, "--workers", "0", "--out", str(out))
    return out


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "scaling/runs.jsonl").read_text().splitlines()]


def test_there_is_a_line_for_each_size_and_length_with_what_repeated_tokens_are_worth(done: Path) -> None:
    found = lines(done)
    assert [(line["name"], line["steps"]) for line in found] == [(f"{a} x {b}", s) for a, b in SHAPES for s in STEPS]
    shares = json.loads((done / "scaling/law.json").read_text())["config"]["shares"]
    assert shares == {"web": 0.25, "books": 0.75}
    for line in found:
        assert line["tokens"] == line["steps"] * 4 * 16
        worth = sum(float(effective(line["tokens"] * share, tokens_of(done, s))) for s, share in shares.items())
        assert line["effective_tokens"] == pytest.approx(worth)
        assert line["loss"] == pytest.approx(line["losses"]["web"] / 4 + line["losses"]["books"] * 3 / 4)
        if line["unique"] is None:
            assert worth == pytest.approx(line["tokens"])
        else:
            # To the unit that it is rounded to.
            assert float(effective(line["tokens"], line["unique"])) == pytest.approx(worth, rel=1e-3)
    assert [line["steps"] for line in found if line["unique"] is not None] == [STEPS[-1]] * len(SHAPES)
    longest = [line["loss"] for line in found if line["steps"] == STEPS[-1]]
    assert all(line["loss"] > least for line, least in zip(found[::3], longest, strict=True))


def tokens_of(out: Path, source: str) -> int:
    (manifest,) = (out / "steps").glob("pool-*/manifest.json")
    shards = json.loads(manifest.read_text())["shards"]
    return sum(shard["tokens"] for shard in shards if shard["source"] == source and shard["split"] == "train")


def test_the_law_is_left_with_its_page_and_said(done: Path, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    law = json.loads((done / "scaling/law.json").read_text())
    assert law["unit"] == "bits per byte"
    assert law["config"]["weights"] == law["config"]["shares"] == {"web": 0.25, "books": 0.75}
    assert len(law["points"]) == 12
    assert law["law"]["draws"] == 40
    assert law["allocations"][0]["flops"] == 1e12
    assert (done / "scaling/report.html").read_text().startswith("<!doctype html>")
    before = (done / "scaling/law.json").read_bytes(), (done / "scaling/report.html").read_bytes()
    go("fit", recipe, "--workers", "0", "--out", str(done))
    said = capsys.readouterr().out
    assert "4 of 4 trials were done before" in said
    assert "The best size and tokens" in said
    assert "points repeat tokens" in said
    assert before == ((done / "scaling/law.json").read_bytes(), (done / "scaling/report.html").read_bytes())


def test_a_run_that_was_killed_goes_on_with_what_is_missing_and_comes_to_the_same(
    done: Path, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    whole = (tmp_path / "scaling/runs.jsonl").read_bytes()
    shutil.rmtree(tmp_path / "scaling")
    first, *kept = sorted((tmp_path / "steps").glob("scaling-*/step.json"))
    shutil.rmtree(first.parent)
    times = {path: path.stat().st_mtime_ns for path in kept}
    capsys.readouterr()
    go("run", recipe, "--workers", "0", "--out", str(tmp_path))
    assert capsys.readouterr().out.count(" parameters  seed 0") == 1
    assert (tmp_path / "scaling/runs.jsonl").read_bytes() == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == times


def test_the_plan_shows_sizes_costs_and_times_of_runs_that_are_done(
    done: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    go("plan", recipe, "--workers", "0", "--out", str(done))
    said = capsys.readouterr().out
    assert "1 x 96" in said
    assert "by the runs that are done" in said
    assert "of books" in said
    go("plan", recipe, "--workers", "0", "--out", str(done), "--set", "seed=1", "--set", "scaling.draws=40")
    assert "by the runs that are done" not in capsys.readouterr().out


def test_a_budget_that_is_too_small_is_refused_with_its_key(
    done: Path, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_few(*_: Any) -> list[PlannedRun]:
        raise ValueError("1 FLOPs are too few for a law")

    monkeypatch.setattr("pipeline.scaling.study.scaling_plan.plan", too_few)
    with pytest.raises(RecipeError, match=r"scaling\.flops: 1 FLOPs are too few"):
        go("plan", recipe, "--workers", "0", "--out", str(done))


def test_tokens_as_of_one_source_are_worth_the_same() -> None:
    assert scaling.as_one_source(1000, 1000.0) is None
    unique = scaling.as_one_source(100_000, float(effective(60_000, 5_000)) + 40_000)
    assert unique is not None
    assert float(effective(100_000, unique)) == pytest.approx(float(effective(60_000, 5_000)) + 40_000, rel=1e-4)


LAW = ScalingLaw(1.69, 406.4, 0.34, 410.7, 0.28)


def points_file(folder: Path, sizes: tuple[float, ...] = (1e7, 3e7, 1e8, 3e8)) -> str:
    path = folder / "points.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["parameters", "tokens", "loss"])
        # Losses without any noise would take the fit a hundred times as long.
        rng = np.random.default_rng(0)
        losses = {(n, d): float(LAW.predict(n, d)) * (1 + 1e-4 * rng.normal()) for n in sizes for d in (2e8, 1e9, 5e9)}
        rows.writerows([n, d, loss] for (n, d), loss in losses.items())
    return str(path)


def test_runs_from_anywhere_are_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    go(
        "fit",
        "--points",
        points_file(tmp_path),
        "--target-flops",
        "1e21",
        "--draws",
        "60",
        "--out",
        str(tmp_path / "law"),
    )
    found = json.loads((tmp_path / "law/law.json").read_text())
    for name, value in asdict(LAW).items():
        if name in ("E", "alpha", "beta"):
            assert found["law"][name]["value"] == pytest.approx(value, rel=0.1)
    assert found["config"]["points"].endswith("points.csv")
    assert found["law"]["draws"] == 60
    assert (tmp_path / "law/report.html").exists()
    assert "1e21" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit"], "give one of the two"),
        (["fit", "recipe.yaml", "--points", "x.csv"], "give one of the two"),
        (["fit", "--points", "x.csv"], "--points needs --out"),
        (["fit", "--points", "x.csv", "--out", "y", "--set", "seed=1"], "--set and --address are for RECIPE"),
        (["fit", "recipe.yaml", "--target-flops", "1e18"], "--target-flops and --draws are for --points"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        go(*words)


def test_points_that_span_too_little_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"points\.csv: sizes span 3\.00 times"):
        go("fit", "--points", points_file(tmp_path, (1e7, 2e7, 3e7)), "--out", str(tmp_path / "law"))
    assert not (tmp_path / "law").exists()


def test_a_cell_that_is_no_number_is_refused_by_its_line_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "points.csv"
    path.write_text("parameters,tokens,loss\n1e7,2e8,many\n")
    monkeypatch.setattr(
        "sys.argv", ["crawlmill", "scaling", "fit", "--points", str(path), "--out", str(tmp_path / "law")]
    )
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert capsys.readouterr().err == f'error: {path}, line 2: loss "many" is no number; write it as 70000000 or 7e7\n'
    with pytest.raises(RecipeError, match=r"none\.csv cannot be read"):
        go("fit", "--points", str(tmp_path / "none.csv"), "--out", str(tmp_path / "law"))
    assert not (tmp_path / "law").exists()
