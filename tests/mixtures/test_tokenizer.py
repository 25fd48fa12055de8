from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures import tokenizer

EOS = "<|endoftext|>"
TEXTS = ["The quick brown fox jumps over the lazy dog, 1984 times.", "日本語のテキスト and emoji 🦊", "a\n\nb\tc"] * 20


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(tokenizer.train(iter(TEXTS), 400, EOS).to_str())
    return str(path)


@given(text=st.text())
def test_any_text_comes_back_and_none_ends_a_document(path: str, text: str) -> None:
    loaded, eos = tokenizer.load(path, EOS)
    text += EOS
    (ids,) = tokenizer.encode(loaded, [text])
    assert loaded.decode(ids.tolist(), skip_special_tokens=False) == text
    assert eos not in ids


def test_training_gives_the_same_bytes_again(path: str) -> None:
    assert tokenizer.train(iter(TEXTS), 400, EOS).to_str() == Path(path).read_text()


def test_every_digit_is_a_token(path: str) -> None:
    loaded, _ = tokenizer.load(path, EOS)
    (ids,) = tokenizer.encode(loaded, ["1984"])
    assert len(ids) == 4


def test_a_file_without_the_token_that_ends_documents_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"no token \"</s>\".*<\|endoftext\|>"):
        tokenizer.load(path, "</s>")


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match=r"x\.json is no tokenizer\.json"):
        tokenizer.load(str(tmp_path / "x.json"), EOS)
