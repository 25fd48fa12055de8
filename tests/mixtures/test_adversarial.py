"""Texts that break tokenizers have Hugging Face's ids whatever the pattern, and take no time to speak of."""

import json
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks import adversarial
from kernels.texts import Texts
from mixtures.byte_level import CL100K, GPT2, LLAMA3, O200K, QWEN, splitter_of
from mixtures.hard_texts import HARD
from mixtures.json_tokenizer import JsonTokenizer, train

EOS = "<|endoftext|>"
NO_LANGUAGES = Path("none")
PATTERNS = {"own": None, "gpt2": GPT2, "llama3": LLAMA3, "qwen": QWEN, "cl100k_base": CL100K, "o200k_base": O200K}


@cache
def cut_by(name: str) -> JsonTokenizer:
    described = json.loads(train(iter(HARD), 800, EOS).to_str())
    if pattern := PATTERNS[name]:
        described["pre_tokenizer"] = splitter_of(pattern)
    made = JsonTokenizer(json.dumps(described).encode(), "x.json", EOS)
    assert made.encoded_by == "kernels and tiktoken"
    return made


@pytest.fixture(params=PATTERNS)
def tokenizer(request: pytest.FixtureRequest) -> JsonTokenizer:
    return cut_by(request.param)


def assert_same(tokenizer: JsonTokenizer, texts: list[str]) -> None:
    ids, offsets = tokenizer.encode_batch(Texts.of(texts))
    wanted, wanted_offsets = tokenizer.encode_by_reference(texts)
    assert np.array_equal(offsets, wanted_offsets)
    assert np.array_equal(ids, wanted)
    assert tokenizer.vocabulary.eos_id not in ids


@pytest.mark.parametrize("kind", adversarial.texts(0, NO_LANGUAGES))
def test_ids_are_the_reference_librarys(kind: str, tokenizer: JsonTokenizer) -> None:
    texts = adversarial.texts(200_000, NO_LANGUAGES)[kind]
    assert sum(map(len, texts)) >= 20_000 - 40
    assert_same(tokenizer, texts)


def test_388_languages(tokenizer: JsonTokenizer, shared_data: Path) -> None:
    texts = adversarial.texts(0, shared_data / "udhr/udhr2.zip")["languages"]
    assert len(texts) == 388
    assert_same(tokenizer, [text[:2000] for text in texts])


@pytest.mark.parametrize(("name", "text"), [("own", "a" * 10_000_000), ("llama3", " " * 10_000_000 + "x")])
def test_ten_megabytes_without_a_word(name: str, text: str) -> None:
    """The other library panics on this much white space with some of the patterns, so what comes back is compared."""
    tokenizer = cut_by(name)
    start = time.perf_counter()
    ids, _ = tokenizer.encode_batch(Texts.of([text]))
    assert time.perf_counter() - start < 30
    assert tokenizer.decode(ids) == text
