"""`crawlmill perplexity train` on files: what it writes, what it says and what it refuses."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from filters.perplexity import PerplexityModel
from kernels.texts import Texts
from pipeline import perplexity_command
from pipeline.perplexity_command import perplexity
from tests.conftest import GERMAN, prose

pytest.importorskip("kenlm", reason="needs the extra crawlmill[perplexity]")

PROSE = prose(46)


def write(path: Path, texts: list[str], field: str = "text") -> str:
    rows = [json.dumps({"id": n, field: text}) for n, text in enumerate(texts)]
    path.write_bytes(gzip.compress("\n".join(rows).encode(), mtime=0))
    return str(path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(perplexity, ["train", *map(str, arguments)])


def test_models_of_a_language(tmp_path: Path) -> None:
    write(tmp_path / "1.jsonl.gz", PROSE[:20], "body")
    write(tmp_path / "2.jsonl.gz", [*PROSE[20:40], "", GERMAN], "body")
    out = tmp_path / "models"
    texts = tmp_path / "*.jsonl.gz"
    found = run(texts, "--language", "en", "--vocabulary", 800, "--order", 3, "--text-field", "body", "--out", out)
    assert found.exit_code == 0, found.output
    entry = json.loads((out / "model.json").read_text())["languages"]["en"]
    assert entry["texts"] + entry["held_out"]["texts"] == 41
    assert entry["order"] == len(entry["ngrams"]) == 3
    assert f"{entry['tokens']:,}" in found.output
    scores = PerplexityModel.load(str(out)).score(Texts.of([PROSE[45], PROSE[45][::-1]], ["en", "en"]))
    assert scores[0] < scores[1]


def test_each_language_that_has_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perplexity_command, "LEAST_CHARACTERS", 8 * len(GERMAN))
    german = [f"{GERMAN} {n}" for n in range(9)]
    french = ["Le chat est assis sur la table et il regarde par la fenêtre toute la journée."]
    texts = write(tmp_path / "texts.jsonl.gz", [*PROSE, *german, *french])
    found = run(texts, "--vocabulary", 500, "--order", 2, "--out", tmp_path / "models")
    assert found.exit_code == 0, found.output
    assert PerplexityModel.load(str(tmp_path / "models")).languages == ["de", "en"]
    both = Texts.of([GERMAN, GERMAN], ["de", "en"])
    german_model, english_model = PerplexityModel.load(str(tmp_path / "models")).score(both)
    assert german_model < english_model
    assert np.isnan(PerplexityModel.load(str(tmp_path / "models")).score(Texts.of(french, ["fr"]))).all()


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (['{"text": "x"}', "{"], (), "at byte 14: not a JSON line"),
        (['{"text": "x"}'], (), "no language has 1,000,000 characters"),
        (['{"text": "x"}'], ("--text-field", "body"), 'no "body" with a text'),
        (None, (), "no file matches"),
        (['{"text": "a b"}'], ("--language", "en", "--order", "7"), "is not in the range 2<=x<=6"),
    ],
)
def test_what_it_refuses(tmp_path: Path, lines: list[str] | None, options: tuple[str, ...], message: str) -> None:
    path = tmp_path / "texts.jsonl"
    if lines is not None:
        path.write_text("\n".join(lines))
    found = run(path, *options, "--out", tmp_path / "models")
    assert found.exit_code == 2
    assert message in " ".join(found.output.replace("│", " ").split())
    assert not (tmp_path / "models").exists()
