import json
from pathlib import Path

import numpy as np
import pytest

from filters import rules
from filters.classifier import Classifier, train
from kernels.texts import Texts
from tests.filters.test_classifier import ENCYCLOPEDIA, SHOP, examples, sites, texts


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("models") / "shop")
    train(examples(texts(SHOP, 40, 1), texts(ENCYCLOPEDIA, 40, 0))).save(folder)
    return folder


def batch() -> Texts:
    return Texts.of(texts(SHOP, 3, 5) + texts(ENCYCLOPEDIA, 3, 6), urls=sites(6, "new"))


def test_a_text_like_the_positives_is_dropped_by_the_most_or_another_by_the_least(model: str) -> None:
    families = rules.resolve([{"classifier.shop": {"model": model, "max_score": 0.5}}])
    columns, after = rules.measure(batch(), families)
    assert columns["classifier.shop_score"].tolist() == Classifier.load(model).score(batch()).tolist()
    verdicts = rules.judge(families, columns, len(after))
    bad = "classifier.shop.score_too_high"
    assert rules.reasons(families, verdicts, columns).to_pylist() == [bad] * 3 + [None] * 3
    other = rules.resolve([{"classifier.shop": {"model": model, "min_score": 0.5}}])
    low = "classifier.shop.score_too_low"
    found = rules.reasons(other, rules.judge(other, columns, 6), columns).to_pylist()
    assert found == [None] * 3 + [low] * 3
    assert [family.measuring for family in families] == [family.measuring for family in other]
    # A worker gets them as JSON.
    again = rules.measured(json.loads(json.dumps([family.measuring for family in families])))
    np.testing.assert_array_equal(
        rules.measure(batch(), again)[0]["classifier.shop_score"], columns["classifier.shop_score"]
    )


def test_two_models_are_two_families(model: str) -> None:
    spec = [
        {"classifier.one": {"model": model, "max_score": 0.9}},
        {"classifier.two": {"model": model, "min_score": 0.1}},
    ]
    assert rules.rule_names(rules.resolve(spec)) == ["classifier.one.score_too_high", "classifier.two.score_too_low"]


def test_a_model_that_is_trained_again_is_another_and_not_taken_for_the_first(model: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "model")
    Classifier.load(model).save(folder)
    [before] = rules.resolve([{"classifier.x": {"model": folder}}])
    train(examples(texts(SHOP, 40, 7), texts(ENCYCLOPEDIA, 40, 8))).save(folder)
    [after] = rules.resolve([{"classifier.x": {"model": folder}}])
    assert before.measuring != after.measuring
    with pytest.raises(ValueError, match="has changed since the run was started"):
        rules.measured([before.measuring])[0].measure(batch(), **{**before.parameters, "fingerprint": "another"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"takes a name after the dot and \{model: FOLDER"),
        ({"model": 3}, r"takes a name after the dot and \{model: FOLDER"),
        ({"model": "m", "score": 0.5}, r"takes a name after the dot and \{model: FOLDER"),
        ({"model": "m", "max_score": 50}, "max_score is a probability from 0 to 1, not 50"),
        ({"model": "m", "min_score": True}, "min_score is a probability from 0 to 1, not True"),
        ({"model": "m", "min_score": float("nan")}, "min_score is a probability from 0 to 1, not nan"),
        ({"model": "no-such-folder"}, "rules: classifier.x: no-such-folder holds no classifier"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rules.resolve([{"classifier.x": settings}])


def test_verdicts_need_no_model_once_the_score_is_there() -> None:
    spec = [{"classifier.toxic": {"model": "gone", "max_score": 0.5}}]
    families = rules.resolve(spec, check=False)
    verdicts = rules.judge(families, {"classifier.toxic_score": np.array([0.4, 0.5, 0.6])}, 3)
    assert verdicts.first.tolist() == [-1, -1, 0]
    with pytest.raises(ValueError, match="gone"):
        rules.resolve(spec)
