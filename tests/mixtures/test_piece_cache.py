import json
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from kernels.pieces import LONGEST
from kernels.texts import Texts
from mixtures import piece_cache
from mixtures.byte_level import CL100K, GPT2_WITH_SINGLE_DIGITS, O200K, splitter_of
from mixtures.fast_encoder import Encoder, reference
from mixtures.hard_texts import HARD
from mixtures.json_tokenizer import train
from mixtures.piece_cache import PieceCache
from sources.extract import extract
from sources.pages import Page
from sources.warc import read_warc
from tests.mixtures.test_fast_encoder import encode

EOS = "<|endoftext|>"
Bytes, Places = NDArray[np.uint8], NDArray[np.int64]


def gpt2() -> Tokenizer:
    made: Tokenizer = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=[EOS], initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(HARD, trainer)
    return made


def cut_by(pattern: str) -> Tokenizer:
    described = json.loads(gpt2().to_str())
    return Tokenizer.from_str(json.dumps({**described, "pre_tokenizer": splitter_of(pattern)}))


MADE: dict[str, Callable[[], Tokenizer]] = {
    "ours": lambda: train(iter(HARD), 600, EOS),
    "gpt2": gpt2,
    "gpt4": lambda: cut_by(CL100K),
    "gpt4o": lambda: cut_by(O200K),
}


@pytest.fixture(scope="module", params=MADE)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    loaded = MADE[request.param]()
    loaded.encode_special_tokens = True
    made = Encoder.of(loaded)
    assert made.cache is not None
    return made


