import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from kernels.texts import Texts
from mixtures.byte_level import CL100K, LLAMA3, O200K, QWEN
from mixtures.fast_encoder import Encoder, reference
from mixtures.hard_texts import HARD
from mixtures.json_tokenizer import train
from sources.extract import extract
from sources.pages import Page
from sources.warc import read_warc

EOS = "<|endoftext|>"
TEXTS = [
    "The quick brown fox jumps over the lazy dog, 1984 times; it's what they'd say.  \n\n\n\t\tAnd so on...",
    "日本語のテキスト and emoji 🦊🦊 der Fluß fließt, à côté de la rivière, Ελληνικά",
    "    def f(x):\n        return x + 12345\n\n",
] * 30


def trained(splitter: Any, size: int = 600) -> Tokenizer:
    made: Tokenizer = Tokenizer(models.BPE())
    made.pre_tokenizer = splitter
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[EOS], initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(TEXTS + HARD, trainer)
    return made


def split(pattern: str) -> Any:
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), whole])


def with_all_merges(plain: Tokenizer) -> Tokenizer:
    """All merges that lead to each entry instead of one, and an entry that none leads to: found as a whole piece."""
    described = json.loads(plain.to_str())
    vocabulary = described["model"]["vocab"]
    entries = sorted(set(vocabulary) - {EOS}, key=vocabulary.__getitem__)
    pairs = [[entry[:n], entry[n:]] for entry in entries for n in range(1, len(entry))]
    merges = [pair for pair in pairs if vocabulary.keys() >= set(pair)]
    assert len(merges) > len(described["model"]["merges"])
    whole = {"vocab": {**vocabulary, "Ġqxzj": len(vocabulary)}, "merges": merges, "ignore_merges": True}
    return Tokenizer.from_str(json.dumps({**described, "model": described["model"] | whole}))


MADE: dict[str, Callable[[], Tokenizer]] = {
    "ours": lambda: train(iter(TEXTS), 600, EOS),
    "gpt2": lambda: trained(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "llama3": lambda: trained(split(LLAMA3)),
    "qwen": lambda: trained(split(QWEN)),
    "cl100k": lambda: trained(split(CL100K)),
    "o200k": lambda: trained(split(O200K)),
    "as Llama 3 is published": lambda: with_all_merges(trained(split(LLAMA3))),
}


@pytest.fixture(scope="module", params=MADE)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    loaded = MADE[request.param]()
    loaded.encode_special_tokens = True
    made = Encoder.of(loaded)
    assert made.reason is None
    return made


def encode(encoder: Encoder, texts: list[str]) -> list[np.ndarray]:
    """The ids of each text."""
    ids, offsets = encoder.encode_batch(Texts.of(texts))
    return np.split(ids, offsets[1:-1]) if texts else []


def assert_same(encoder: Encoder, texts: list[str]) -> None:
    for text, ours, theirs in zip(texts, encode(encoder, texts), reference(encoder.tokenizer, texts), strict=True):
        assert ours.dtype == np.uint32
        assert np.array_equal(ours, theirs), text[:100]


PIECES = st.sampled_from(
    [
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\xa0",
        "'s",
        "'LL",
        "'ſ",
        "1",
        "23",
        "½",
        "a",
        " qxzj",
        "The",
        "!",
        "é",
        "e\u0301",
        "日",
        "🦊",
        EOS,
    ]
)


@given(text=st.lists(PIECES | st.text(max_size=4)).map("".join))
def test_any_text_has_the_same_ids(encoder: Encoder, text: str) -> None:
    assert_same(encoder, [text])


def test_every_code_point_has_the_same_ids_among_letters_digits_and_space(encoder: Encoder) -> None:
    points = [
        chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and not 0x30000 <= c < 0xE0000 and c < 0xF0000
    ]
    for around in ("a{}a", " {} 1"):
        texts = ["".join(map(around.format, points[start : start + 500])) for start in range(0, len(points), 500)]
        assert_same(encoder, texts)


def test_text_is_only_ever_text(encoder: Encoder) -> None:
    (ids,) = encode(encoder, [f"x{EOS}y"])
    assert encoder.tokenizer.token_to_id(EOS) not in ids
    assert encoder.tokenizer.decode(ids.tolist()) == f"x{EOS}y"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=1_000_000)),
        " " * 1_000_000 + "x",
        "x" + "\n" * 1_000_000,
        ("\xa0" * 9_999 + "x") * 100,
        "\t" * 9_999 + "\r" * 9_999 + "1",
        "!" * 1_000_000,
        "7" * 300_000,
        "\u0301" * 300_000,
        " \n" * 300_000 + "x",
    ],
    ids=lambda text: repr(text[:5]),
)
def test_no_text_keeps_a_worker(encoder: Encoder, text: str) -> None:
    encode(encoder, ["x"])
    start = time.perf_counter()
    (ids,) = encode(encoder, [text])
    assert time.perf_counter() - start < 10
    assert np.array_equal(ids, reference(encoder.tokenizer, [text])[0])


