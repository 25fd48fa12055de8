import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.blocks import cut
from kernels.texts import Texts


def twin(text: str, size: int) -> list[str]:
    blocks, block, lines = [], "", text.split("\n")
    for n, line in enumerate(lines):
        block += ("\n" if n else "") + line
        if len(block.replace("\n", "")) >= size:
            blocks.append(block)
            block = ""
    if blocks and len(block.replace("\n", "")) < size / 2:
        blocks[-1] += block
    elif block:
        blocks.append(block)
    return blocks


lines = st.text(alphabet="ab é漢1 .\n", max_size=60) | st.text(max_size=20)


@given(st.lists(lines, max_size=5), st.integers(1, 12))
def test_blocks_are_whole_lines_and_together_the_text(texts: list[str], size: int) -> None:
    batch = Texts.of(["before\n", *texts])
    blocks, first, letters = cut(batch, size)
    found = blocks.to_list()
    assert len(found) == first[-1] == len(letters)
    for n, text in enumerate(["before\n", *texts]):
        some = found[first[n] : first[n + 1]]
        assert some == twin(text, size)
        assert "".join(some) == text
    assert letters.tolist() == [sum(map(str.isalpha, block)) for block in found]


def test_no_texts() -> None:
    blocks, first, letters = cut(Texts.of([]), 500)
    assert (len(blocks), first.tolist(), len(letters)) == (0, [0], 0)
    assert first.dtype == np.int64
