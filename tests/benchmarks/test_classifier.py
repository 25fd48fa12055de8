from pathlib import Path

import pytest

from benchmarks import classifier
from benchmarks.inputs import Inputs
from tests.conftest import prose


@pytest.fixture
def inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Inputs:
    monkeypatch.setattr(classifier, "PASSES", 2)
    made = Inputs([], 24, "", 24, "", 0, "", tmp_path, 1, 0, 0, False, tmp_path)
    # What is else extracted from the pages of a file.
    made.__dict__["english"] = prose(24)
    return made


def test_all_sides_score_the_same_texts_and_probabilities_agree(inputs: Inputs) -> None:
    [table] = classifier.run(inputs)
    assert list(table.rows) == ["crawlmill", "scikit-learn", "fastText"]
    assert all(row["µs per 7 kB"] > 0 for row in table.rows.values())
    assert table.rows["scikit-learn"]["largest difference"] < 1e-6
    assert table.rows["scikit-learn"]["ratio"] > 1


def test_a_promise_that_is_not_kept_is_a_failure(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "FASTER", {"scikit-learn": 10**6})
    monkeypatch.setattr(classifier, "SAME", -1.0)
    [table] = classifier.run(inputs)
    assert [failure.split()[0] for failure in table.failures] == ["scikit-learn", "probabilities"]
    assert "and 1000000 were promised" in table.failures[0]
