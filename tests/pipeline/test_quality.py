"""What scores keep of a source, checked against the scores in its files; and what a changed rule does again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from corpus.strict import RecipeError
from filters.keep import drawn
from filters.perplexity import PerplexityModel
from kernels.texts import Texts
from pipeline.cluster import Cluster
from pipeline.recipe import load
from pipeline.run import Result, run

# The recipe of these tests with perplexities in place of reference scores.
PERPLEXITY = "sources.web.perplexity={{model: {folder}, keep: {keep}}}"
ENCYCLOPEDIA = "the treaty was signed in the century by the king and the province became part of the kingdom".split()
SHOP = "buy now cheap shipping cart sale discount price offer click here login account free best deal".split()
Go = Callable[..., Result]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 pages between shop and encyclopedia, on as many hosts, in two files; 150 articles."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(5)

    def text(share: float) -> str:
        words = [rng.choice(ENCYCLOPEDIA if rng.random() < share else SHOP) for _ in range(int(rng.integers(80, 240)))]
        return " ".join(words)

    pages = [{"text": text(n % 10 / 10), "url": f"https://site{n}.example/"} for n in range(300)]
    for name, rows in (("a", pages[:100]), ("b", pages[100:])):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    articles = [{"text": text(1.0), "url": f"https://article{n}.example/"} for n in range(150)]
    (folder / "articles.json").write_text("\n".join(map(json.dumps, articles)) + "\n")
    return folder


@pytest.fixture
def go(corpus: Path, tmp_path: Path) -> Go:
    def start(*overrides: str) -> Result:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(
            f"name: scored\nsources:\n  web: {{kind: jsonl, paths: '{corpus}/*.jsonl', "
            "rules: [{counts: {min_words: 90}}], "
            f"reference: {{keep: 0.5, positives: {{kind: jsonl, paths: {corpus}/articles.json}}}}}}\n"
        )
        with Cluster(0) as cluster:
            return run(load(str(recipe), overrides), str(tmp_path / "run"), cluster, lambda _: None, lambda _: None)

    return start


def table(root: Path, step: str, prefix: str = "part") -> pa.Table:
    """All parts of a step of the newest run in the folder."""
    folder = root / json.loads((root / "summary.json").read_text())["steps"][f"web.{step}"]["folder"]
    return pa.concat_tables(pq.read_table(file) for file in sorted(folder.glob(f"{prefix}-*.parquet")))


def reasons(root: Path) -> list[str | None]:
    found: list[str | None] = table(root, "documents", "verdicts")["reason"].to_pylist()
    return found


def ranked(judged: pa.Table) -> list[int]:
    """Rows that no rule dropped, the best score first, the smaller id among equals."""
    rows = [row for row, reason in enumerate(judged["reason"].to_pylist()) if reason is None]
    scores = judged["reference_score"].to_pylist()
    return sorted(rows, key=lambda row: (-scores[row], row))


def test_a_share_is_of_the_bytes_that_rules_leave(go: Go, tmp_path: Path) -> None:
    go()
    judged, found = table(tmp_path / "run", "filter"), reasons(tmp_path / "run")
    sizes, before = judged["text_bytes"].to_pylist(), 0
    total = sum(sizes[row] for row in ranked(judged))
    for row in ranked(judged):
        assert found[row] == (None if before < total / 2 else "reference_low_score")
        before += sizes[row]
    assert found.count("counts_too_few_words") == judged["reason"].to_pylist().count("counts_too_few_words") > 0


def test_a_threshold_a_draw_and_buckets(go: Go, tmp_path: Path) -> None:
    go()
    root = tmp_path / "run"
    judged = table(root, "filter")
    standing, scores = ranked(judged), judged["reference_score"].to_numpy()
    ids = judged["id"].to_numpy()

    def dropped(keep: str, reason: str) -> set[int]:
        again = go(f"sources.web.reference.keep={keep}")
        redone = ["web.reference_cutoff", "web.documents", "web.statistics", "web.examples"]
        assert [step.name for step in again.ran] == redone, "nothing is scored again"
        return {row for row, found in enumerate(reasons(root)) if found == reason}

    assert dropped("{threshold: 0.5}", "reference_low_score") == {row for row in standing if scores[row] < 0.5}
    kept = drawn(scores, ids, 3.0, 0)
    assert dropped("{pareto: 3}", "reference_not_drawn") == {row for row in standing if not kept[row]}
    thirds = len(standing) * 0.3, len(standing) * 0.6
    tail = {row for place, row in enumerate(standing) if place >= thirds[1]}
    assert dropped("{buckets: [head, middle]}", "reference_tail") == tail
    head = {row for place, row in enumerate(standing) if place < thirds[0]}
    assert dropped("{buckets: [middle]}", "reference_head") == head


def test_the_figures_and_the_bands_are_in_the_summary_and_the_report(go: Go, tmp_path: Path) -> None:
    source: dict[str, Any] = go().summary["sources"]["web"]
    figures = source["reference"]["figures"]
    assert figures["auc"] > 0.9
    assert source["reference"]["positives"] == 150
    judged = table(tmp_path / "run", "filter")
    scores = dict(zip(judged["id"].to_pylist(), judged["reference_score"].to_pylist(), strict=True))
    bands = source["bands"]
    assert sum(band["documents"] for band in bands) == len(ranked(judged))
    for band in bands:
        for row in (*band["best"], *band["worst"]):
            assert row["score"] == pytest.approx(scores[row["id"]])
            assert band["lowest"] <= row["score"] <= band["highest"]
    best = [row["id"] for row in bands[0]["best"]]
    assert best == [judged["id"][row].as_py() for row in ranked(judged)[:10]]
    page = (tmp_path / "run/report.html").read_text()
    assert f"AUC {figures['auc']:.3f}" in page
    assert all(row["url"] in page for row in bands[0]["best"])


def test_the_funnel_adds_up(go: Go) -> None:
    source = go().summary["sources"]["web"]
    read, counts, reference = source["funnel"]
    assert (read["stage"], counts["stage"], reference["stage"]) == ("reading", "counts", "reference")
    assert read["documents"] == 300
    assert counts["documents"] == 300 - source["dropped"]["counts_too_few_words"]
    assert (reference["documents"], reference["text_bytes"]) == (source["kept"], source["text_bytes"])


class Lengths:
    """Stands for language models: the perplexity of an English text is its bytes."""

    languages = ("en",)

    def score(self, texts: Texts) -> NDArray[np.float64]:
        english = [language == "en" for language in texts.languages]
        return np.where(english, np.diff(texts.offsets), np.nan)


def test_a_threshold_of_perplexity_keeps_what_is_not_above_it(
    go: Go, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PerplexityModel, "load", lambda folder: Lengths())
    language = "sources.web.language={keep: [en], min_score: 0}"
    found = {}
    for keep in ("{threshold: 700}", "0.5"):
        go("sources.web.reference=null", language, PERPLEXITY.format(folder=corpus, keep=keep))
        found[keep] = {row for row, why in enumerate(reasons(tmp_path / "run")) if why == "perplexity_too_high"}
    judged = table(tmp_path / "run", "filter")
    sizes, standing = judged["perplexity"].to_pylist(), [why is None for why in judged["reason"].to_pylist()]
    above = {row for row, size in enumerate(sizes) if standing[row] and size > 700}
    assert 0 < len(above) < sum(standing)
    assert found["{threshold: 700}"] == above
    # The lowest half of the text stays.
    assert min(sizes[row] for row in found["0.5"]) >= max(
        size for row, size in enumerate(sizes) if standing[row] and row not in found["0.5"]
    )


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["sources.web.perplexity={model: FOLDER, keep: 0.5}"], "goes by language; give sources.web.language"),
        (
            ["sources.web.perplexity={model: FOLDER, keep: 0.5}", "sources.web.language={keep: [de]}"],
            "has models of: en, and of none of the languages that are kept: de",
        ),
        (["sources.web.perplexity={model: FOLDER, keep: {threshold: 0.5}}"], "no perplexity is below 1"),
        (["sources.web.perplexity={model: FOLDER, keep: {pareto: 9}}"], "pareto draws by a probability"),
        (["sources.web.reference.keep={threshold: 25}"], "between 0 and 1"),
        (["sources.web.reference={keep: 0.5, model: FOLDER, classifier: fasttext}"], "classifier is for positives"),
        (["sources.web.reference.positives.min_characters=5"], "min_characters is for kind: cited"),
    ],
)
def test_what_would_do_nothing_is_refused(
    go: Go, corpus: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str], said: str
) -> None:
    monkeypatch.setattr(PerplexityModel, "load", lambda folder: Lengths())
    with pytest.raises(RecipeError, match=said):
        go(*(text.replace("FOLDER", str(corpus)) for text in overrides))


def test_a_source_without_a_document_learns_nothing_of_citations(go: Go, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "cited.txt").write_text("example.org/a\n")
    positives = f"{{kind: cited, paths: {tmp_path}/cited.txt}}"
    source = go(
        f"sources.web.paths={tmp_path}/empty.jsonl", f"sources.web.reference={{keep: 0.5, positives: {positives}}}"
    ).summary["sources"]["web"]
    assert source["reference"] == {"positives": 0, "pages": 0, "left_out": {}, "figures": None}
