"""CCNet's plain text against plain Python, on every code point and on made-up text."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.ccnet_normal import normalise
from kernels.texts import Texts

SIGNS = dict(zip("，、。„”“«»」「《》´∶：？！（）；–～’━〈〉【】％►", ',,."""""""""\'::?!();-~\'-<>[]%-', strict=True))
SIGNS |= {"—": " - ", "．": ". ", "…": "..."}


def twin(text: str) -> str:
    """CCNet's steps one after the other; the new line, which it takes away, stays."""
    text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
    text = "".join(SIGNS.get(c, c) for c in re.sub(r"\d", "0", text))
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", "", text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Über 42 Äpfel — „gut“ …", 'uber 00 apfel  -  "gut" ...'),
        ("１２، İstanbul\tÅ\r\nİ", "00، istanbula\ni"),
        ("ΟΔΟΣ ΣΑΣ.", "οδος σας."),
        ("한글", unicodedata.normalize("NFD", "한글")),
        ("", ""),
    ],
)
def test_known_lines(text: str, plain: str) -> None:
    assert normalise(Texts.of([text])).to_list() == [plain] == [twin(text)]


def test_every_code_point() -> None:
    text = "\n".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    wanted = twin(text)
    assert normalise(Texts.of([text])).to_list() == [wanted]
    assert sum(a != b for a, b in zip(text.split("\n"), wanted.split("\n"), strict=True)) > 15_000


# Letters whose order or outcome depends on their neighbours among them; marks that are not accents are not reordered.
LETTERS = st.sampled_from("aZ09ÀéÅΣσς\u0301\u0323 \n\t\x00\x85\xa0—…１٣日한İß'\u00ad🦊\u200b")


@given(st.lists(st.text(st.one_of(LETTERS, st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs", "Mc"])))))
def test_any_texts(texts: list[str]) -> None:
    batch = Texts.of(["x", *texts, "Σ" if len(texts) % 2 else "y"], ["en"] * (len(texts) + 2))
    found = normalise(batch)
    assert found.to_list() == [twin(text) for text in batch.to_list()]
    assert found.languages == batch.languages
    part = Texts.of(batch.to_arrow()[1 : len(texts) + 1])
    assert normalise(part).to_list() == [twin(text) for text in texts]
