import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from filters.evaluation import Scored, evaluate
from pipeline import classifier_figures


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, Any]]:
    """A good model and one that always says 1/2, on 300 examples of either class."""
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 2
    lengths, hosts = rng.integers(200, 20_000, 600), np.arange(600, dtype=np.uint64)
    good = 1 / (1 + np.exp(-3 * (rng.normal(0, 1, 600) + labels - 0.5)))
    return {
        name: evaluate(Scored.of(scores, labels, lengths, ["en"] * 600, hosts))
        for name, scores in (("good", good), ("blind", np.full(600, 0.5)))
    }


def shown(tables: list[Any]) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    for table in tables:
        console.print(table)
    return console.export_text()


def test_the_tables_have_the_models_side_by_side(figures: dict[str, dict[str, Any]]) -> None:
    text = shown(classifier_figures.tables(figures))
    [area] = [line for line in text.splitlines() if line.strip(" │").startswith("AUC  ")]
    assert f"{figures['good']['auc']:.4f}" in area
    assert "0.5000" in area
    assert "300 positives of 300 sites, 300 pages of 300" in text
    assert "AUC in en: 300 positives, 300 pages" in text
    # A model with one score has one bin, and no correlation with anything.
    [correlation] = [line for line in text.splitlines() if "score ~ length, pages" in line]
    assert correlation.rstrip(" │").endswith("-")


def test_a_threshold_says_how_many_pages_it_keeps(figures: dict[str, dict[str, Any]]) -> None:
    text = shown(classifier_figures.tables(figures))
    [half] = [line for line in text.splitlines() if line.strip(" │").startswith("0.6 ")]
    assert f"{figures['good']['thresholds'][5]['kept']:.1%}" in half
    # Nothing of the blind one's is kept, and nothing wrong with it.
    assert "1.0000" in half
    assert "0.0%" in half


def test_the_most_telling_words_stand_by_model_and_class() -> None:
    text = shown([classifier_figures.words_table({"linear": {"positives": ["treaty", "of the"], "pages": ["cart"]}})])
    assert "linear: positives" in text
    lines = text.splitlines()
    assert any("treaty" in line and "cart" in line for line in lines)
    assert any("of the" in line and "cart" not in line for line in lines)


def test_the_picture_is_a_png_with_what_the_figures_say(figures: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "plots" / "two.png"
    classifier_figures.draw(str(path), figures)
    from matplotlib.image import imread

    pixels = imread(path)
    assert pixels.shape[:2] == (1080, 1440)
    classifier_figures.draw(str(tmp_path / "one.png"), {"blind": figures["blind"]})
    assert (imread(tmp_path / "one.png") != pixels).any()