def merges(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Has the encoder's cache keep a list of what it merges from here on."""
    cache: Any = encoder.cache
    whole, seen = cache._merge, list[str]()

    def merge(data: Bytes, bounds: Places, new: Places) -> Any:
        seen.extend(bytes(data[bounds[k] : bounds[k + 1]]).decode() for k in new)
        return whole(data, bounds, new)

    monkeypatch.setattr(cache, "_merge", merge)
    return seen


def wanted(encoder: Encoder, texts: list[str]) -> list[list[int]]:
    return [ids.tolist() for ids in reference(encoder.tokenizer, texts)]


def parted(encoded: tuple[NDArray[np.uint32], NDArray[np.int64]]) -> list[list[int]]:
    ids, offsets = encoded
    assert ids.dtype == np.uint32
    assert offsets[0] == 0
    assert offsets[-1] == len(ids)
    return [ids[start:end].tolist() for start, end in pairwise(offsets)]


def empty(encoder: Encoder) -> None:
    assert encoder.cache is not None
    encoder.cache._clear()


def test_a_piece_is_merged_once(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    empty(encoder)
    seen = merges(encoder, monkeypatch)
    texts = ["It's a word, a word\n\n a word", "a word, it is a very-very-long-and-hyphenated-word"]
    first = parted(encoder.encode_batch(Texts.of(texts)))
    assert len(seen) == len(set(seen)) > 10
    seen.clear()
    assert parted(encoder.encode_batch(Texts.of(texts[::-1]))) == first[::-1]
    assert seen == []


def test_pieces_that_only_differ_in_length_or_zeros_or_their_end_are_not_taken_for_each_other(encoder: Encoder) -> None:
    texts = ["\0" * n for n in range(1, 40)] + ["a" * n for n in range(1, 40)]
    texts += ["b" * 20 + ending for ending in "abc"] + ["b" * 7 + chr(c) for c in range(97, 120)]
    for _ in range(2):
        assert parted(encoder.encode_batch(Texts.of(texts))) == wanted(encoder, texts)


@pytest.mark.parametrize("texts", [[], [""], ["", "", ""], ["", "a", "", "b c", ""]], ids=str)
def test_empty_texts_and_batches(encoder: Encoder, texts: list[str]) -> None:
    assert parted(encoder.encode_batch(Texts.of(texts))) == wanted(encoder, texts)
    assert [ids.tolist() for ids in encode(encoder, texts)] == wanted(encoder, texts)


def test_hard_texts_in_one_batch_and_in_any_order(encoder: Encoder) -> None:
    texts = [*HARD, "\u0378 unassigned", "after", "\U000e1000", "a\U0010ffff b\U0010ffff\U0010ffff", "\U0010ffff"]
    for seed in range(3):
        random.Random(seed).shuffle(texts)
        assert parted(encoder.encode_batch(Texts.of(texts))) == wanted(encoder, texts)


def test_a_slice_of_a_larger_array(encoder: Encoder) -> None:
    texts = ["zero 0", "one's 1", "", "two  2", "three"]
    batch = Texts.of(pa.array(texts, pa.large_string()).slice(1, 3))
    assert parted(encoder.encode_batch(batch)) == wanted(encoder, texts[1:4])


@given(
    texts=st.lists(st.text(st.sampled_from(" \n\t\xa0\x1c'sltredv1٣½aé日🦊!\u0301"), max_size=20) | st.text(max_size=8))
)
def test_any_texts_with_a_cache_that_is_emptied_all_the_time(encoder: Encoder, texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(piece_cache, "CHUNK", 3)
        patch.setattr(piece_cache, "MOST_SLOTS", 32)
        patch.setattr(piece_cache, "STORED_BYTES", 40)
        patch.setattr(piece_cache, "STORED_IDS", 50)
        empty(encoder)
        assert parted(encoder.encode_batch(Texts.of(texts))) == wanted(encoder, texts)
    empty(encoder)


@pytest.mark.parametrize(
    "caps", [{"MOST_SLOTS": 1 << 10}, {"STORED_BYTES": 2000}, {"STORED_IDS": 3000}, {"CHUNK": 1}, {}], ids=str
)
def test_growing_and_clearing_in_the_middle_of_a_batch(
    encoder: Encoder, caps: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdeé", k=draw.randrange(1, 40))) for _ in range(3000)]
    texts = [" ".join(draw.choices(words, k=draw.randrange(200))) for _ in range(60)]
    monkeypatch.setattr(piece_cache, "CHUNK", 100)
    for name, value in caps.items():
        monkeypatch.setattr(piece_cache, name, value)
    empty(encoder)
    seen = merges(encoder, monkeypatch)
    assert parted(encoder.encode_batch(Texts.of(texts))) == wanted(encoder, texts)
    # What is merged again was forgotten meanwhile.
    cleared = any(name in caps for name in ("MOST_SLOTS", "STORED_BYTES", "STORED_IDS"))
    assert (len(seen) > len(set(seen))) == cleared
    monkeypatch.undo()
    empty(encoder)


def test_long_pieces_leave_nothing_behind() -> None:
    merged: list[int] = []

    def merge(data: Bytes, bounds: Places, new: Places) -> tuple[NDArray[np.uint32], Places]:
        sizes = np.diff(bounds)[new]
        merged.extend(sizes.tolist())
        return np.ones(int(sizes.sum()), np.uint32), sizes

    cache = PieceCache(merge, GPT2_WITH_SINGLE_DIGITS)
    long, most = Texts.of(["x" * (piece_cache.STORED_IDS + 5)]), Texts.of(["y" * LONGEST, "z" * (LONGEST + 1)] * 3)
    assert len(cache.encode(long)[0]) == piece_cache.STORED_IDS + 5
    assert len(cache._ids) == piece_cache.STORED_IDS + 5
    merged.clear()
    assert len(cache.encode(most)[0]) == 3 * (2 * LONGEST + 1)
    assert len(cache._ids) == piece_cache.STORED_IDS
    # Those of more than LONGEST bytes are merged each time.
    assert sorted(merged) == [LONGEST, *[LONGEST + 1] * 3]


def test_real_pages_in_one_batch_cold_and_warm(encoder: Encoder, shared_data: Path) -> None:
    found = read_warc(f"{shared_data}/pages/pages-dev-00000.warc.gz")
    pages = [item.body for item in found if isinstance(item, Page)][:60]
    texts = [extract(page, "resiliparse") for page in pages] + pages[:10]
    empty(encoder)
    theirs = wanted(encoder, texts)
    assert parted(encoder.encode_batch(Texts.of(texts))) == theirs
    assert parted(encoder.encode_batch(Texts.of(texts))) == theirs
