import unicodedata
from dataclasses import FrozenInstanceError

import pytest

from filters import language, languages


def test_english_is_the_measure_and_keeps_gophers_stop_words() -> None:
    english = languages.load()["en"]
    assert (english.words, english.word_length, english.characters) == (1, 1, 1)
    assert english.stop_words == ("the", "be", "to", "of", "and", "that", "have", "with")
    with pytest.raises(FrozenInstanceError):
        english.words = 2  # type: ignore[misc]


def test_labels_and_words_are_written_as_the_model_and_the_web_write_them() -> None:
    known = {label.removeprefix("__label__") for label in language.load_model(None).get_labels()}
    assert set(languages.load()) <= known
    # Composed, as the web writes it.
    words = [word for entry in languages.load().values() for word in entry.stop_words]
    assert all(unicodedata.is_normalized("NFC", word) for word in words)
    # What YAML would read as false if it were not quoted.
    assert "no" in languages.load()


def test_every_entry_is_a_language_that_could_be() -> None:
    for label, entry in languages.load().items():
        assert 0.4 < entry.words < 5, label
        assert 0.15 < entry.word_length < 3, label
        assert 0.2 < entry.characters < 2, label
        assert 8 <= len(set(entry.stop_words)) == len(entry.stop_words) <= 20, label
        assert all(type(word) is str and word == word.lower().strip() for word in entry.stop_words), label


@pytest.mark.parametrize(
    ("label", "function_words", "content_words"),
    [
        ("de", "und der die oder für", "recht rechte mensch freiheit jeder"),
        ("fr", "de et la dans pour", "droit droits personne liberté"),
        ("es", "de y la que por", "derecho persona libertad"),
        ("ru", "и в или не", "право человек имеет свободу"),
        ("pl", "i w nie się", "prawo człowiek wolności"),
        ("el", "και να που από", "δικαίωμα άτομο"),
        ("tr", "ve veya bir için", "hak herkes sosyal"),
        ("ar", "في أو من على", "الحق شخص حرية"),
        ("hi", "के और का में", "अधिकार व्यक्ति समान"),
        ("ko", "또는 수", "권리를 사람은 자유를"),
        ("zh", "的 和 不", "权 国 法"),
        ("ja", "の に は と", "権 国 法"),
        ("vi", "và của được", "quyền luật"),
    ],
)
def test_stop_words_are_function_words_and_not_what_the_declaration_is_about(
    label: str, function_words: str, content_words: str
) -> None:
    stop_words = set(languages.load()[label].stop_words)
    assert set(function_words.split()) <= stop_words
    assert not set(content_words.split()) & stop_words
