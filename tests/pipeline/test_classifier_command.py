"""`crawlmill classifier` as scripts use it: what it leaves, what it says, how it exits."""

import gzip
import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from filters.classifier import KINDS, Classifier, ClassifierError
from kernels.texts import Texts
from pipeline.classifier_command import classifier
from tests.conftest import GERMAN

ENCYCLOPEDIA = "treaty century king province kingdom emperor dynasty parliament".split()
SHOP = "cart cheap shipping sale discount price offer click".split()
BOTH = "the was in and of it to became with from part all which there people day year".split()


@dataclass(frozen=True)
class Corpus:
    """Texts of both classes in JSONL files: positives without a site, six pages on each of eighty sites."""

    positives: str
    pages: str


def sentences(words: list[str], count: int, seed: int) -> list[str]:
    """Texts of 40 to 120 words, a tenth of them told by `words`."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(40, 120, count).tolist()
    return [" ".join([*rng.choice(BOTH, size), *rng.choice(words, size // 10)]) for size in sizes]


def write(path: Path, rows: list[dict[str, str]]) -> str:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0))
    return str(path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    # Some pages are like the positives and some positives like pages, as in any crawl.
    good = sentences(ENCYCLOPEDIA, 450, 0) + sentences(SHOP, 30, 1)
    bad = sentences(SHOP, 420, 2) + sentences(ENCYCLOPEDIA, 60, 3)
    return Corpus(
        write(folder / "positives.jsonl.gz", [{"text": text} for text in good]),
        write(
            folder / "pages.jsonl.gz",
            [{"text": text, "url": f"https://site{n % 80}.example/{n}"} for n, text in enumerate(bad)],
        ),
    )


def go(*words: str) -> Result:
    """The command as `crawlmill classifier` runs it: a ValueError is an exit code of 1."""
    return CliRunner().invoke(classifier, words)


def train(corpus: Corpus, out: Path, *more: str) -> Result:
    return go("train", "--positives", corpus.positives, "--pages", corpus.pages, "--out", str(out), *more)


@pytest.fixture(scope="module")
def both(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder with a model of each kind, and what the command said."""
    out = tmp_path_factory.mktemp("models")
    done = train(corpus, out, "--kind", "linear", "--kind", "fasttext")
    assert done.exit_code == 0, done.output
    return out, done.output


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_both_kinds_are_measured_on_the_same_examples_and_saved_with_their_figures(both: tuple[Path, str]) -> None:
    out, said = both
    evaluation = read(out / "evaluation.json")
    assert list(evaluation["models"]) == sorted(KINDS)
    sizes = [evaluation["models"][kind]["examples"] for kind in KINDS]
    assert sizes[0] == sizes[1]
    assert min(sizes[0].values()) > 100
    for kind in KINDS:
        figures = evaluation["models"][kind]
        # A text of the wrong class's words is on the wrong side: perfect would be memory.
        assert 0.8 < figures["auc"] < 0.97, kind
        assert f"{figures['auc']:.4f}" in said
        assert f"{figures['calibration_error']:.4f}" in said
        model = Classifier.load(str(out / kind))
        assert (model.kind, model.figures) == (kind, figures)
        assert model.training["examples"]["held_out"] == 0.5
        assert model.training["examples"]["positives"] == evaluation["examples"]["positives"]


def test_the_most_telling_words_are_those_that_tell(both: tuple[Path, str]) -> None:
    out, said = both
    telling = read(out / "evaluation.json")["telling"]["linear"]
    positives, pages = telling["positives"], telling["pages"]
    assert len(positives) == len(pages) == 10
    assert set(ENCYCLOPEDIA) & set(" ".join(positives).split())
    assert not set(ENCYCLOPEDIA) & set(" ".join(pages).split())
    assert set(SHOP) & set(" ".join(pages).split())
    assert all(word in said for word in (positives[0], pages[0]))


def test_no_site_is_on_both_sides(corpus: Corpus, both: tuple[Path, str]) -> None:
    out, _ = both
    with gzip.open(corpus.pages, "rt") as file:
        rows = [json.loads(line) for line in file]
    model = Classifier.load(str(out / "linear"))
    urls = [row["url"] for row in rows]
    seen = model.has_seen(Texts.of([row["text"] for row in rows], ["en"] * len(rows), urls))
    for site in range(80):
        assert len(set(seen[site::80].tolist())) == 1
    assert 0.25 < seen.mean() < 0.75


def test_the_same_command_leaves_the_same_bytes(corpus: Corpus, tmp_path: Path) -> None:
    for out in ("one", "two"):
        assert train(corpus, tmp_path / out, "--held-out", "0.3").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {"evaluation.json", "model.json"} < set(names)
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert train(corpus, tmp_path / "three", "--held-out", "0.3", "--seed", "1").exit_code == 0
    one, three = (read(tmp_path / out / "evaluation.json")["models"]["linear"] for out in ("one", "three"))
    assert one["auc"] != three["auc"]


