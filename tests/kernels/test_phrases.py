"""Phrases against regular expressions with rules for their edges, and against what a person would say."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import phrase_trie, phrases
from kernels.characters import SYMBOLS, fold
from kernels.texts import Texts
from tests.kernels import twins


def found(text: str, *wanted: str) -> list[int]:
    [row] = phrases.find(Texts.of([text]), np.arange(1), phrase_trie.of(wanted))
    return list(map(int, row))


def matches(text: str, *wanted: str) -> int:
    return found(text, *wanted)[0]


def counts(character: str) -> bool:
    name = unicodedata.name(character, "")
    format_character = unicodedata.category(character) == "Cf" and character != "\u200b"
    return not format_character and not name.startswith("VARIATION SELECTOR")


def kinds(text: str) -> list[str]:
    """Of each character: the script if it is of a word, a mark's being its letter's, and "" if it is not."""
    out: list[str] = []
    for character in text:
        if not twins.is_word(character):
            out.append("")
        else:
            joins = twins.is_mark(character) and out and out[-1]
            out.append(out[-1] if joins else twins.script(character))
    return out


def is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] == "P" or character in SYMBOLS


def stands(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` is a word or phrase there, not a part of one."""
    kind = kinds(text)
    for inside, outside in (start, start - 1), (end - 1, end):
        if not 0 <= outside < len(text) or not kind[outside]:
            continue
        if not kind[inside]:
            if is_sign(text[inside]) and twins.script(text[outside]) == "spaced" and kind[outside] == "spaced":
                return False
        elif twins.is_mark(text[max(inside, outside)]) or kind[inside] == kind[outside] != "unspaced":
            return False
    return True


def twin(text: str, wanted: list[str]) -> list[int]:
    shown = "".join(filter(counts, text))
    places = [place for place, character in enumerate(text) if counts(character)]
    folded = "".join(map(fold, shown))
    patterns = []
    for number, phrase in enumerate(wanted):
        for form in "NFC", "NFD":
            normal = "".join(map(fold, filter(counts, unicodedata.normalize(form, phrase))))
            patterns.append((number, re.compile(r"\s+".join(map(re.escape, normal.split())))))
    hits, at = [], 0
    while at < len(shown):
        ends = [(m.end(), -n) for n, pattern in patterns if (m := pattern.match(folded, at))]
        ends = [(end, number) for end, number in ends if stands(shown, at, end)]
        if ends:
            end, number = max(ends)
            hits.append((-number, places[at], places[end - 1] + 1))
            at = end
        else:
            at += 1
    spans, place = [], 0
    for word in twins.words(text):
        place = text.index(word, place)
        spans.append((place, place + len(word)))
        place += len(word)
    words = sum(any(start < b and end > a for _, a, b in hits) for start, end in spans)
    return [len(hits), words, len({n for n, _, _ in hits}), hits[0][0] if hits else -1]


# Few letters, so that phrases occur: Latin with marks in either form, signs, emoji, Hebrew, Hangul, Hindi with its
# marks, Thai with its marks, Han, Hiragana, both widths of Katakana, and what is not seen.
LETTERS = "abAéÉe\u0301ß1_@$-'. \n\u3000🙂👍\ufe0fאב가각कि\u093cกำ่中文々ひらーカタｶﾞ\u00ad\u200b\u200c\u200d\u200e"
words_of = st.text(alphabet=LETTERS, min_size=1, max_size=5).filter(phrase_trie.can_be_found)


@given(st.lists(words_of, min_size=1, max_size=6), st.data())
def test_phrases_equal_their_twin(wanted: list[str], data: st.DataObject) -> None:
    pieces = st.one_of(st.sampled_from(wanted), st.text(alphabet=LETTERS, max_size=4))
    texts = data.draw(st.lists(st.lists(pieces, max_size=8).map("".join), min_size=1, max_size=3))
    rows = phrases.find(Texts.of(texts), np.arange(len(texts)), phrase_trie.of(wanted))
    assert rows.tolist() == [twin(text, wanted) for text in texts]