def test_real_pages_have_the_same_ids(encoder: Encoder, shared_data: Path) -> None:
    found = read_warc(f"{shared_data}/pages/pages-dev-00000.warc.gz")
    pages = [item.body for item in found if isinstance(item, Page)][:60]
    assert_same(encoder, [extract(page, "resiliparse") for page in pages] + pages[:10])


def changed(**change: Any) -> Tokenizer:
    described = json.loads(train(iter(TEXTS), 600, EOS).to_str())
    model = described["model"] | change.pop("model", {})
    return Tokenizer.from_str(json.dumps({**described, **change, "model": model}))


def swapped() -> Tokenizer:
    """Two entries whose ids are not in the order of their merges."""
    vocabulary: dict[str, int] = MADE["ours"]().get_vocab()
    last, other = sorted(vocabulary, key=vocabulary.__getitem__)[-1:-3:-1]
    return changed(model={"vocab": vocabulary | {last: vocabulary[other], other: vocabulary[last]}})


def unreachable() -> Tokenizer:
    """An entry that no merge makes, and that tiktoken would."""
    vocabulary = MADE["ours"]().get_vocab()
    return changed(model={"vocab": vocabulary | {"Ġqx": len(vocabulary)}})


def merged_special() -> Tokenizer:
    """A token of the merges, said to be special later."""
    made = trained(pre_tokenizers.ByteLevel(add_prefix_space=False))
    described = json.loads(made.to_str())
    number = described["model"]["vocab"]["Ġthe"]
    token = {**described["added_tokens"][0], "id": number, "content": "Ġthe"}
    return Tokenizer.from_str(json.dumps({**described, "added_tokens": [*described["added_tokens"], token]}))


def special(content: str, **model: Any) -> Tokenizer:
    """An entry that is there already, or one more that no merges make, said to be special."""
    described = json.loads(changed(model=model).to_str())
    vocabulary = described["model"]["vocab"]
    token = {**described["added_tokens"][0], "id": vocabulary.setdefault(content, len(vocabulary)), "content": content}
    return Tokenizer.from_str(json.dumps({**described, "added_tokens": [*described["added_tokens"], token]}))


def test_a_special_token_that_no_text_has_keeps_nothing_from_being_fast() -> None:
    for made in (special("<pad>"), special("<pad>", ignore_merges=True), special("Ġqx")):
        made.encode_special_tokens = True
        encoder = Encoder.of(made)
        assert encoder.reason is None
        assert_same(encoder, ["a<pad> <pad>b qx", EOS])


WORDS = models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]")
UNIGRAM = models.Unigram([("<unk>", 0.0), ("a", -1.0)], 0, False)


def bare(model: Any) -> Tokenizer:
    made: Tokenizer = Tokenizer(model)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made


def normalised() -> Tokenizer:
    made = MADE["ours"]()
    made.normalizer = normalizers.NFC()
    return made


def with_added() -> Tokenizer:
    made = MADE["ours"]()
    made.add_tokens(["quick brown"])
    return made


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: bare(WORDS), "it is WordPiece and no BPE"),
        (lambda: bare(UNIGRAM), "it is Unigram and no BPE"),
        (normalised, r"it has a normalizer \(NFC\)"),
        (with_added, "added tokens that are not special"),
        (swapped, "not in the order of its merges"),
        (merged_special, "texts have the entry of a special token, 'Ġthe'"),
        (lambda: special("!"), "texts have the entry of a special token, '!'"),
        (lambda: special("Ġt"), "texts have the entry of a special token, 'Ġt'"),
        (lambda: special("Ġqx", ignore_merges=True), "texts have the entry of a special token, 'Ġqx'"),
        (unreachable, "its merges do not lead to its entry 'Ġqx'"),
        (lambda: trained(pre_tokenizers.ByteLevel(add_prefix_space=True)), r"pre-tokenizer \(ByteLevel\)"),
        (lambda: trained(split(r"\w+|\W+")), r"pre-tokenizer \(Sequence\)"),
        (lambda: Tokenizer(models.BPE({"a": 0}, [])), "no pre-tokenizer"),
        (lambda: bare(models.BPE({"a": 0}, [])), "some bytes are not in its vocabulary"),
    ],
)
def test_another_tokenizer_is_left_to_its_own_library(made: Callable[[], Tokenizer], reason: str) -> None:
    loaded = made()
    loaded.encode_special_tokens = True
    found = Encoder.of(loaded)
    assert found.reason
    assert re.search(reason, found.reason), found.reason
    texts = ["a quick brown fox", "e\u0301 qx", ""]
    for ours, theirs in zip(encode(found, texts), reference(loaded, texts), strict=True):
        assert np.array_equal(ours, theirs)
