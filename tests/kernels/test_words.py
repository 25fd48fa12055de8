"""Words in scripts without spaces against another implementation of UAX #29: the one in the `regex` package."""

import unicodedata

import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from kernels.texts import Texts
from tests.kernels import twins

# What the scripts are written in; punctuation stays out, since UAX #29 makes each sign of it a piece of its own.
HAN, HIRAGANA, KATAKANA = "中文网页的内容世界々", "ひらがなのことば", "カタカナコンピューター"
THAI, KHMER, LATIN = "กำลังเรียนภาษาไทยน้ำ", "ភាសាខ្មែរ", "abcZé9"


def words(text: str) -> list[str]:
    batch = Texts.of([text])
    found, data = batch.words, bytes(batch.data)
    return [data[s : s + n].decode() for s, n in zip(found.start.tolist(), found.size.tolist(), strict=True)]


def uax29(text: str) -> list[str]:
    """What default word boundaries part, less the white space."""
    return [piece for piece in regex.split(r"\b", text, flags=regex.V1 | regex.WORD) if piece.strip()]


@given(st.text(alphabet=HAN + HIRAGANA + KATAKANA + THAI + KHMER + LATIN + "  ", max_size=40))
def test_words_are_those_of_uax29(text: str) -> None:
    # A mark on nothing is where the other implementation leaves the standard.
    assume(not regex.search(r"(^|\s)\p{M}", text))
    assert words(text) == uax29(text)


def test_every_letter_parts_words_as_uax29_has_it() -> None:
    letters = [c for c in map(chr, range(0x80, 0x32000)) if unicodedata.category(c)[0] == "L"]
    for letter in letters:
        # Between Latin letters, beside itself, behind a Han character and between Katakana.
        for text in f"a{letter}b", letter * 2, f"中{letter}", f"カ{letter}カ":
            assert twins.words(text) == uax29(text), text
    together = "\n".join(f"a{letter}b {letter * 2} 中{letter} カ{letter}カ" for letter in letters)
    assert words(together) == twins.words(together)


def test_some_words() -> None:
    assert words("日本語のコンピューターは2台。") == ["日", "本", "語", "の", "コンピューター", "は", "2", "台", "。"]
    assert words("ภาษา Thai-ไทย") == ["ภ", "า", "ษ", "า", "Thai-", "ไ", "ท", "ย"]
    assert words("한국어는 띄어쓰기를 한다.") == ["한국어는", "띄어쓰기를", "한다."]
