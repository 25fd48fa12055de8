"""Cut pieces against the regular expressions themselves, as Hugging Face's tokenizers run them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from kernels.split_pieces import Form, cut, kinds
from kernels.texts import Texts
from mixtures.byte_level import CL100K, LLAMA3, O200K, QWEN

FORMS = {
    LLAMA3: Form(numbers=3, cased=False, space_at_end=False),
    QWEN: Form(numbers=1, cased=False, space_at_end=False),
    CL100K: Form(numbers=3, cased=False, space_at_end=True),
    O200K: Form(numbers=3, cased=True, space_at_end=False),
}
# Every kind of character, and every letter of a suffix.
LETTERS = " \n\r\t\xa0\x1c\u2028'sStlLrevEmMdDaAéÉǅʰ日\u0301\u0903ſ1½٣/!?🦊-"


def pieces(texts: list[str], form: Form, at_a_time: int) -> list[list[str]]:
    batch = Texts.of(texts)
    bounds, ends = np.empty(at_a_time + 1, np.int64), np.zeros(len(texts), np.int64)
    unknown = np.zeros(len(texts), np.bool_)
    text, at, found = 0, 0, list[list[str]]([[] for _ in texts])
    while text < len(texts):
        first = text
        text, at, count = cut(batch.data, batch.offsets, form, kinds(), (text, at), bounds, ends, unknown)
        cuts = [batch.data[a:b].tobytes().decode() for a, b in pairwise(bounds[: count + 1])]
        starts = [0, *ends[first:text].tolist(), count]
        for row, (a, b) in enumerate(pairwise(starts[: text - first + 2]), first):
            if row < len(texts):
                found[row] += cuts[a:b]
    assert not unknown.any()
    return found


@pytest.mark.parametrize("pattern", FORMS, ids=["llama3", "qwen", "cl100k_base", "o200k_base"])
@pytest.mark.parametrize("at_a_time", [1000, 3])
def test_pieces_are_those_of_the_pattern(pattern: str, at_a_time: int) -> None:
    split = pre_tokenizers.Split(Regex(pattern), "isolated")

    @given(st.lists(st.text(st.sampled_from(LETTERS), max_size=14), min_size=1, max_size=8))
    def any_texts(texts: list[str]) -> None:
        wanted = [[piece for piece, _ in split.pre_tokenize_str(text)] for text in texts]
        assert pieces(texts, FORMS[pattern], at_a_time) == wanted

    any_texts()


@pytest.mark.parametrize(
    ("text", "noted"), [("a\u0378", True), ("!!!\u0378", True), ("1 \n\u0378", True), ("a!1 ", False)]
)
@pytest.mark.parametrize("form", FORMS.values(), ids=["llama3", "qwen", "cl100k_base", "o200k_base"])
def test_a_character_that_is_not_assigned_is_noted(text: str, noted: bool, form: Form) -> None:
    batch, unknown = Texts.of(["a", text, ""]), np.zeros(3, np.bool_)
    cut(batch.data, batch.offsets, form, kinds(), (0, 0), np.empty(20, np.int64), np.zeros(3, np.int64), unknown)
    assert unknown.tolist() == [False, noted, False]
