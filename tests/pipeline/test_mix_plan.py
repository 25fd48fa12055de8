import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import cli
from pipeline.run import Result as Run
from tests.pipeline.test_cli import crawlmill

BOTH = "{tokens: 150_000, weights: {web: 3, code: 1}, epochs: {books: 2.45}, validation: 0.05}"
COLUMNS = ["weight", "share", "unique_tokens", "wanted_tokens", "missing_tokens"]

Mix = Callable[..., Run]


def planned(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["mix", "plan", str(root), *arguments])


def sources(root: Path, *arguments: str) -> dict[str, Any]:
    done = planned(root, "--json", *arguments)
    assert done.exception is None, done.output
    rows: dict[str, Any] = json.loads(done.stdout)["sources"]
    return rows


def test_the_plan_is_what_the_run_realised(mix: Mix, tmp_path: Path) -> None:
    summary = mix(BOTH).summary
    rows = sources(tmp_path / "run")
    assert rows.keys() == summary["mixture"].keys()
    for source, row in rows.items():
        realised = summary["mixture"][source]
        assert {key: row[key] for key in COLUMNS} == {key: realised[key] for key in COLUMNS}
        assert row["estimated_by"] is None
        assert abs(row["tokens"] - realised["tokens"]) < 0.0005 * 150_000
        assert row["epochs"] == pytest.approx(realised["epochs"], rel=1e-3)
    shown = planned(tmp_path / "run").stdout
    assert "Plan of 150,000 tokens" in shown
    assert "estimated" not in shown
    assert f"{rows['web']['unique_tokens']:,}" in shown


def test_another_total_is_planned_to_the_token_and_another_tokenizer_is_named(mix: Mix, tmp_path: Path) -> None:
    by_weight = "{tokens: 50_000, weights: {web: 3, code: 1}}"
    mix(by_weight)
    rows = sources(tmp_path / "run", "--set", "mixture.tokens=60_000")
    realised = mix(by_weight, "mixture.tokens=60_000").summary["mixture"]
    for source, row in rows.items():
        assert row["estimated_by"] is None
        assert {key: row[key] for key in COLUMNS} == {key: realised[source][key] for key in COLUMNS}
    other = ["mixture.weights.web=1", "mixture.weights.books=1"]
    rows = sources(tmp_path / "run", *(word for override in other for word in ("--set", override)))
    assert rows["web"]["estimated_by"] == "the run's tokenizer; this mixture trains another"
    assert rows["books"]["estimated_by"] == "the text, at 4.4 bytes a token", "nothing has tokenized it yet"
    realised = mix(by_weight, *other).summary["mixture"]
    assert rows["web"]["unique_tokens"] == pytest.approx(realised["web"]["unique_tokens"], rel=0.05)


def test_a_run_that_ended_at_its_documents_is_estimated_and_says_so(mix: Mix, tmp_path: Path) -> None:
    whole = {source: counts["text_bytes"] for source, counts in mix(None).summary["sources"].items()}
    rows = sources(tmp_path / "run", "--set", f"mixture={BOTH}", "--bytes-per-token", "3")
    for source, row in rows.items():
        assert row["unique_tokens"] == pytest.approx(0.95 * whole[source] / 3 + row["unique_documents"], abs=2)
        assert row["estimated_by"] == "the text, at 3 bytes a token"
    shown = planned(tmp_path / "run", "--set", f"mixture={BOTH}").stdout
    assert "Plan of 150,000 tokens (estimated)" in shown
    assert "web: unique tokens are estimated by the text, at 4.4 bytes a token" in shown


def test_a_short_source_says_what_the_run_would_say(mix: Mix, tmp_path: Path) -> None:
    mix(BOTH)
    with pytest.raises(ValueError, match="asks for more than there is") as error:
        mix(BOTH, "mixture.tokens=3_000_000")
    done = crawlmill("mix", "plan", str(tmp_path / "run"))
    assert done.returncode == 1
    assert done.stderr == f"error: {error.value}\n"
    assert "Plan of" in done.stdout
    assert planned(tmp_path / "run", "--set", "mixture.missing=report").exit_code == 0


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["mixture.tokenz=3"], 'mixture.tokenz: unknown key "tokenz"; did you mean "tokens"?'),
        (["mixture.weights={wbe: 1}"], 'mixture.weights: unknown source "wbe"; did you mean "web"?'),
        (["tokens.shard_tokens=3"], 'tokens: unknown key "tokens"'),
        (["mixture.tokens=0"], "mixture.tokens: should be greater than 0, not 0"),
        (["mixture.epochs.books=5"], "epochs.books is 5 and max_epochs 4"),
    ],
)
def test_a_mixture_that_cannot_be_is_refused(overrides: list[str], said: str, mix: Mix, tmp_path: Path) -> None:
    mix(BOTH)
    done = planned(tmp_path / "run", *(word for override in overrides for word in ("--set", override)))
    assert said in str(done.exception)
    assert type(done.exception).__name__ == "RecipeError"


def test_what_has_not_come_far_enough_is_refused(mix: Mix, tmp_path: Path) -> None:
    assert "is not the folder of a run" in str(planned(tmp_path).exception)
    mix(None)
    assert "has no mixture; give one: --set mixture.tokens" in str(planned(tmp_path / "run").exception)
    for step in (tmp_path / "run/steps").glob("web.documents-*/step.json"):
        step.unlink()
    assert "the documents of web are not done" in str(planned(tmp_path / "run", "--set", f"mixture={BOTH}").exception)
