import numpy as np
import pytest

from filters import fasttext_classifier
from filters.classifier import train
from filters.fasttext_classifier import FasttextLearner, FasttextModels, decide, lines_of
from kernels.texts import Texts
from tests.filters.test_classifier import ENCYCLOPEDIA, SHOP, examples, texts


def test_a_line_is_the_words_without_case_and_without_labels() -> None:
    given = Texts.of(["One\ntwo\t THREE\u00a0four", "__label__1 wins", ""])
    assert lines_of(given) == ["one two three four", "label1 wins", ""]


def test_a_decision_is_the_logarithm_of_the_packages_odds() -> None:
    learner = FasttextLearner(Texts.of(texts(ENCYCLOPEDIA, 40, 0) + texts(SHOP, 40, 1)), np.repeat([1, 0], 40), 0)
    model = fasttext_classifier._load(learner.fit(np.arange(80)))
    lines = texts(ENCYCLOPEDIA + SHOP, 40, 2)
    found = decide(model, lines)
    # From the vectors themselves: the mean of a line's rows, times the difference of the labels' rows.
    vectors = np.array([model.get_sentence_vector(line) for line in lines], np.float64)
    rows = dict(zip(model.get_labels(), model.get_output_matrix().astype(float), strict=True))
    np.testing.assert_allclose(found, vectors @ (rows["__label__1"] - rows["__label__0"]), atol=2e-3)
    assert decide(model, []).tolist() == []


def test_the_curve_goes_on_top_of_the_decision_and_each_text_to_its_model() -> None:
    given = examples(texts(ENCYCLOPEDIA, 40, 0), texts(SHOP, 40, 1))
    models = train(given, kind="fasttext").models
    assert isinstance(models, FasttextModels)
    some = Texts.of(texts(ENCYCLOPEDIA + SHOP, 6, 2))
    which = np.array([0, 1, 1, 0, 1, 0])
    wanted = []
    for line, number in zip(lines_of(some), which, strict=True):
        model = fasttext_classifier._load(models.files[number])
        wanted.append(decide(model, [line])[0] * models.slopes[number] + models.intercepts[number])
    np.testing.assert_allclose(models.decide(some, which), wanted)


def test_training_starts_from_zeros_whatever_the_memory_held() -> None:
    """With one thread the package leaves most of a new model's numbers as they are."""
    learner = FasttextLearner(Texts.of(texts(ENCYCLOPEDIA, 20, 0) + texts(SHOP, 20, 1)), np.repeat([1, 0], 20), 0)
    vectors = fasttext_classifier._load(learner.fit(np.arange(40))).get_input_matrix()
    last = vectors[len(vectors) // 2 :]
    # A bucket that no pair of words falls into is never changed.
    assert (last == 0).all(axis=1).mean() > 0.9
    assert np.abs(vectors).max() < 100


def test_what_the_package_says_when_it_cannot_learn_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fasttext_classifier.SETTINGS, "lr", 1e20)
    learner = FasttextLearner(Texts.of(texts(SHOP, 8, 0)), np.repeat([1, 0], 4), 0)
    with pytest.raises(
        ValueError, match=r"fastText could not learn from these examples \(RuntimeError: Encountered NaN"
    ):
        learner.fit(np.arange(8))


def test_a_damaged_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"is damaged .*train it again"):
        fasttext_classifier._load(b"no model")
