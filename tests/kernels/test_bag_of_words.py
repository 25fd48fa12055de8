import itertools
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.bag_of_words import decisions, feature_hashes, places, word_sets
from kernels.characters import fold
from kernels.texts import Texts
from tests.conftest import prose
from tests.kernels import twins

SIZE = 1 << 12
BASE, MULTIPLIER, MASK = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, (1 << 64) - 1
# Letters, marks, signs and digits of scripts with and without spaces, and every kind of white space.
TEXT = st.text(alphabet="aB9é.,-'  \n\u00a0\u3000中文の、カタ-カภา\u0301ßΣς\U0001f600", max_size=60)


def mixed(state: int, value: int) -> int:
    state = (state ^ value) * MULTIPLIER & MASK
    return state ^ state >> 32


def word_hash(word: str) -> int:
    value = 0
    for character in word:
        if unicodedata.category(character)[0] in "LM" or unicodedata.category(character) == "Nd":
            value = (value * BASE + ord(fold(character)) + 1) & MASK
    return mixed(value, 0) if value else 0


def features(text: str) -> set[int]:
    """The columns of a text's words and of the pairs that they make, in plain Python."""
    words = [found for word in twins.words(text) if (found := word_hash(word))]
    pairs = [mixed(one, other) for one, other in itertools.pairwise(words)]
    return {(found * BASE & MASK) >> 32 & SIZE - 1 for found in words + pairs}


def row_value(features: int) -> float:
    return 400**0.25 / max(1, features) ** 0.75


@given(st.lists(TEXT, max_size=4))
def test_a_row_has_each_feature_once_and_values_by_their_number(texts: list[str]) -> None:
    indices, values, starts = word_sets(Texts.of(texts), SIZE)
    assert len(starts) == len(texts) + 1
    for row, text in enumerate(texts):
        part = slice(starts[row], starts[row + 1])
        assert sorted(indices[part].tolist()) == sorted(features(text))
        assert values[part] == pytest.approx(row_value(len(features(text))))


def test_a_row_of_400_features_has_length_one_and_shorter_rows_are_longer() -> None:
    _, values, starts = word_sets(Texts.of([" ".join(f"w{n}" for n in range(words)) for words in (8, 200, 800)]), SIZE)
    short, middle, long = (values[a:b].astype(float) for a, b in itertools.pairwise(starts))
    assert len(short) == 15
    for row in (short, middle, long):
        assert np.linalg.norm(row) == pytest.approx((400 / len(row)) ** 0.25)
    assert np.linalg.norm(short) > 2 > np.linalg.norm(middle) > 1 > np.linalg.norm(long)


@given(st.lists(TEXT, max_size=4), st.integers(0, 2**32 - 1))
def test_decisions_are_those_of_the_rows(texts: list[str], seed: int) -> None:
    """The kernel that scores finds the words by itself; here by those that everything else is measured on."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=(3, SIZE + 1)).astype(np.float32)
    models = random.integers(0, 3, len(texts))
    found = decisions(Texts.of(texts), weights, models)
    for text, model, decision in zip(texts, models, found, strict=True):
        columns = sorted(features(text))
        wanted = weights[model, columns].astype(float).sum() * row_value(len(columns)) + weights[model, SIZE]
        assert decision == pytest.approx(wanted, abs=1e-9)


def test_a_text_of_a_slice_of_a_batch_is_scored_by_itself() -> None:
    texts = Texts.of(prose(6))
    weights = np.random.default_rng(0).normal(size=(1, SIZE + 1)).astype(np.float32)
    whole = decisions(texts, weights, np.zeros(6, np.int64))
    some = Texts(texts.data, texts.offsets[2:5], (None,) * 2, (None,) * 2)
    assert decisions(some, weights, np.zeros(2, np.int64)).tolist() == whole[2:4].tolist()


@given(TEXT)
def test_every_feature_has_its_words(text: str) -> None:
    texts = Texts.of([text])
    hashes, first, last = feature_hashes(texts)
    assert set(places(hashes, SIZE).tolist()) == features(text)
    normal = texts.words.normal.tolist()
    for found, one, other in zip(hashes.tolist(), first.tolist(), last.tolist(), strict=True):
        assert found == (normal[one] if one == other else mixed(normal[one], normal[other]))
