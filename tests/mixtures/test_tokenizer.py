from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from kernels.texts import Texts
from mixtures import tokenizer
from mixtures.fast_encoder import Encoder
from mixtures.json_tokenizer import JsonTokenizer, train
from mixtures.token_shards import Vocabulary

EOS = "<|endoftext|>"
TEXTS = ["The quick brown fox jumps over the lazy dog, 1984 times.", "日本語のテキスト and emoji 🦊", "a\n\nb\tc"] * 20


def made(special: bool = True) -> Tokenizer:
    found = train(iter(TEXTS), 400, EOS)
    if not special:
        found.add_tokens(["<end>"])
    return found


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "tokenizer.json").write_text(made().to_str())
    return f"{tmp_path}/tokenizer.json"


def test_a_file_that_has_not_changed_is_opened_once(path: str) -> None:
    first = tokenizer.load(path, EOS)
    assert tokenizer.load(path, EOS) is first
    assert first.vocabulary == Vocabulary(size=327, eos_id=0)
    Path(path).write_text(made(special=False).to_str())
    assert tokenizer.load(path, EOS).vocabulary == Vocabulary(size=328, eos_id=0)


def test_a_tokenizer_json_is_kept_as_it_is(path: str) -> None:
    given = tokenizer.adopt(path)
    assert given == tokenizer.Given("tokenizer.json", Path(path).read_bytes(), EOS)


@pytest.mark.parametrize("key", ["pattern", "eos_id"])
def test_keys_of_a_tiktoken_file_are_refused_with_another(key: str, path: str) -> None:
    value = {"pattern": "gpt2", "eos_id": 0}[key]
    with pytest.raises(ValueError, match=rf"tokenizer\.json is no tiktoken file, and .* tokenizer\.{key} would: leave"):
        tokenizer.adopt(path, **{key: value})  # type: ignore[arg-type]


def test_a_token_that_texts_can_have_does_not_end_documents(path: str) -> None:
    Path(path).write_text(made(special=False).to_str())
    with pytest.raises(ValueError, match=r'tokenizer\.json takes "<end>" in a text for the token itself'):
        tokenizer.load(path, "<end>")


class Wrong(JsonTokenizer):
    """Encodes the third text as another library would that is not alike."""

    def encode_batch(self, texts: Texts) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        ids, offsets = super().encode_batch(texts)
        if len(texts) > 2:
            ids[offsets[2]] += 1
        return ids, offsets


def test_what_texts_become_is_checked_against_the_reference(path: str) -> None:
    loaded = Wrong(Path(path).read_bytes(), path, EOS)
    tokenizer.check(loaded, Texts.of(TEXTS[:2]))
    with pytest.raises(AssertionError, match="other ids than the tokenizer's own library gives"):
        tokenizer.check(loaded, Texts.of(TEXTS))


def test_no_more_is_checked_than_is_cheap(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, seen = tokenizer.load(path, EOS), list[int]()

    def count(self: JsonTokenizer, texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        seen.append(len(texts))
        return self.encode_batch(Texts.of(texts))

    monkeypatch.setattr(JsonTokenizer, "encode_by_reference", count)
    for texts in (["a"] * 100, ["a" * 30_000] * 100, ["a" * 64_001, "a", "b"], []):
        tokenizer.check(loaded, Texts.of(texts))
    assert seen == [32, 2, 2, 0]


def test_the_comparison_waits_for_a_text(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who only asks for the vocabulary need not wait a second."""
    loaded = JsonTokenizer(Path(path).read_bytes(), path, EOS)
    monkeypatch.setattr(Encoder, "of", None)
    assert loaded.vocabulary.eos_id == 0
