import numpy as np
import pyarrow as pa
import pytest

from kernels import texts as texts_module
from kernels.texts import Texts

STRINGS = ["One.", "", "zwei Wörter", "三\n\x00 🙂"]


def test_texts_come_back_as_they_were() -> None:
    assert Texts.of(STRINGS).to_list() == STRINGS
    assert Texts.of([]).to_list() == []
    assert len(Texts.of(STRINGS)) == 4


def test_a_slice_of_an_array_is_its_texts_and_shares_its_bytes() -> None:
    array = pa.array(STRINGS, pa.large_string())
    sliced = Texts.of(array.slice(1, 2))
    assert sliced.to_list() == STRINGS[1:3]
    assert np.shares_memory(sliced.data, np.frombuffer(array.buffers()[2], np.uint8))
    assert sliced.words.first.tolist() == [0, 0, 2]


def test_a_null_is_refused() -> None:
    with pytest.raises(ValueError, match="text 1 of the batch is null"):
        Texts.of(pa.array(["a", None], pa.large_string()))


@pytest.mark.parametrize("damage", [b"ab\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"])
def test_bytes_that_are_no_utf8_are_refused(damage: bytes) -> None:
    """A stray byte, a cut character, half of a surrogate pair, an overlong NUL, and what is beyond Unicode."""
    offsets = pa.py_buffer(np.array([0, 2, 2 + len(damage)]))
    array = pa.Array.from_buffers(pa.large_string(), 2, [None, offsets, pa.py_buffer(b"ok" + damage)])
    with pytest.raises(ValueError, match="not UTF-8"):
        Texts.of(array)


def test_a_text_too_large_for_its_places_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts_module, "MAX_BYTES", 4)
    assert len(Texts.of(["four"])) == 1
    with pytest.raises(ValueError, match="text 1 of the batch has 5 bytes; the most is 4: split it"):
        Texts.of(["four", "fiver"])
