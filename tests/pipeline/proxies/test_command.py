"""`crawlmill proxies` as a user runs it: from a recipe to a verdict, its files, and what a killed run goes on with."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from mixtures import plan
from pipeline.cli import cli, main
from pipeline.recipe import Recipe
from tests.pipeline.conftest import SOURCES

PROXIES = """
proxies:
  trials: 3
  training: {model: {layers: 1, width: 32, context: 16}, steps: 2, batch: 4}
  verify: {seeds: 3}
  measured_tokens: 500
"""


@pytest.fixture
def recipe(three_sources: Path, tmp_path: Path) -> Path:
    (tmp_path / "questions.jsonl").write_text(
        "\n".join(
            json.dumps({"query": f"the river {n}", "choices": ["stone", "snow"], "gold": n % 2}) for n in range(9)
        )
    )
    path = tmp_path / "recipe.yaml"
    sources = [f"  {name}: {{kind: jsonl, paths: {three_sources}/{name}.jsonl}}" for name in SOURCES]
    mixture = "mixture: {tokens: 20_000, temperature: 1, validation: 0.1}"
    tokens = "tokens: {tokenizer: {train: 300}, shard_tokens: 20_000}"
    asked = f"  targets: {{asked: {{kind: choices, paths: {tmp_path}/questions.jsonl}}}}"
    path.write_text("\n".join(["name: tried", "sources:", *sources, mixture, tokens]) + PROXIES + asked + "\n")
    return path


def crawlmill(*args: str | Path) -> Result:
    return CliRunner().invoke(cli, ["proxies", *map(str, args), "--workers", "0"], catch_exceptions=False)


def test_from_a_recipe_to_a_verdict(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    found = crawlmill("verify", recipe, "--out", run)
    assert found.exit_code == 0, found.output
    folder = run / "proxies"
    result = json.loads((folder / "result.json").read_text())
    lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    # 3 references, of which natural is the recipe's own, and 3 random ones; then at two sizes with three seeds chosen,
    # the references and, where it is none of these, the best observed.
    first, rest = lines[:6], lines[6:]
    assert {line["seed"] for line in first} == {0}
    assert {line["seed"] for line in rest} == {1, 2, 3}
    verified = {line["name"] for line in rest}
    assert (
        {"chosen", "natural", "uniform", "temperature"}
        <= verified
        <= {line["name"] for line in lines} | {"best observed"}
    )
    assert len(rest) == 2 * 3 * len(verified)
    assert set(first[0]["losses"]) == {*SOURCES, "asked"}
    assert first[0]["answers"]["asked"]["items"] == 9
    assert sum(result["chosen"]["shares"].values()) == pytest.approx(1)
    for source, share in result["chosen"]["shares"].items():
        low, high = result["chosen"]["intervals"][source]
        assert low <= share <= high
        assert share <= result["caps"][source] + 1e-9
    weights = yaml.safe_load((folder / "mixture.yaml").read_text())["mixture"]["weights"]
    assert weights == {source: pytest.approx(share, abs=1e-6) for source, share in result["chosen"]["shares"].items()}
    said = result["verdict"]["words"]
    assert f"Verdict: {said}." in found.output
    accepted, not_accepted = ("better than natural",), ("no better than natural", "worse than natural")
    assert said.startswith(accepted if result["verdict"]["accepted"] else not_accepted)
    page = (folder / "report.html").read_text()
    assert "Mixture by proxy runs" in page
    assert "rank mixtures poorly" in found.output, "models of 0.02 M parameters are no proof"


def test_each_command_does_what_is_missing_and_again_there_is_nothing_to_do(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    proposed = crawlmill("propose", recipe, "--out", run)
    assert "6 mixtures" in proposed.output
    assert not list((run / "steps").glob("trial-*"))
    crawlmill("run", recipe, "--out", run)
    trials = {path: path.stat().st_mtime_ns for path in (run / "steps").glob("trial-*/step.json")}
    assert len(trials) == 6
    assert json.loads((run / "proxies/result.json").read_text())["laws"] is None
    fitted = crawlmill("fit", recipe, "--out", run)
    assert "6 of 6 trials were done before" in fitted.output
    assert {path: path.stat().st_mtime_ns for path in trials} == trials
    before = {path.name: path.read_bytes() for path in (run / "proxies").glob("*")}
    assert crawlmill("fit", recipe, "--out", run).exit_code == 0
    assert {path.name: path.read_bytes() for path in (run / "proxies").glob("*")} == before


def test_the_chosen_weights_make_the_chosen_mixture_of_a_recipe_with_a_temperature(
    recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    crawlmill("fit", recipe, "--out", run)
    chosen = json.loads((run / "proxies/result.json").read_text())["chosen"]["shares"]
    given = yaml.safe_load((run / "proxies/mixture.yaml").read_text())
    told = yaml.safe_load(recipe.read_text())
    assert told["mixture"]["temperature"] == 1
    told["mixture"] = given["mixture"]
    asked = plan.wanted(dict.fromkeys(SOURCES, 1000), Recipe.model_validate(told).mixture)
    assert {source: tokens / 20_000 for source, tokens in asked.items()} == pytest.approx(chosen)


def test_a_later_run_takes_nothing_back(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    crawlmill("verify", recipe, "--out", run)
    before = {path.name: path.read_bytes() for path in (run / "proxies").glob("*")}
    for command in ("run", "fit", "verify"):
        assert crawlmill(command, recipe, "--out", run).exit_code == 0
        assert {path.name: path.read_bytes() for path in (run / "proxies").glob("*")} == before, command
    # Another recipe's trials say nothing of this one's verdict.
    crawlmill("run", recipe, "--out", run, "--set", "proxies.training.steps=3", "--set", "proxies.weights={web: 1}")
    changed = json.loads((run / "proxies/result.json").read_text())
    assert changed["verdict"] is None
    assert changed["laws"].keys() == {"web"}, "what counts nothing needs no law"


def test_trials_that_blow_up_are_no_data_and_what_was_paid_for_is_kept(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    wild = ["--set", "proxies.training.optimizer.learning_rate=30"]
    with pytest.raises(
        ValueError, match=r"of 6 trials diverged \(.*natural.*\), and \d are too few for 3 sources: lower"
    ):
        crawlmill("fit", recipe, "--out", run, *wild)
    lines = [json.loads(line) for line in (run / "proxies/trials.jsonl").read_text().splitlines()]
    said = [line["diverged"] for line in lines if line["diverged"]]
    assert len(said) > 1
    assert any("nats a token, and guessing among 300 ids has 5.7" in words for words in said), said
    assert not (run / "proxies/mixture.yaml").exists()


def test_a_run_that_is_killed_goes_on_and_gives_the_same_lines(recipe: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "proxies", "run", str(recipe), "--workers", "0", "--out"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    running = subprocess.Popen([*command, str(killed)], env=environment, stdout=subprocess.DEVNULL)
    while running.poll() is None and len(list((killed / "steps").glob("trial-*/step.json"))) < 2:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    done = len(list((killed / "steps").glob("trial-*/step.json")))
    assert 2 <= done < 6, "it was to be killed in the middle"
    again = crawlmill("run", recipe, "--out", killed)
    assert re.search(rf"{done} of 6 trials were done before", again.output)
    assert crawlmill("run", recipe, "--out", whole).exit_code == 0
    assert (killed / "proxies/trials.jsonl").read_bytes() == (whole / "proxies/trials.jsonl").read_bytes()


def test_a_diverged_trial_is_named_and_left_out_of_the_law(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    crawlmill("run", recipe, "--out", run)
    # As one leaves it whose loss was no number any more.
    step = sorted((run / "steps").glob("trial-*/step.json"))[0]
    manifest = json.loads(step.read_text())
    manifest["counts"]["trial"] |= {"diverged": "step 2: loss nan, gradient norm nan", "losses": {}, "answers": {}}
    step.write_text(json.dumps(manifest))
    fitted = crawlmill("fit", recipe, "--out", run)
    assert fitted.exit_code == 0, fitted.output
    (line,) = [json.loads(n) for n in (run / "proxies/trials.jsonl").read_text().splitlines() if '"diverged": "' in n]
    assert f"{line['name']} (seed 0, 1 x 32, 2 steps) diverged and counts nowhere: step 2: loss nan" in fitted.output
    validated = json.loads((run / "proxies/result.json").read_text())["cross_validation"]
    assert len(validated["web"]["observed"]) == 5


@pytest.mark.parametrize(
    ("override", "words", "code"),
    [
        ("proxies.trials=0", "proxies.trials: should be greater than 0, not 0", 2),
        ("proxies.gpus=0.5", "gpus: torch finds no GPU here; give 0 to train on the CPU", 1),
        ("mixture.validation=0.0001", "no document is held out", 1),
    ],
)
def test_what_cannot_be_done_ends_with_its_reason(
    recipe: Path,
    tmp_path: Path,
    override: str,
    words: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    command = ["crawlmill", "proxies", "run", str(recipe), "--set", override]
    monkeypatch.setattr(sys, "argv", [*command, "--workers", "0", "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert words in capsys.readouterr().err
