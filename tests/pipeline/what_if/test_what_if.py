"""What `crawlmill what-if` says, against what a run with the changed recipe really does."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click.testing
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from corpus.hashing import keyed
from corpus.strict import RecipeError
from filters.classifier import train
from filters.examples import Examples
from filters.perplexity import PerplexityModel
from kernels.texts import Texts
from pipeline.cluster import Cluster
from pipeline.finished import Run
from pipeline.graph import steps_of
from pipeline.recipe import load
from pipeline.run import run
from pipeline.summary import of_finished
from pipeline.what_if.command import command
from pipeline.what_if.recipe import changed
from pipeline.what_if.result import WhatIf, what_if
from tests.conftest import GERMAN, prose

SHOP = "buy now cheap shipping cart sale discount price offer click here login account free best deal".split()
RECIPE = """
name: planted
sources:
  web:
    kind: jsonl
    paths: FOLDER/*.web.jsonl
    language: {keep: [en], min_score: 0.6}
    rules: [{gopher_quality: {min_words: 60}}, {c4: {terminal_punctuation: false, min_sentences: 2}}, counts]
    perplexity: {model: FOLDER/models, keep: {threshold: 3000}}
    reference: {model: FOLDER/reference, keep: 0.6}
  books:
    kind: jsonl
    paths: FOLDER/books.jsonl
    rules: [{counts: {min_words: 30}}, {classifier.shop: {model: FOLDER/reference, min_score: 0.0}}]
    dedup: {exact: true}
mixture: {tokens: 2_000, weights: {books: 1}, missing: report}
tokens: {tokenizer: {train: 300}}
"""
# What is planted is 64 pages; in the name of each case is what it is about.
CASES = {
    "a higher bound": ["rules.gopher_quality.min_words=130"],
    "no such rule": ["rules.gopher_quality.min_words=null"],
    "a rule that was off": ["sources.web.rules.counts.max_words=150"],
    "which of two places is the first": ["rules.c4.max_curly_bracket=null", "rules.c4.max_lorem_ipsum=2"],
    "a surer language": ["language.min_score=0.97"],
    "another language, with bounds of its own": ["language.keep=[en, de]", "rules.gopher_quality.min_words=100"],
    "a share of perplexity by language": ["perplexity.keep=0.5", "language.keep=[en, de]"],
    "buckets of perplexity": ["perplexity.keep={buckets: [middle, tail], percentiles: [20, 50]}"],
    "another share": ["reference.keep=0.3", "perplexity.keep.threshold=400"],
    "a threshold": ["reference.keep={threshold: 0.4}"],
    "a draw": ["reference.keep={pareto: 3}"],
    "buckets": ["reference.keep={buckets: [head, tail]}", "rules.c4.min_sentences=4"],
}


class Lengths:
    """Stands for language models: the perplexity of a text is its bytes; there is a model of English and German."""

    languages = ("en", "de")

    def score(self, texts: Texts) -> NDArray[np.float64]:
        known = [language in self.languages for language in texts.languages]
        return np.where(known, np.diff(texts.offsets).astype(np.float64), np.nan)


def pages() -> list[str]:
    """64 pages: prose with more and more of a shop in it, some of them short, German or with what c4 drops for."""
    rng = np.random.default_rng(3)
    found = []
    for number, text in enumerate(prose(64, sentences=8)):
        words = text.split()
        shop = [word if rng.random() > number / 64 else str(rng.choice(SHOP)) for word in words]
        found.append(" ".join(shop[: int(rng.integers(30, len(shop)))]) + ".")
    for number in range(0, 64, 8):
        found[number] = GERMAN[: 150 + 14 * number]
        found[number + 1] = f"Die Preise: {found[number + 1][:120]} {GERMAN[:100]}."
    for number in range(3, 64, 12):
        first, second = ("{ a }", "Lorem ipsum") if number % 2 else ("Lorem ipsum", "{ a }")
        found[number] = f"{first}\n{found[number]}\n{second}"
    return found


@pytest.fixture(scope="module")
def patched() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PerplexityModel, "load", lambda folder: Lengths())
        yield


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, patched: None) -> Path:
    """The folder of the pages, the models, the recipe and, under run/, the finished run."""
    folder = tmp_path_factory.mktemp("planted")
    texts = pages()
    rows = [{"text": text, "url": f"https://site{n}.example/\u001b[31m{n}"} for n, text in enumerate(texts)]
    (folder / "a.web.jsonl").write_text("\n".join(map(json.dumps, rows[:40])) + "\n")
    (folder / "b.web.jsonl").write_text("\n".join(map(json.dumps, rows[40:])) + "\n")
    # Of 8 that have 30 words or more 2 are copies; 4 shorter ones follow, all different.
    books = [f"{name} {'word ' * 40}" for name in "abcdefab"] + [f"{name} {'word ' * 20}" for name in "ghij"]
    (folder / "books.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in books) + "\n")
    (folder / "models").mkdir()
    samples = [*prose(40, sentences=3), *(" ".join(SHOP[n % 7 :] * 3) for n in range(40))]
    labels = np.repeat([1, 0], 40).astype(np.int8)
    train(Examples(Texts.of(samples), labels, np.zeros(80, np.int64), {}), folds=1).save(str(folder / "reference"))
    (folder / "recipe.yaml").write_text(RECIPE.replace("FOLDER", str(folder)))
    rerun(folder / "recipe.yaml", folder / "run")
    return folder


def rerun(recipe: Path, root: Path, *overrides: str) -> dict[str, Any]:
    with Cluster(0) as cluster:
        return run(load(str(recipe), overrides), str(root), cluster, lambda _: None, lambda _: None).summary


def asked(root: Path, *overrides: str, source: str | None = None, examples: int = 0) -> dict[str, WhatIf]:
    summary = of_finished(str(root))
    recipe = changed(str(root), summary, overrides, source)
    return what_if(Run(str(root), summary), recipe, examples, lambda: None)


def whole(*overrides: str) -> list[str]:
    return [text if text.startswith("sources.") else f"sources.web.{text}" for text in overrides]


def reasons(root: Path, source: str) -> list[str | None]:
    """The run's reason for each document, in the order of ids."""
    folder = root / of_finished(str(root))["steps"][f"{source}.documents"]["folder"]
    parts = [pq.read_table(file) for file in sorted(folder.glob("verdicts-*.parquet"))]
    found: list[str | None] = pa.concat_tables(parts)["reason"].to_pylist()
    return found


def sizes(root: Path, source: str) -> list[int]:
    folder = root / of_finished(str(root))["steps"][f"{source}.filter"]["folder"]
    parts = [pq.read_table(file, columns=["text_bytes"]) for file in sorted(folder.glob("part-*.parquet"))]
    found: list[int] = pa.concat_tables(parts)["text_bytes"].to_pylist()
    return found


def invoke(root: Path, *arguments: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(command, [str(root), *arguments])


@pytest.mark.parametrize("overrides", CASES.values(), ids=CASES)
def test_it_is_what_a_run_with_the_changed_recipe_does(overrides: list[str], planted: Path, tmp_path: Path) -> None:
    found = asked(planted / "run", *overrides)
    shutil.copytree(planted / "run", tmp_path / "run", symlinks=True)
    summary = rerun(planted / "recipe.yaml", tmp_path / "run", *whole(*overrides))["sources"]["web"]
    assert list(found) == ["web"]
    web = found["web"]
    assert [{"stage": stage.stage, **asdict(stage.left.after)} for stage in web.stages] == summary["funnel"]
    before = of_finished(str(planted / "run"))["sources"]["web"]["funnel"]
    assert [{"stage": stage.stage, **asdict(stage.left.before)} for stage in web.stages] == before
    # Nothing comes after the scores here, so what stands is kept.
    assert web.kept_exact
    assert (
        asdict(web.kept.after)
        == asdict(web.stands.after)
        == {
            "documents": summary["kept"],
            "text_bytes": summary["text_bytes"],
        }
    )
    pairs = list(zip(reasons(planted / "run", "web"), reasons(tmp_path / "run", "web"), strict=True))
    moved = Counter((was or "kept", now or "stands") for was, now in pairs if was != now)
    assert {(move.before, move.after): move.documents for move in web.moves} == moved
    assert moved, "the case is about something"
    moved_bytes = Counter[tuple[str, str]]()
    for (was, now), size in zip(pairs, sizes(planted / "run", "web"), strict=True):
        moved_bytes[was or "kept", now or "stands"] += size
    assert all(move.text_bytes == moved_bytes[move.before, move.after] for move in web.moves)


def test_what_depends_on_duplicates_is_estimated(planted: Path) -> None:
    found = asked(planted / "run", "sources.books.rules.counts.min_words=10")["books"]
    assert (found.stands.before.documents, found.stands.after.documents) == (8, 12)
    assert (found.kept.before.documents, found.kept.after.documents) == (6, 9), "of 4 new ones 6 of 8 are kept"
    assert not found.kept_exact
    counted = of_finished(str(planted / "run"))["sources"]["books"]
    assert found.tokens is not None
    assert found.tokens.before == counted["unique_tokens"]
    a_byte = counted["unique_tokens"] / counted["text_bytes"]
    assert found.tokens.after == round(a_byte * found.kept.after.text_bytes)
    fewer = asked(planted / "run", "sources.books.rules.counts.min_words=50")["books"]
    assert fewer.stands.after.documents == fewer.kept.after.documents == 0
    assert [(move.before, move.after, move.documents) for move in fewer.moves] == [
        ("kept", "counts_too_few_words", 6),
        ("exact_duplicate", "counts_too_few_words", 2),
    ]


def test_what_is_too_short_and_too_long_at_once_keeps_its_reason(planted: Path, tmp_path: Path) -> None:
    shutil.copytree(planted / "run", tmp_path / "run", symlinks=True)
    rerun(planted / "recipe.yaml", tmp_path / "run", "sources.books.rules.counts.max_words=10")
    assert set(reasons(tmp_path / "run", "books")) == {"counts_too_few_words", "counts_too_many_words"}
    [books] = asked(tmp_path / "run", "sources.books.rules.classifier.shop.min_score=0.001").values()
    assert books.moves == []


def test_examples_go_by_their_hashes_and_name_the_number(planted: Path) -> None:
    [web] = asked(planted / "run", "rules.gopher_quality.min_words=130", examples=2).values()
    move = next(move for move in web.moves if move.before == "kept" and move.after == "gopher_too_few_words")
    assert move.documents > 2
    now = asked(planted / "run", "rules.gopher_quality.min_words=130", examples=99)["web"]
    every = next(other.examples for other in now.moves if (other.before, other.after) == (move.before, move.after))
    order = keyed(np.array([example.id for example in every], np.uint64), "what-if", 0)
    assert len(every) == move.documents
    assert order.tolist() == sorted(order.tolist())
    assert list(move.examples) == list(every[:2])
    texts = {n + (n >= 40) * (2**32 - 40): text for n, text in enumerate(pages())}
    for example in every:
        assert example.signal == "gopher_quality_words"
        assert isinstance(example.value, int)
        assert (example.before, example.after) == (60, 130)
        assert 60 <= example.value < 130
        assert example.text == texts[example.id][:200]


@pytest.mark.parametrize(
    ("override", "signal", "before", "after"),
    [
        ("language.keep=[en, de]", "language", ["en"], ["en", "de"]),
        ("language.min_score=0.97", "language_score", 0.6, 0.97),
        ("rules.gopher_quality.min_words=null", "gopher_quality_words", 60.0, None),
        ("perplexity.keep={threshold: 400}", "perplexity", 3000.0, 400.0),
        ("reference.keep={pareto: 3}", "reference_score", "the share's", None),
    ],
)
def test_examples_are_measured_against_both_bounds(
    override: str, signal: str, before: object, after: object, planted: Path
) -> None:
    [web] = asked(planted / "run", override, examples=1).values()
    shown = [example for move in web.moves for example in move.examples if example.signal == signal]
    assert shown
    if before == "the share's":
        before = of_finished(str(planted / "run"))["sources"]["web"]["cutoffs"]["reference"][""][0]
    assert {(str(example.before), str(example.after)) for example in shown} == {(str(before), str(after))}


def test_files_and_models_may_be_gone(planted: Path, tmp_path: Path) -> None:
    overrides = ["rules.gopher_quality.min_words=130", "reference.keep=0.3"]
    expected = asked(planted / "run", *overrides)
    gone = ("a.web.jsonl", "b.web.jsonl", "books.jsonl", "models", "reference")
    for name in gone:
        shutil.move(planted / name, tmp_path / name)
    try:
        assert asked(planted / "run", *overrides) == expected
    finally:
        for name in gone:
            shutil.move(tmp_path / name, planted / name)


REFUSED = {
    "sources.web.rules.c4.terminal_punctuation=true": "sources.web.rules.c4.terminal_punctuation: the step web.read",
    "sources.web.rules=[counts]": "sources.web.rules: the step web.read",
    "sources.web.language.characters=500": "sources.web.language.characters: the step web.read",
    "sources.web.text_field=body": "sources.web.text_field: the step web.read",
    "sources.web.reference.model=MODEL": "sources.web.reference.model: the step web.filter",
    "sources.web.perplexity.model=MODEL": "sources.web.perplexity.model: the step web.perplexity",
    "sources.web.dedup.exact=true": "sources.web.dedup.exact: the step web.documents",
    "sources.web.reference=null": "sources.web.reference: the step web.filter",
}


@pytest.mark.parametrize("override", REFUSED)
def test_what_would_do_an_earlier_step_anew_is_refused(override: str, planted: Path) -> None:
    given = override.replace("MODEL", str(planted / ("models" if "perplexity" in override else "reference")) + "/")
    with pytest.raises(RecipeError) as error:
        asked(planted / "run", given)
    assert REFUSED[override] in str(error.value)
    assert "crawlmill run does" in str(error.value)
    step = str(error.value).split("the step ")[1].split()[0]
    assert _keys(planted, given)[step] != _keys(planted)[step], "a run would do the step that is named again"


def _keys(planted: Path, *overrides: str) -> dict[str, str]:
    return {step.name: step.key for step in steps_of(load(str(planted / "recipe.yaml"), overrides))}


def test_what_is_allowed_leaves_every_step_before_the_filter_alone(planted: Path) -> None:
    before = _keys(planted)
    earlier = ("web.read", "web.perplexity", "books.read")
    for overrides in CASES.values():
        after = _keys(planted, *whole(*overrides))
        assert [after[name] for name in earlier] == [before[name] for name in earlier]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "rules.counts.min_words=3"], "--set rules.counts.min_words: several sources have it"),
        (["--set", "rules.gopher_qualty.min_words=3"], "several sources have it"),
        (["--set", "rules.gopher_qualty.min_words=3", "--source", "web"], 'did you mean "gopher_quality"?'),
        (["--set", "rules.gopher_quality.min_wrds=3"], "the nearest is 'min_words'"),
        (["--set", "rules.gopher_quality.min_words=many"], "must be a number"),
        (["--set", "rules.counts.min_words=3", "--source", "wbe"], 'did you mean "web"?'),
        (["--set", "reference.keep=1.5"], "less than or equal to 1"),
        (["--set", "reference.keep.threshold=0.5"], "give one of: share, threshold"),
        (["--set", "language.keep=[english]"], 'unknown language "english"'),
        (["--set", "mixture.tokens=3"], "mixture.tokens: what-if changes bounds"),
        (["--set", "seed=3"], "seed: what-if changes bounds"),
        (["--set", "langage.min_score=0.5"], 'unknown key "langage"'),
        (["--set", "sources.web"], "write it as dotted.key=value"),
        ([], "Missing option '--set'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(arguments: list[str], said: str, planted: Path) -> None:
    done = invoke(planted / "run", *arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_a_run_that_has_not_finished_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    done = invoke(tmp_path, "--set", "rules.counts.min_words=3")
    assert done.exit_code == 2
    assert "is not the folder of a finished run" in done.output


def test_numbers_that_do_not_agree_are_no_answer(planted: Path, tmp_path: Path) -> None:
    shutil.copytree(planted / "run", tmp_path / "run", symlinks=True)
    summary = of_finished(str(tmp_path / "run"))
    summary["sources"]["web"]["funnel"][1]["documents"] += 1
    (tmp_path / "run/summary.json").write_text(json.dumps(summary))
    with pytest.raises(ValueError, match="are not those that summary"):
        asked(tmp_path / "run", "reference.keep=0.5")


def test_the_json_adds_up(planted: Path) -> None:
    overrides = ["--set", "rules.gopher_quality.min_words=130", "--set", "reference.keep=0.8"]
    done = invoke(planted / "run", *overrides, "--json", "--examples", "1")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["set"] == overrides[1::2]
    web = told["sources"]["web"]
    for unit in ("documents", "text_bytes"):
        into = sum(move[unit] for move in web["moves"] if move["after"] == "stands")
        out = sum(move[unit] for move in web["moves"] if move["before"] == "kept")
        assert into > 0 < out
        assert web["stands"]["after"][unit] == web["stands"]["before"][unit] + into - out
        left = [stage["left"]["after"][unit] for stage in web["stages"]]
        assert left == sorted(left, reverse=True)
        assert left[-1] == web["stands"]["after"][unit]
    crossing = [move for move in web["moves"] if "stands" in move["after"] or move["before"] == "kept"]
    assert [len(move["examples"]) for move in web["moves"]] == [int(move in crossing) for move in web["moves"]]


def test_people_see_tables_and_nothing_that_moves_their_terminal(planted: Path) -> None:
    done = invoke(planted / "run", "--set", "rules.gopher_quality.min_words=130")
    assert done.exit_code == 0, done.output
    assert "What would be left of web" in done.output
    assert "kept -> gopher_too_few_words" in done.output
    assert "gopher_quality_words" in done.output
    assert "bound 60 -> 130" in done.output
    assert "\\x1b[31m" in done.output
    assert "\x1b" not in done.output
    assert "about" not in done.output, "there are no duplicates to guess at"
    again = invoke(planted / "run", "--set", "rules.gopher_quality.min_words=60").output
    assert "nothing changes" in again
    assert "about 9" in invoke(planted / "run", "--set", "sources.books.rules.counts.min_words=10").output


def test_the_changed_recipe_is_written_and_gives_what_was_said(planted: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    shutil.copytree(planted / "run", root, symlinks=True)
    given = ["--set", "rules.gopher_quality.min_words=130", "--set", "rules.classifier.shop.min_score=0.5"]
    done = invoke(root, *given, "--json", "--apply")
    told = json.loads(done.stdout)
    assert told["recipe"] == f"{root}/what-if.yaml"
    recipe = load(told["recipe"])
    assert recipe.sources["web"].rules[0] == {"gopher_quality": {"min_words": 130}}
    summary = rerun(root / "what-if.yaml", root)["sources"]
    for name in ("web", "books"):
        stages = told["sources"][name]["stages"]
        assert summary[name]["funnel"][len(stages) - 1]["documents"] == stages[-1]["left"]["after"]["documents"]


def test_another_recipe_is_not_overwritten(planted: Path, tmp_path: Path) -> None:
    file = tmp_path / "my own.yaml"
    given = ["--set", "reference.keep=0.5", "--apply", str(file)]
    done = invoke(planted / "run", *given)
    assert f"crawlmill run '{file}' --out {planted}/run" in done.output
    assert invoke(planted / "run", *given).exit_code == 0, "it is the same recipe"
    written = file.read_bytes()
    refused = invoke(planted / "run", "--set", "reference.keep=0.4", "--apply", str(file))
    assert refused.exit_code == 2
    assert "is another recipe" in " ".join(refused.output.split())
    assert file.read_bytes() == written