@given(st.lists(st.text(min_size=1, max_size=4).filter(phrase_trie.can_be_found), min_size=1, max_size=4), st.data())
def test_phrases_of_any_characters_equal_their_twin(wanted: list[str], data: st.DataObject) -> None:
    pieces = st.one_of(st.sampled_from(wanted), st.text(max_size=3), st.just(" "))
    text = data.draw(st.lists(pieces, max_size=8).map("".join))
    assert found(text, *wanted) == twin(text, wanted)


@pytest.mark.parametrize(
    ("text", "wanted", "count"),
    [
        ("Scunthorpe, Essex, classic; unclassified", ("cunt", "sex", "ass", "class"), 0),
        ("Such a bad-word, BAD! (bad) bad's 'bad'", ("bad",), 5),
        ("bad1 1bad badé bade\u0301 snake_bad bad", ("bad",), 2),
        ("two\n\t girls, two\u00a0girls, two-girls, twogirls", ("two girls",), 2),
        ("плохое ПЛОХОЕ плохоед", ("плохое",), 2),
        ("Άσχημο άσχημο ασχημο", ("άσχημο",), 2),
        ("كلمة سيئة والكلمة", ("كلمة",), 1),
        ("나쁜 나쁜말 나쁜", ("나쁜",), 2),
        ("बुरा बुराई बुर", ("बुरा", "बुर"), 2),
        # Without spaces, but not between a letter and the marks on it.
        ("这是坏词语言", ("坏词",), 1),
        ("นี่คือคำหยาบคายนะ", ("คำหยาบ",), 1),
        ("กั กัน ก", ("ก",), 1),
        ("これはばか者です", ("ばか",), 1),
        ("ピエロと エロ", ("エロ",), 1),
        ("悪いエロ漫画", ("エロ漫画",), 1),
        ("エロスエロ漫画", ("エロ漫画",), 0),
        ("超bad者 超badx", ("bad",), 1),
        # Signs are letters of a phrase that they begin or end.
        ("me@ss.com @ss, 中@ss", ("@ss",), 2),
        ("c++ c++11 c+", ("c++",), 1),
        ("you🖕 🖕🖕\ufe0f!", ("🖕",), 3),
        # What is not seen does not hide a word.
        ("two \u00ad girls", ("two girls",), 1),
        ("b\u00adad \u200ebad\u200f b\u200bad", ("bad",), 2),
        # Composed or decomposed.
        ("caf\u00e9 cafe\u0301", ("caf\u00e9",), 2),
        ("caf\u00e9 cafe\u0301", ("cafe\u0301",), 2),
        ("abe\u0301 ab\u00e9", ("ab\u00e9",), 2),
        ("葛\U000e0100飾区", ("葛飾",), 1),
        ("k is K IS kis", ("k is",), 2),
        ("STRASSE Straße", ("straße",), 1),
    ],
)
def test_where_a_phrase_stands(text: str, wanted: tuple[str, ...], count: int) -> None:
    assert matches(text, *wanted) == count


def test_the_longest_at_each_place_and_none_in_another() -> None:
    assert found("bad word of bad, word bad word", "bad", "bad word", "word of") == [3, 5, 2, 1]
    assert found("a b c d", "a b c x", "b c") == [1, 2, 1, 1]
    assert found("bad-bad-bad bad", "bad") == [4, 2, 1, 0]


def test_no_phrase_and_no_text() -> None:
    assert found("bad") == [0, 0, 0, -1]
    assert found("", "bad") == [0, 0, 0, -1]
    assert phrases.find(Texts.of([]), np.arange(0), phrase_trie.of(["bad"])).shape == (0, 4)


def test_only_the_rows_asked_for_and_each_by_itself() -> None:
    texts = Texts.of(["bad", "worse bad", "bad", "worse"])
    known = phrase_trie.of(["bad", "worse", "bad"])
    assert phrases.find(texts, np.array([3, 1]), known).tolist() == [[1, 1, 1, 1], [2, 2, 2, 1]]


def test_what_has_no_character_that_shows_cannot_be_found() -> None:
    assert [phrase_trie.can_be_found(p) for p in ("", " \n", "\u00ad", "\ufe0f", "a", "🙂")] == [False] * 4 + [True] * 2
