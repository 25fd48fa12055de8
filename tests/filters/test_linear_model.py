from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from filters import linear_model
from filters.classifier import train
from filters.linear_model import FEATURES, LinearModels, features_of
from kernels.texts import Texts
from tests.conftest import prose
from tests.filters.test_classifier import ENCYCLOPEDIA, SHOP, examples, texts


def test_probabilities_are_those_of_scikit_learn_on_the_same_features() -> None:
    given = examples(texts(ENCYCLOPEDIA, 40, 0), texts(SHOP, 40, 1))
    model = train(given, folds=1)
    assert isinstance(model.models, LinearModels)
    unseen = Texts.of([*prose(30), *texts(ENCYCLOPEDIA + SHOP, 30, 2), "", "zebra"])
    theirs = LogisticRegression()
    theirs.classes_ = np.array([0, 1])
    theirs.coef_ = model.models.weights[:, :-1].astype(np.float64)
    theirs.intercept_ = model.models.weights[:, -1].astype(np.float64)
    wanted = theirs.predict_proba(features_of(unseen))[:, 1]
    np.testing.assert_allclose(model.score(unseen), wanted, rtol=0, atol=1e-6)


def test_features_do_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Texts.of([*prose(7), ""])
    whole = features_of(given)
    monkeypatch.setattr(linear_model, "_BATCH", 3)
    parts = features_of(given)
    assert whole.shape == parts.shape == (8, FEATURES)
    assert (whole != parts).nnz == 0
    assert features_of(Texts.of([])).shape == (0, FEATURES)


def test_a_file_of_other_models_is_refused(tmp_path: Path) -> None:
    LinearModels(np.zeros((2, FEATURES + 1), np.float32)).save(str(tmp_path))
    assert LinearModels.load(str(tmp_path), 2).weights.shape == (2, FEATURES + 1)
    with pytest.raises(ValueError, match=r"weights\.f32 does not hold the weights of 4 models"):
        LinearModels.load(str(tmp_path), 4)