def test_evaluating_leaves_out_what_was_trained_on_and_so_finds_the_same(
    corpus: Corpus, both: tuple[Path, str], tmp_path: Path
) -> None:
    """On the very files of the training, what is unseen is what was held out."""
    out, _ = both
    pytest.importorskip("matplotlib")
    folders, picture = [str(out / kind) for kind in KINDS], tmp_path / "plot.png"
    done = go("evaluate", *folders, "--positives", corpus.positives, "--pages", corpus.pages, "--plot", str(picture))
    assert done.exit_code == 0, done.output
    models = read(out / "evaluation.json")["models"]
    assert f"{models['linear']['examples']['positives']:,} positives" in done.output
    for kind in KINDS:
        assert f"{models[kind]['auc']:.4f}" in done.output
        assert f"{models[kind]['brier']:.4f}" in done.output
    assert " trained_on" in done.output
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_evaluating_on_nothing_but_what_was_trained_on_is_refused(
    corpus: Corpus, both: tuple[Path, str], tmp_path: Path
) -> None:
    out, _ = both
    model = Classifier.load(str(out / "linear"))
    with gzip.open(corpus.pages, "rt") as file:
        rows = [json.loads(line) for line in file]
    seen = model.has_seen(Texts.of([r["text"] for r in rows], ["en"] * len(rows), [r["url"] for r in rows]))
    known = write(tmp_path / "known.jsonl.gz", [row for row, old in zip(rows, seen, strict=True) if old])
    done = go("evaluate", str(out / "linear"), "--positives", corpus.positives, "--pages", known)
    assert done.exit_code == 2
    assert "there is no page that no model was trained on" in done.output


def test_pages_that_a_list_cites_are_the_positives(tmp_path: Path) -> None:
    texts = [text * 6 for text in sentences(ENCYCLOPEDIA, 200, 5) + sentences(SHOP, 200, 6)]
    urls = [f"https://host{n}.example/page" for n in range(400)]
    pages = write(tmp_path / "pages.jsonl.gz", [{"url": u, "text": t} for u, t in zip(urls, texts, strict=True)])
    (tmp_path / "cited.txt").write_text("".join(f"{url}\n" for url in urls[:200]))
    words = ["train", "--cited", str(tmp_path / "cited.txt"), "--pages", pages, "--out", str(tmp_path / "model")]
    done = go(*words)
    assert done.exit_code == 0, done.output
    figures = read(tmp_path / "model/evaluation.json")["models"]["linear"]
    assert figures["auc"] > 0.97
    assert figures["hosts"]["positives"] > 60
    (tmp_path / "cited.txt").write_text("https://elsewhere.example/\n")
    done = go(*words)
    assert done.exit_code == 2
    assert "cites none of 400 pages" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give the positives once"),
        (["--positives", "{positives}"], "give the pages once"),
        (["--positives", "{positives}", "--cited", "list.txt", "--pages", "{pages}"], "give the positives once"),
        (["--positives", "{positives}", "--pages", "{pages}", "--run", "run"], "give the pages once"),
        (["--positives", "{positives}", "--pages", "{pages}", "--source", "web"], "give --run too"),
        (["--positives", "none-*.jsonl", "--pages", "{pages}"], 'no file matches "none-*.jsonl"'),
        (["--positives", "{positives}", "--run", "nowhere"], "nowhere is not the folder of a finished run"),
        (["--positives", "{positives}", "--pages", "{pages}", "--held-out", "1"], "--held-out"),
        (["--positives", "{positives}", "--pages", "{pages}", "--kind", "forest"], "forest"),
    ],
)
def test_options_that_cannot_work_are_refused(corpus: Corpus, words: list[str], said: str, tmp_path: Path) -> None:
    filled = [word.format(positives=corpus.positives, pages=corpus.pages) for word in words]
    done = go("train", *filled, "--out", str(tmp_path / "out"))
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", "").split())
    assert not (tmp_path / "out").exists()


def test_classes_without_a_language_in_common_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    german = write(
        tmp_path / "de.jsonl.gz", [{"text": f"{GERMAN} {n}", "url": f"https://de{n}.example/"} for n in range(300)]
    )
    done = go("train", "--positives", corpus.positives, "--pages", german, "--out", str(tmp_path / "out"))
    assert done.exit_code == 2
    assert "language" in done.output


def test_what_is_no_model_or_one_of_other_features_is_refused(
    corpus: Corpus, both: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--positives", corpus.positives, "--pages", corpus.pages]
    done = go("evaluate", str(tmp_path), *words)
    assert done.exit_code == 2
    assert str(tmp_path) in done.output.replace("\n", "")
    import filters.classifier

    monkeypatch.setattr(filters.classifier, "FEATURE_VERSION", 99)
    done = go("evaluate", str(both[0] / "linear"), *words)
    assert done.exit_code == 2
    assert "train" in done.output
    with pytest.raises(ClassifierError):
        Classifier.load(str(both[0] / "linear"))


def test_a_plot_without_matplotlib_says_what_to_install(
    corpus: Corpus, both: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(find: Callable[..., Any]) -> Callable[..., Any]:
        return lambda name, *more: None if name == "matplotlib" else find(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", absent(importlib.util.find_spec))
    done = go(
        "evaluate", str(both[0] / "linear"), "--positives", corpus.positives, "--pages", corpus.pages, "--plot", "a.png"
    )
    assert 'pip install "crawlmill[train]"' in str(done.exception)
