from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dedup.exact import first_copies
from kernels import signatures
from kernels.texts import Texts


def text_hashes(texts: Iterable[str]) -> np.ndarray:
    return signatures.text_hashes(Texts.of(list(texts)))


def test_case_and_white_space_do_not_make_a_text_new() -> None:
    hashes = text_hashes(["One  text\n", "one text", "another text", "ONE\tTEXT"])
    assert first_copies(hashes).tolist() == [0, 0, 2, 0]


@given(st.lists(st.text(alphabet="ab ", max_size=4)))
def test_the_first_copy_is_the_one_a_dictionary_finds(texts: list[str]) -> None:
    seen: dict[str, int] = {}
    wanted = [seen.setdefault(" ".join(text.lower().split()), n) for n, text in enumerate(texts)]
    assert first_copies(text_hashes(texts)).tolist() == wanted


def test_hashes_are_128_bits() -> None:
    hashes = text_hashes(map(str, range(1000)))
    assert hashes.shape == (1000, 2)
    assert len(np.unique(hashes[:, 0])) == len(np.unique(hashes[:, 1])) == 1000
