"""Bad words: which lists a document is looked at with, and datatrove's C4BadWordsFilter as a peer."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datatrove.data import Document
from datatrove.pipeline.filters import C4BadWordsFilter

from filters import bad_words, rules
from kernels import phrase_trie
from kernels.texts import Texts


def write(path: Path, *lines: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def measured(texts: list[str], languages: list[str | None] | None = None, **parameters: Any) -> dict[str, list[Any]]:
    columns, _ = rules.measure(Texts.of(texts, languages), rules.resolve([{"bad_words": parameters}]))
    return {name.removeprefix("bad_words_"): column.tolist() for name, column in columns.items()}


def test_signals(tmp_path: Path) -> None:
    listed = write(tmp_path / "mine.txt", "# mild words", "Drat", "", "dang it", "ドジ", "คำแย่", "坏蛋")
    texts = [
        "Drat, he said, and DRAT again.",
        "Dang\nit! Drat-drat. Hydrated dang items.",
        "彼はドジ。ドジョウは魚。",
        "นี่คือคำแย่มาก",
        "他是坏蛋吗",
        "Nothing here.",
        "",
    ]
    assert measured(texts, lists=listed) == {
        "matches": [2, 3, 1, 1, 1, 0, 0],
        "different": [1, 2, 1, 1, 1, 0, 0],
        "ratio": [2 / 6, 3 / 6, 1 / 8, 4 / 10, 2 / 5, 0, 0],
        "first": ["Drat", "dang it", "ドジ", "คำแย่", "坏蛋", "", ""],
    }


def test_a_list_is_for_the_language_that_names_it(tmp_path: Path) -> None:
    lists = [
        write(tmp_path / "en", "gift"),
        write(tmp_path / "de.txt", "pfui"),
        write(tmp_path / "fil", "bisyo"),
        write(tmp_path / "fr-CA-u-sd-caqc", "zut"),
        write(tmp_path / "deu_Latn.txt", "igitt"),
        write(tmp_path / "everywhere", "drat"),
    ]
    text = "gift pfui bisyo zut igitt drat"
    languages = ["en", "de", "tl", "fr", "deu_Latn", "pl", None, ""]
    found = measured([text] * 8, languages, lists=lists)
    assert found["matches"] == [2, 2, 2, 2, 2, 1, 6, 6]
    assert found["first"] == ["gift", "pfui", "bisyo", "zut", "igitt", "drat", "gift", "gift"]
    assert measured([text] * 8, languages, lists=lists, by_language=False)["matches"] == [6] * 8
    # Each document by itself, whatever the batch.
    assert measured([text], ["de"], lists=lists)["first"] == ["pfui"]


@pytest.mark.parametrize(
    ("file", "language"),
    [
        ("lists/en", "en"),
        ("zh.txt.gz", "zh"),
        ("tlh", "tlh"),
        ("kab", "kab"),
        ("fil", "tl"),
        ("pt-BR", "pt"),
        ("eng_Latn", "eng_Latn"),
        ("bad", ""),
        ("words", ""),
        ("bad-words-en", ""),
        ("EN", ""),
    ],
)
def test_names_that_are_languages(file: str, language: str) -> None:
    assert bad_words.language_of(file) == language


def test_the_reason_does_not_say_the_word(tmp_path: Path) -> None:
    parameters = {"lists": write(tmp_path / "en", "drat"), "max_ratio": 0.1}
    families = rules.resolve([{"bad_words": parameters}])
    columns, _ = rules.measure(Texts.of(["drat", "all is well", "drat " + "well " * 20], ["en"] * 3), families)
    verdicts = rules.judge(families, columns, 3)
    assert rules.reasons(families, verdicts, columns).to_pylist() == ["bad_words", None, "bad_words"]
    assert verdicts.failed.tolist() == [0b11, 0, 0b01]
    families = rules.resolve([{"bad_words": {**parameters, "max_matches": None}}])
    assert rules.rule_names(families) == ["bad_words_ratio"]


def test_lists_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad_words: there is nothing to look for; name your lists"):
        rules.resolve(["bad_words"])
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path}/en has no entries")):
        rules.resolve([{"bad_words": {"lists": write(tmp_path / "en", "# nothing")}}])
    with pytest.raises(ValueError, match=re.escape("de, line 2: '\\u200d' has no character that shows; leave")):
        rules.resolve([{"bad_words": {"lists": write(tmp_path / "de", "pfui", "\u200d")}}])


def test_a_list_that_changes_is_read_again(tmp_path: Path) -> None:
    listed = write(tmp_path / "en", "drat")
    assert measured(["drat heck"], ["en"], lists=listed)["matches"] == [1]
    write(tmp_path / "en", "drat", "heck")
    assert measured(["drat heck"], ["en"], lists=listed)["matches"] == [2]


PLAIN = "[a-z]{4,12}"


def real_texts(folder: Path) -> list[str]:
    """Texts that people cleaned by hand; what C4's expression takes for parts of words (marks, "_") is blanked."""
    with gzip.open(folder / "pages/ground_truth.jsonl.gz", "rt") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return [re.sub(r"[^\w\s.,;:!?-]|[^\u0000-\u024f]|_", " ", text) for text in texts]


@pytest.mark.parametrize("language", ["en", "th"])
def test_verdicts_equal_datatroves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Path, language: str
) -> None:
    texts = real_texts(shared_data)[::4]
    counts = Counter(word for text in texts for word in set(re.findall(rf"\b{PLAIN}\b", text)))
    rare = sorted(word for word, count in counts.items() if count == 2)
    listed = write(tmp_path / language, *rare[::40], *(f"{a} {b}" for a, b in zip(rare[:50], rare[50:], strict=False)))
    monkeypatch.setattr("datatrove.pipeline.filters.c4_filters.cached_asset_path_or_download", lambda *_, **__: listed)
    if language == "th":
        # datatrove looks for words of Thai anywhere; so do we where the text is Thai.
        thai = {word: "".join(chr(0x0E01 + ord(c) - ord("a")) for c in word) for word in [*rare[::40], "drat"]}
        listed = write(tmp_path / language, *list(thai.values())[::3])
        texts = ["".join(thai.get(word, "ๆ") for word in re.findall(PLAIN, text)) for text in texts]
    peer = C4BadWordsFilter(default_language=language)
    theirs = [peer.filter(Document(text, "", metadata={"language": language})) is not True for text in texts]
    ours = measured(texts, [language] * len(texts), lists=listed)["matches"]
    assert 20 < sum(theirs) < len(texts) - 20
    assert [count > 0 for count in ours] == theirs


def test_columns_of_no_text() -> None:
    columns, _ = bad_words.measure(Texts.of([]), lists=[], by_language=True)
    assert {name: len(np.asarray(column)) for name, column in columns.items()} == dict.fromkeys(columns, 0)


def test_languages_with_the_same_lists_share_what_is_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of 40,000 entries takes a second and 30 MB, and a crawl has 176 languages."""
    made: list[int] = []
    of = phrase_trie.of
    monkeypatch.setattr(phrase_trie, "of", lambda entries: made.append(len(entries)) or of(entries))
    listed = [write(tmp_path / "mine.txt", "drat"), write(tmp_path / "en", "dang")]
    found = measured(["drat dang"] * 5, ["de", "en", "fr", "th", None], lists=listed)
    assert found["matches"] == [1, 2, 1, 1, 2]
    assert made == [2, 1]
