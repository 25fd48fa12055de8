import io
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from kernels.texts import Texts
from mixtures import tokenizer
from tests.conftest import prose

Trained = Callable[..., str]
BPE = {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity"}


@cache
def model(**options: Any) -> bytes:
    out = io.BytesIO()
    defaults = {"model_type": "unigram", "vocab_size": 500, "hard_vocab_limit": False, "minloglevel": 2}
    SentencePieceTrainer.train(sentence_iterator=iter(prose(20)), model_writer=out, **(defaults | options))
    return out.getvalue()


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    """Writes a model trained here, under a name that does not say what it is."""

    def write(**options: Any) -> str:
        path = tmp_path / "model.bin"
        path.write_bytes(model(**options))
        return str(path)

    return write


@pytest.mark.parametrize("options", [{}, BPE], ids=["unigram", "bpe"])
def test_ids_are_the_librarys_and_a_literal_end_is_text(options: dict[str, Any], trained: Trained) -> None:
    path = trained(**options)
    given = tokenizer.adopt(path)
    assert (given.file, given.eos, given.data) == ("tokenizer.model", "</s>", Path(path).read_bytes())
    loaded = tokenizer.load(path, "</s>")
    assert loaded.encoded_by == "sentencepiece"
    theirs = SentencePieceProcessor(model_file=path)
    assert loaded.vocabulary.size == len(theirs)
    assert loaded.vocabulary.eos_id == theirs.eos_id()
    texts = ["", "One word</s>", "</s>", "<s> </s></s>", "日本 \0 🦊\n\n  x", *prose(3)]
    ids, offsets = loaded.encode_batch(Texts.of(texts))
    assert [ids[a:b].tolist() for a, b in pairwise(offsets)] == theirs.encode(texts)
    assert theirs.eos_id() not in ids
    tokenizer.check(loaded, Texts.of(texts))


def test_text_comes_back(trained: Trained) -> None:
    loaded = tokenizer.load(trained(**BPE, remove_extra_whitespaces=False), "</s>")

    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁")))
    def any_text(text: str) -> None:
        ids, _ = loaded.encode_batch(Texts.of([text + "</s>"]))
        assert loaded.decode(ids) == text + "</s>"

    any_text()


def test_another_control_symbol_can_end_documents(trained: Trained) -> None:
    path = trained(control_symbols="<|end|>")
    assert tokenizer.adopt(path, eos="<|end|>").eos == "<|end|>"
    eos_id = tokenizer.load(path, "<|end|>").vocabulary.eos_id
    assert SentencePieceProcessor(model_file=path).id_to_piece(eos_id) == "<|end|>"


@pytest.mark.parametrize(
    ("options", "keys", "said"),
    [
        ({"eos_id": -1}, {}, "has no end piece of its own; name a control symbol of it as tokenizer.eos"),
        ({}, {"eos": "<|endoftext|>"}, r'no control symbol "<\|endoftext\|>" .* \(it has <s>, </s>\)'),
        ({"user_defined_symbols": "<|end|>"}, {"eos": "<|end|>"}, r'no control symbol "<\|end\|>" .* which no text'),
        ({}, {"pattern": "gpt2"}, r"is no tiktoken file, and says itself what tokenizer.pattern would: leave it out"),
        ({}, {"eos_id": 2}, r"is no tiktoken file, and says itself what tokenizer.eos_id would: leave it out"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    options: dict[str, Any], keys: dict[str, Any], said: str, trained: Trained
) -> None:
    with pytest.raises(ValueError, match=rf"model\.bin.*{said}"):
        tokenizer.adopt(trained(**options), **keys)


@pytest.mark.parametrize("damage", [lambda data: data[:-10], lambda data: b"", lambda data: b"version https://x\n"])
def test_a_broken_file_is_refused(damage: Callable[[bytes], bytes], trained: Trained) -> None:
    path = Path(trained())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"model\.bin is no tokenizer\.json, tiktoken file or SentencePiece model"):
        tokenizer.adopt(str(path))
