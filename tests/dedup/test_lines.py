import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dedup.lines import repeated, without_lines
from kernels.signatures import line_hashes
from kernels.texts import Texts


def all_repeated(*texts: str) -> np.ndarray:
    return repeated(line_hashes(Texts.of(texts)))


def test_case_digits_and_punctuation_do_not_make_a_line_new() -> None:
    text = "Posted on 3 May, 2019\nposted on 7 may 2021 \nPosted on 12 May 2019"
    one, two, three = line_hashes(Texts.of([text])).tolist()
    assert one == two != three, "12 has two digits, and a digit stays a digit"


def test_all_copies_of_a_repeated_line_go() -> None:
    a, b = "Home | About\nThe story of a bridge.", "The tale of a river.\nhome  about"
    a = a.replace("Home | About", "Home: About")
    b = b.replace("home  about", "home about")
    gone = all_repeated(a, b)
    assert without_lines(Texts.of([a, b]), gone) == ["The story of a bridge.", "The tale of a river."]


def test_lines_without_content_are_never_repeated() -> None:
    text = "---\n\nwords\n---\n\n***"
    assert without_lines(Texts.of([text]), all_repeated(text)) == [text]


def test_a_text_without_repeats_is_untouched() -> None:
    text = "  spaces before\nand after  "
    assert without_lines(Texts.of([text]), all_repeated(text)) == [text]


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c c", "d", "", "!"])), max_size=6))
def test_what_is_left_occurs_once_and_nothing_else_is_lost(documents: list[list[str]]) -> None:
    texts = ["\n".join(lines) for lines in documents]
    gone = all_repeated(*texts) if texts else np.empty(0, np.uint64)
    lines = [line for text in texts for line in text.split("\n")]
    left = [line for text in without_lines(Texts.of(texts), gone) for line in text.split("\n") if line.strip(" !")]
    assert left == [line for line in lines if line.strip(" !") and lines.count(line) == 1]
