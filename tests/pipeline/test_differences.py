from hypothesis import given
from hypothesis import strategies as st

from pipeline.differences import COMPARED_WORDS, SHOWN_WORDS, Difference, first_difference


@given(st.lists(st.sampled_from("abcdef"), max_size=30), st.lists(st.sampled_from("ABCDEF"), max_size=30))
def test_the_first_difference_is_where_the_words_part(left: list[str], right: list[str]) -> None:
    difference = first_difference("  ".join(left), "\n".join(right))
    folded = [word.casefold() for word in right]
    if difference is None:
        assert left == folded
        return
    at_word = difference.word - 1
    assert left[:at_word] == folded[:at_word]
    assert left[at_word : at_word + 1] != folded[at_word : at_word + 1]
    for words, shown in ((left, difference.removed), (right, difference.repeated)):
        excerpt = shown.removesuffix(" …").split()
        assert excerpt == words[at_word : at_word + len(excerpt)]
    assert difference.removed or difference.repeated


def test_differences_beyond_the_words_compared_are_none() -> None:
    start = "word " * COMPARED_WORDS
    assert first_difference(start + "this", start + "that") is None
    assert first_difference("这是一本好书", "这是一本坏书") == Difference(5, "好", "坏")


def test_a_long_difference_is_cut_and_on_one_line() -> None:
    difference = first_difference("same " + "new\n" * 100, "same")
    assert difference == Difference(2, " ".join(["new"] * SHOWN_WORDS) + " …", "")
