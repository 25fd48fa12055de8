import gzip
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import languages, make_languages
from filters.make_languages import Parallel, function_word_shares, words

DATA = Path(__file__).parents[2].parent / "shared/data"
DECLARATIONS, PAGES = DATA / "udhr/udhr2.zip", DATA / "pages/ground_truth.jsonl.gz"


@pytest.mark.skipif(not (DECLARATIONS.exists() and PAGES.exists()), reason="the shared data are not here")
def test_the_data_give_the_file_byte_for_byte() -> None:
    made = make_languages.to_yaml(make_languages.make(str(DECLARATIONS), str(PAGES)))
    assert made.encode() == (Path(languages.__file__).parent / "languages.yaml").read_bytes()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two words, - and more!", ["two", "words,", "and", "more!"]),
        ("人々は、平等", ["人", "々", "は", "平", "等"]),
        ("コーヒーを2杯", ["コーヒー", "を", "2", "杯"]),
        # A vowel sign or a tone mark stays on its letter.
        ("ที่นี่", ["ที่", "นี่"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("한국어는 좋다", ["한국어는", "좋다"]),
        ("が", ["が"]),
        ("", []),
    ],
)
def test_words_of_any_script(text: str, expected: list[str]) -> None:
    assert list(words(text)) == expected


@given(st.text())
def test_words_hold_every_letter_and_digit_once_and_in_order(text: str) -> None:
    spoken = [character for word in words(text) for character in word if character.isalnum()]
    assert spoken == [character for character in text if character.isalnum()]


def test_the_model_finds_which_words_stand_for_function_words() -> None:
    pairs = [
        (["el", "gato"], ["the", "cat"]),
        (["el", "perro"], ["the", "dog"]),
        (["gato", "o", "perro"], ["cat", "or", "dog"]),
        (["perro"], ["dog"]),
    ]
    shares = function_word_shares(pairs)
    assert min(shares["el"], shares["o"]) > 0.9
    assert max(shares["gato"], shares["perro"]) < 0.1


def test_ratios_are_of_the_same_articles() -> None:
    parallel = Parallel([["aaaa bb", "- ccc"]], [["a b c d", "e f."]])
    assert parallel.ratios() == {"words": 0.5, "word_length": 2.57, "characters": 1.09}


def declaration(stop_word: str, content: str) -> str:
    """Thirty articles of different lengths, each with a heading, and a title before and a note behind them."""
    articles = []
    for n in range(1, 31):
        words = " ".join([stop_word, f"{content}{n}"] * (1 + n * n % 17))
        articles.append(f"   Article {n}\n      {words} and so it goes.")
    return "\n   \n".join(["The title", *articles, "   Note\n      of the publisher"])


def test_articles_are_found_between_what_is_before_and_after() -> None:
    english = make_languages._articles(declaration("the", "word").rsplit("\n   \n", 1)[0])
    assert len(english) == 30
    found = make_languages._articles(declaration("das", "wort"), english)
    assert [article[0].split()[:2] for article in found] == [["das", f"wort{n}"] for n in range(1, 31)]
    # Articles in another order, or fewer of them, are not the same text.
    backwards = reversed(declaration("das", "wort").split("\n   \n"))
    assert make_languages._articles("\n   \n".join(backwards), english) == []
    assert make_languages._articles("Title\n   \nArticle 1\nText", english) == []


def test_a_language_without_enough_stop_words_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_languages, "FILES", {"en": "eng", "de": "deu"})
    with zipfile.ZipFile(tmp_path / "udhr.zip", "w") as archive:
        archive.writestr("udhr2/eng.txt", declaration("the", "word").rsplit("\n   \n", 1)[0])
        archive.writestr("udhr2/deu.txt", declaration("das", "wort"))
    with gzip.open(tmp_path / "pages.jsonl.gz", "wt") as file:
        file.write(json.dumps({"text": "The people of the town have a plan for the park."}) + "\n")
    made = make_languages.make(str(tmp_path / "udhr.zip"), str(tmp_path / "pages.jsonl.gz"))
    assert list(made) == ["en"]
