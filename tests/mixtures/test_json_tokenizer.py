import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from kernels.texts import Texts
from mixtures.json_tokenizer import JsonTokenizer, train

EOS = "<|endoftext|>"
TEXTS = ["The quick brown fox jumps over the lazy dog, 1984 times.", "日本語のテキスト and emoji 🦊", "a\n\nb\tc"] * 20


@pytest.fixture(scope="module")
def data() -> bytes:
    written: str = train(iter(TEXTS), 400, EOS).to_str()
    return written.encode()


@given(text=st.text())
def test_any_text_comes_back_and_none_ends_a_document(data: bytes, text: str) -> None:
    loaded = JsonTokenizer(data, "x.json", EOS)
    text += EOS
    ids, _ = loaded.encode_by_reference([text])
    assert loaded.decode(ids) == text
    assert loaded.vocabulary.eos_id not in ids


def test_training_gives_the_same_bytes_again(data: bytes) -> None:
    assert train(iter(TEXTS), 400, EOS).to_str().encode() == data


def test_every_digit_is_a_token(data: bytes) -> None:
    ids, offsets = JsonTokenizer(data, "x.json", EOS).encode_batch(Texts.of(["1984", ""]))
    assert len(ids) == 4
    assert offsets.tolist() == [0, 4, 4]


def test_a_file_without_the_token_that_ends_documents_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no token \"</s>\".*<\|endoftext\|>"):
        JsonTokenizer(data, "x.json", "</s>")


def test_documents_are_whole_whatever_the_file_cuts_or_fills_up(data: bytes) -> None:
    kept: Tokenizer = Tokenizer.from_str(data.decode())
    kept.enable_truncation(3)
    kept.enable_padding(length=50)
    loaded = JsonTokenizer(kept.to_str().encode(), "x.json", EOS)
    ids, offsets = loaded.encode_by_reference(["The quick brown fox", "a"])
    assert loaded.decode(ids[: offsets[1]]) == "The quick brown fox"
    assert loaded.decode(ids[offsets[1] :]) == "a"
    assert loaded.encoded_by == "kernels and tiktoken"


@pytest.mark.parametrize("data", [b"{}", b"{", b"{\xff}"])
def test_another_file_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"x\.json is no tokenizer\.json"):
        JsonTokenizer(data, "x.json", EOS)
