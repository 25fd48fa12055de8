"""`crawlmill proxies ablate` on sources whose garbage is known: what it finds, writes, says and refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from corpus.strict import RecipeError
from mixtures import plan

pytest.importorskip("torch", reason="needs the extra crawlmill[train]")

from pipeline.proxies.ablate_command import ablate
from tests.pipeline.proxies.ablation_sources import GARBAGE, NO_REFERENCE, PAGES, STEPS, VALIDATION, recipe

__all__ = ["recipe"]


NO_TARGETS = ("--set", "proxies.targets={}", "--set", NO_REFERENCE)


TOKENS = STEPS * 8 * 32
TRIALS = [(name, seed) for name in ("recipe", "web.gopher_quality") for seed in (1, 2, 3)]


def run(recipe: Path, *arguments: str) -> Result:
    out = str(recipe.parent / "run")
    return CliRunner().invoke(ablate, [str(recipe), "--workers", "0", "--out", out, *arguments])


def found(recipe: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((recipe.parent / "run/proxies/ablations.json").read_text())
    return result


def words(result: Result) -> str:
    return " ".join(result.output.replace("│", " ").split())


def test_a_family_that_drops_garbage_is_worth_it(recipe: Path) -> None:
    arguments = ("--without", "web.gopher_quality", "--without", "web.fineweb", "--set", NO_REFERENCE)
    result = run(recipe, *arguments)
    assert result.exit_code == 0, result.output
    told = found(recipe)
    quality, fineweb = told["variants"]
    held_out = plan.held_out(np.arange(PAGES, PAGES + GARBAGE, dtype=np.uint64), 0, VALIDATION)
    assert quality["variant"]["documents"] == quality["recipe"]["documents"] + np.count_nonzero(~held_out)
    clean = quality["targets"]["clean"]
    assert clean["word"] == "better"
    assert clean["high"] < 0
    assert clean["seeds"] == [1, 2, 3]
    assert fineweb["objective"] == {"reason": "changes nothing: the documents to train on are the recipe's"}
    assert "web.fineweb is not compared: changes nothing" in words(result)
    assert "33% of the objective is held-out text of web that its own rules have chosen" in words(result)
    (row,) = told["ablations"]
    assert row == {**{key: quality["objective"][key] for key in ("mean", "low", "high", "word")}, **row}
    assert (row["name"], row["tokens"]) == ("web.gopher_quality", TOKENS)
    lines = [json.loads(line) for line in (recipe.parent / "run/proxies/ablations.jsonl").read_text().splitlines()]
    assert [(line["name"], line["seed"]) for line in lines] == TRIALS
    assert {line["tokens"] for line in lines} == {TOKENS}
    assert len({json.dumps(line["shares"]) for line in lines}) == 1
    written = (recipe.parent / "run/proxies/ablations.json").read_bytes()
    again = run(recipe, *arguments)
    assert "6 of 6 trials were done before" in again.output
    assert (recipe.parent / "run/proxies/ablations.json").read_bytes() == written


def test_a_copy_of_what_is_measured(recipe: Path) -> None:
    result = run(recipe, "--without", "web.c4", "--set", "proxies.training.steps=2", *NO_TARGETS)
    assert result.exit_code == 0, result.output
    assert found(recipe)["variants"][0]["copies_trained_on"] == 1
    assert "1 of the documents to measure on have a copy that the variant trains on" in words(result)
    assert "no proxies.targets" in words(result)


def test_keep_shares_and_one_that_leaves_too_little(recipe: Path) -> None:
    long = ("--set", "proxies.training.model.context=1000", "--set", "proxies.training.steps=1")
    result = run(recipe, "--keep", "web=0.5", "--keep", "web=0.001", *long)
    assert result.exit_code == 0, result.output
    half, least = found(recipe)["variants"]
    assert half["variant"]["tokens"] < half["recipe"]["tokens"]
    assert half["epochs"]["variant"] > half["epochs"]["recipe"]
    assert half["objective"]["seeds"] == [1, 2, 3]
    assert [row["name"] for row in found(recipe)["ablations"]] == ["web.reference keep=0.5"]
    reason = least["objective"]["reason"]
    assert reason.startswith("web has ")
    assert "tokens left to train on, and a row takes 1,000 and one more" in reason
    assert "web.reference keep=0.001 is not compared: web has" in words(result)
    assert len(list((recipe.parent / "run/steps").glob("trial-*"))) == 6


def test_trials_that_diverge(recipe: Path) -> None:
    worse = (
        "--set",
        NO_REFERENCE,
        "--set",
        "proxies.training.optimizer.learning_rate=1.0e+30",
        "--set",
        "proxies.training.steps=3",
    )
    result = run(recipe, "--without", "web.gopher_quality", *worse)
    assert result.exit_code == 0, result.output
    told = found(recipe)
    assert [(line["name"], line["seed"]) for line in told["diverged"]] == TRIALS
    assert told["ablations"] == []
    assert "0 seeds with both runs (1, 2, 3 diverged or missing)" in words(result)
    assert "web.gopher_quality, seed 3 diverged and counts nowhere" in words(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--without", "wep.c4"), 'unknown source "wep"; did you mean "web"? (known: web, books)'),
        (
            ("--without", "web.c5"),
            'unknown family "web.c5"; did you mean "web.c4"? (known: web.gopher_quality, web.c4, web.fineweb, '
            "web.reference, books.personal_data)",
        ),
        (("--keep", "web"), "--keep web: write it as SOURCE=SHARE"),
        (("--keep", "web=1.5"), "sources.web.reference.keep.share: should be less than or equal to 1, not 1.5"),
        (("--keep", "web=0.9"), "that is what the recipe keeps"),
        (("--keep", "books=0.5"), "the source has no reference classifier; give sources.books.reference"),
        (
            ("--keep", "web=0.5", "--set", "sources.web.reference.keep={threshold: 0.5}"),
            "sources.web.reference.keep goes by threshold, which has no share",
        ),
        (
            ("--without", "web.reference", "--set", "sources.web.dedup.survivor=best"),
            "sources.web.dedup.survivor: best goes by the reference score",
        ),
        (("--set", "sources.web.rules=[]"), "no source of the mixture has rules to leave out"),
    ],
)
def test_what_it_refuses(recipe: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run(recipe, *arguments)
    assert result.exit_code == 2
    assert message in words(result)
    assert not (recipe.parent / "run").exists()


def test_a_recipe_without_a_mixture(recipe: Path) -> None:
    text = recipe.read_text()
    recipe.write_text(text[: text.index("mixture:")])
    result = run(recipe)
    assert result.exit_code == 2
    assert "this recipe has no mixture" in words(result)
    recipe.write_text("name: x")
    assert isinstance(run(recipe).exception, RecipeError)
